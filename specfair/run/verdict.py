"""A Verdict: decision, numbers and sentence in one object, and who asked for it.

Does not know how the decision was made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from specfair.vocabulary import CLAIMS, Decision, Stage

_SHOWN = (
    "gate",
    "metric",
    "decision",
    "value",
    "low",
    "high",
    "bound",
    "min_effect",
    "p_value",
    "p_holm",
    "scope",
)


# what a waiver does for a verdict: nothing, excuse it, or fail it where it is over or
# where nothing needs it
Excuse: TypeAlias = Literal["", "waived", "expired", "unneeded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An estimate held against a bound."""

    case: str
    gate: str  # the kind of bound
    metric: str
    decision: Decision
    value: float
    low: float
    high: float
    bound: float
    comparison: str
    min_effect: float
    p_value: float
    p_holm: float
    n: Mapping[str, tuple[int, ...]]  # group: prompts and clusters
    groups: tuple[str, ...]
    sentence: str
    way_out: str = ""
    method: str = ""
    strict: bool = False
    scope: str = "identities"  # what more evidence would be more of
    stage: Stage | None = None  # None: of no stage in particular
    reproduce: str = ""  # the command that asks it again
    about: str = ""  # what it was measured on
    of: str = ""  # the member of its family; "" of one that has no others
    nth: int = 0  # of those that one case asked of this gate and metric
    excuse: Excuse = ""
    waiver: str = ""  # the one that covers it, in words

    def __post_init__(self) -> None:
        for group, counts in self.n.items():
            if len(counts) != 2:
                raise ValueError(f"n of {group!r:.60} is not prompts and clusters")

    @property
    def failed(self) -> bool:
        """Whether the test that asked has to fail."""
        if self.excuse:
            return self.excuse != "waived"
        return self.broken

    @property
    def broken(self) -> bool:
        """Whether it fails where nobody waives it."""
        undecided = self.strict and self.decision == "insufficient"
        return self.decision in ("fail", "invalid") or undecided

    @property
    def outcome(self) -> Decision:
        """The decision as it counts for the run, waivers included."""
        if self.excuse:
            return "pass" if self.excuse == "waived" else "fail"
        return self.decision

    @property
    def note(self) -> str:
        """What a waiver has to do with it, in words; "" where none has."""
        return {
            "": "",
            "waived": f"waived: {self.waiver}",
            "expired": f"its waiver is over: {self.waiver}",
            "unneeded": f"passes without its waiver, drop it: {self.waiver}",
        }[self.excuse]

    @property
    def claim(self) -> str:
        """What it is about, and what not."""
        return CLAIMS.get(self.scope, "")

    @property
    def dataset(self) -> str:
        """What it comes after; "" of the base pair, or of no stage."""
        return self.stage.dataset if self.stage else ""

    def properties(self) -> dict[str, str]:
        """The numbers as text, for JUnit."""
        shown = {name: getattr(self, name) for name in _SHOWN}
        return {
            name: f"{v:.6g}" if isinstance(v, float) else str(v)
            for name, v in shown.items()
        }
