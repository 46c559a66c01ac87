"""The desk a test works at: `audit` measures, `gate` decides, `ask` puts a standard
question.

Knows the session and the one case it serves: this is what the `specfair` fixture gives.
It does not know pytest: what a failed gate does is handed in.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from specfair.audit.audit import Audit
from specfair.audit.case import Case, about, explain
from specfair.audit.session import Session
from specfair.config import OF_THE_RUN
from specfair.errors import UsageError
from specfair.gates import Bound
from specfair.gates.baseline import Change
from specfair.run.verdict import Verdict
from specfair.stats import Estimate
from specfair.vocabulary import Stage


@dataclass(frozen=True, slots=True)
class Desk:
    """For one test."""

    session: Session
    case: Case
    root: Path  # of the project, where its baselines are
    marked: Mapping[str, Any]  # settings of this test's `specfair` marker
    properties: list[tuple[str, object]]  # what JUnit XML will carry
    fail: Callable[[str], NoReturn]
    excuse: Callable[[str], NoReturn]  # end the test as one that is known to fail

    def audit(self, **changes: Any) -> Audit:
        """The audit as configured, or with other settings: `specfair.audit(target=...,
        draft=...)`.
        """
        asked = {**self.marked, **changes}
        for name in OF_THE_RUN:
            if name in asked:
                raise UsageError(
                    f"{name} = {asked[name]!r} is set for one audit; it is of the "
                    "whole run. Set it in [tool.specfair] "
                    f"or with --specfair-{name}."
                )
        audit = self.session.audit(**asked)
        self.case.strict |= asked.get("strict", False)
        if audit not in self.case.audits:
            self.case.audits.append(audit)
            self.properties.append(("specfair.about", about(audit)))
        return audit

    def ask(
        self, question: str, stage: Stage | str = "", *, of: str = "", **changes: Any
    ) -> tuple[Verdict, ...]:
        """One of the questions that `specfair audit` asks as well, about a stage, and
        about the member `of` a family.

        The test fails where an answer breaks the bound configured for it; the answers
        whose gate is off are left out.
        """
        audit = self.audit(**changes)
        self.case.stage = Stage.of(stage) if stage else self.case.stage
        verdicts = self.session.ask(question, audit, self.case, of)
        self._settle(*verdicts)
        return tuple(verdicts)

    def gate(
        self,
        asked: Estimate | Mapping[str, Estimate],
        *,
        kind: str = "",
        of: str = "",
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> Verdict | None:
        """Hold an estimate, or the member `of` of a family, to its bound; the test
        fails if the verdict does.

        The bound is the configured one for this `kind` of gate, or the one given here.
        None where the gate is off.
        """
        self._check(asked)
        bound = self._bound(kind, at_most, at_least)
        if bound is None:
            return None
        verdict = self.session.judge(asked, bound, self.case, of)
        self._settle(verdict)
        return verdict

    def against_baseline(self, name: str, stage: Stage | str) -> Change:
        """Now minus the stored baseline, on the same prompts: `.overall`, and
        `.by_group`.
        """
        return self.session.against_baseline(
            self.audit(), name, Stage.of(stage), self.root
        )

    def _settle(self, *verdicts: Verdict) -> None:
        """Leave the figures, fail with every verdict that fails, and end where one is
        waived.
        """
        for verdict in verdicts:
            self.properties.extend(
                (f"specfair.{name}", value)
                for name, value in verdict.properties().items()
            )
        failed = [explain(verdict, self.case) for verdict in verdicts if verdict.failed]
        if failed:
            self.fail("\n".join(failed))
        excused = [v.waiver for v in verdicts if v.excuse == "waived"]
        if excused:
            self.excuse("waived: " + "; ".join(excused))

    def _check(self, asked: object) -> None:
        """An estimate, or estimates by name: anything else is a slip of the one who
        wrote the test.
        """
        members = asked.values() if isinstance(asked, Mapping) else [asked]
        if not members or not all(isinstance(member, Estimate) for member in members):
            given = (
                "an empty family"
                if isinstance(asked, Mapping) and not asked
                else f"{type(asked).__name__}"
            )
            raise UsageError(
                f"gate of {self.case.name} was given {given}; it judges an Estimate, "
                "or Estimates by name. "
                "Give for example audit.alpha.difference(), or audit.gains(dataset) "
                "with of=group."
            )

    def _bound(
        self, kind: str, at_most: float | None, at_least: float | None
    ) -> Bound | None:
        given = {"at_most": at_most, "at_least": at_least}
        own = {name: value for name, value in given.items() if value is not None}
        if not own:
            found = self.session.bound(kind, self.case)
            if found and kind == "regression":  # in what the baseline holds
                return replace(found, metric=self.audit().base.gated)
            return found
        if len(own) == 2:
            raise UsageError(
                f"gate of {self.case.name} has at_most and at_least; a gate "
                "has one bound. Write two gates."
            )
        [(name, value)] = own.items()
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise UsageError(
                f"gate of {self.case.name} has {name} = {value!r}; a bound is "
                f"a finite number. Write {name}=0.05."
            )
        return Bound.at_most(value) if name == "at_most" else Bound.at_least(value)
