"""Kinds of gate and the bounds they hold estimates to.

Knows defaults and which side of a bound is right. Does not know estimates, nor which
case a bound is for.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from specfair.errors import UsageError, unknown


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of gate: which side of the bound is right, its defaults, and what its
    value is called.
    """

    comparison: str
    bound: float | None  # None: off unless configured
    min_effect: float
    metric: str
    words: str


KINDS: Mapping[str, Kind] = {
    "gap": Kind("<=", 0.10, 0.02, "acceptance_rate", "gap of {}"),
    "ratio": Kind(">=", 0.80, 0.02, "acceptance_rate", "min/max ratio of {}"),
    "gain": Kind(">=", 0.0, 0.01, "acceptance_rate", "gain in {}"),
    "improve": Kind(">=", None, 0.0, "acceptance_rate", "gain in {}"),
    "widening": Kind("<=", 0.0, 0.02, "acceptance_rate", "widening of the gap of {}"),
    "spread": Kind(
        "<=",
        0.0,
        0.0005,
        "acceptance_rate",
        "growth of the variance of {}",
    ),
    "worst_pair": Kind(
        "<=", 0.10, 0.02, "acceptance_rate", "worst pair's difference in {}"
    ),
    "confident_rejections": Kind("<=", 0.10, 0.02, "confident_rejections", "gap of {}"),
    "speedup": Kind(">=", 0.80, 0.02, "mean_acceptance_length", "min/max ratio of {}"),
    "breakeven": Kind(">=", None, 0.0, "speedup_predicted", "{}"),
    "clock": Kind(">=", None, 0.05, "speedup_measured", "min/max ratio of {}"),
    "faster": Kind(">=", 1.0, 0.05, "speedup_measured", "{}"),
    "order": Kind(
        "<=",
        0.0,
        0.05,
        "mean_acceptance_length",
        "change of {} in another order of requests",
    ),
    "swap": Kind(
        "<=", None, 1.0, "target_calls", "worst swap's extra {} for 100 tokens"
    ),
    "hurtful": Kind("<=", None, 0.01, "hurtful", "difference in {}"),
    "judged": Kind("<=", None, 0.02, "judged", "difference in {}"),
    "perplexity": Kind("<=", None, 0.05, "log_perplexity", "difference in {}"),
    "frequency": Kind(
        "<=", None, 0.0, "acceptance_rate", "gain in {} for each tenfold of mentions"
    ),
    "equivalence": Kind("<=", None, 0.0, "acceptance_rate", "difference in {}"),
    "regression": Kind(
        ">=", 0.0, 0.01, "acceptance_rate", "change of {} against the baseline"
    ),
    "at_most": Kind("<=", None, 0.0, "", "{}"),
    "at_least": Kind(">=", None, 0.0, "", "{}"),
}
OWN = ("at_most", "at_least")  # bounds that a test brings along; no rule can name them


@dataclass(frozen=True, slots=True)
class Bound:
    """What a gate demands. A value beyond it by less than `min_effect` does not fail;
    `strict` fails the undecided.

    >>> Bound("gap", 0.1, min_effect=0.02).comparison, Bound.at_least(0.8).comparison
    ('<=', '>=')
    """

    kind: str
    value: float
    min_effect: float = 0.0
    metric: str = "acceptance_rate"
    comparison: str = ""  # "" takes the kind's
    strict: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(unknown("gate", self.kind, KINDS))
        if not (
            math.isfinite(self.value)
            and math.isfinite(self.min_effect)
            and self.min_effect >= 0
        ):
            raise UsageError(
                f"gate {self.kind} has bound {self.value} and min_effect "
                f"{self.min_effect}; both are finite numbers "
                "and min_effect is at least 0. Mend the number, or switch the gate "
                "off."
            )
        object.__setattr__(
            self, "comparison", self.comparison or KINDS[self.kind].comparison
        )

    @classmethod
    def at_most(
        cls,
        value: float,
        *,
        min_effect: float = 0.0,
        metric: str = "",
        strict: bool = False,
    ) -> "Bound":
        """A ceiling for whatever estimate it is held against."""
        return cls("at_most", value, min_effect, metric, strict=strict)

    @classmethod
    def at_least(
        cls,
        value: float,
        *,
        min_effect: float = 0.0,
        metric: str = "",
        strict: bool = False,
    ) -> "Bound":
        """A floor."""
        return cls("at_least", value, min_effect, metric, strict=strict)

    @property
    def sign(self) -> float:
        """1 where values above the bound are wrong, -1 where those below are."""
        return 1.0 if self.comparison == "<=" else -1.0

    @property
    def limit(self) -> float:
        """The bound with the minimum effect added on the wrong side."""
        return self.value + self.sign * self.min_effect
