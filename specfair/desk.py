"""The desk a test works at: `audit` measures, `gate` decides. This is what the `specfair` fixture gives.

Knows the session and the one case it serves. It does not know pytest: what a failed gate does is handed in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from specfair.audit import Audit
from specfair.baseline import Change
from specfair.errors import UsageError
from specfair.gates import Bound, Verdict
from specfair.session import Case, Session, explain
from specfair.stats import Estimate


@dataclass(frozen=True, slots=True)
class Desk:
    """For one test."""

    session: Session
    case: Case
    root: Path  # of the project, where its baselines are
    marked: Mapping[str, Any]  # settings of this test's `specfair` marker
    properties: list[tuple[str, object]]  # what JUnit XML will carry
    fail: Callable[[str], NoReturn]

    def audit(self, **changes: Any) -> Audit:
        """The audit as configured, or with other settings: `specfair.audit(target=..., draft=...)`."""
        audit = self.session.audit(**{**self.marked, **changes})
        self.case.audits.append(audit)
        return audit

    def gate(
        self,
        asked: Estimate | Mapping[str, Estimate],
        *,
        kind: str = "",
        of: str = "",
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> Verdict | None:
        """Hold an estimate, or the member `of` of a family, to its bound; the test fails if the verdict does.

        The bound is the configured one for this `kind` of gate, or the one given here. None where the gate is off.
        """
        bound = self._bound(kind, at_most, at_least)
        if bound is None:
            return None
        verdict = self.session.judge(asked, bound, self.case, of)
        self.properties.extend((f"specfair.{name}", value) for name, value in verdict.properties().items())
        self.properties.append(("specfair.about", self.case.about))
        if verdict.failed:
            self.fail(explain(verdict, self.case))
        return verdict

    def against_baseline(self, name: str, stage: str) -> Change:
        """Now minus the stored baseline, on the same prompts: `.overall`, and `.by_group`."""
        return self.session.against_baseline(self.audit(), name, stage, self.root)

    def _bound(self, kind: str, at_most: float | None, at_least: float | None) -> Bound | None:
        if at_most is None and at_least is None:
            return self.session.bound(kind, self.case)
        if at_most is not None and at_least is not None:
            raise UsageError(
                f"gate of {self.case.name} has at_most and at_least; a gate has one bound. Write two gates."
            )
        return Bound.at_most(at_most) if at_most is not None else Bound.at_least(float(at_least or 0.0))
