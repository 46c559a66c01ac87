"""A Verdict: decision, numbers and sentence in one object that goes into JSON and comes
back.

Does not know how the decision was made.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

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
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """An estimate held against a bound."""

    case: str
    gate: str
    metric: str
    decision: str  # "pass", "fail", "insufficient" or "invalid"
    value: float
    low: float
    high: float
    bound: float
    comparison: str
    min_effect: float
    p_value: float
    p_holm: float
    n: Mapping[str, Sequence[int]]  # group: [prompts, clusters]
    groups: tuple[str, ...]
    sentence: str
    way_out: str = ""
    method: str = ""
    strict: bool = False

    @property
    def failed(self) -> bool:
        """Whether the test that asked has to fail."""
        return self.decision in ("fail", "invalid") or (
            self.strict and self.decision == "insufficient"
        )

    def properties(self) -> dict[str, str]:
        """The numbers as text, for JUnit."""
        shown = {name: getattr(self, name) for name in _SHOWN}
        return {
            name: f"{v:.6g}" if isinstance(v, float) else str(v)
            for name, v in shown.items()
        }


def to_dict(verdict: Verdict) -> dict[str, Any]:
    """Plain JSON: numbers that are not finite become null."""
    plain = {**asdict(verdict), "groups": list(verdict.groups)}
    return {
        k: None if isinstance(v, float) and not math.isfinite(v) else v
        for k, v in plain.items()
    }


def from_dict(stored: Mapping[str, Any]) -> Verdict:
    """What `to_dict` made; keys that a Verdict does not have are left aside."""
    numbers = {f.name for f in fields(Verdict) if f.type is float}
    known = {f.name for f in fields(Verdict)}
    values: dict[str, Any] = {
        k: math.nan if v is None and k in numbers else v
        for k, v in stored.items()
        if k in known
    }
    values["groups"] = tuple(values["groups"])
    return Verdict(**values)
