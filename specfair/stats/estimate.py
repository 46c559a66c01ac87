"""An Estimate: a value, and the curve that interval and p-value are both read off.

Knows how interval, p-value, Holm's correction and equivalence follow from the curve.
Does not know how the curve was made.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from specfair.errors import UsageError, unknown
from specfair.stats.tally import Array

LEVEL = 0.95
NAMED = 12  # groups in a sentence, before "and more"
# effective clusters below which an interval leans on other groups more than on its own
EXPLORATORY = 8
MOST_SKEW = 0.5  # of an estimate, that is corrected for
# normal deviates at which a curve is kept; the 95% interval ends at two of them
Z = float(ndtri((1 + LEVEL) / 2)) * np.linspace(-3, 3, 61)
BELOW, ABOVE = Z[Z < -1e-9], Z[Z > 1e-9]
# what more evidence would be more of: other identities like these, other prompts about
# these, or nothing, where the set is all that is asked about
Scope: TypeAlias = Literal["identities", "prompts", "set"]
SCOPES: tuple[Scope, ...] = ("identities", "prompts", "set")


class Nothing(str):
    """Why there is no estimate where nobody is at fault: what was to be counted did not
    occur.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Part:
    """What one group brings to an estimate: how many prompts and clusters, and the
    variance of its own value.
    """

    group: str
    n_prompts: int
    n_clusters: int
    variance: float
    # of evidence: "clusters", "templates", "prompts"; "shared" where groups share
    # clusters; "set" where nothing is sampled
    unit: str = "clusters"
    # whether what its templates do in all groups was removed from the noise
    paired: bool = False
    # clusters of equal size that would be worth as much (Kish); NaN takes n_clusters
    effective: float = math.nan

    @property
    def exploratory(self) -> bool:
        """Whether it has too little evidence of its own to accuse anybody."""
        known = self.n_clusters if math.isnan(self.effective) else self.effective
        return self.unit != "set" and known < EXPLORATORY


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with an interval. `curve` is never stored; without it p-values are
    NaN.
    """

    value: float
    low: float
    high: float
    level: float = LEVEL
    n_prompts: int = 0
    n_clusters: int = 0
    groups: tuple[str, ...] = ()
    method: str = ""
    # 95% quantile of the gap that groups which do not differ would show
    null: float | None = None
    corrected: float | None = None  # the gap less what chance alone adds to it
    parts: tuple[Part, ...] = ()
    critical: float = 1.96  # standard errors that a finding takes, with many clusters
    logs: bool = False  # whether errors are of logarithms: a ratio
    # whether there was nothing to estimate, which is no fault of models or prompts
    nothing: bool = False
    scope: Scope = "identities"
    # the same question asked of the groups that are not exploratory, where some are
    firm: "Estimate | None" = field(default=None, compare=False, repr=False)
    # quantiles of the confidence distribution at the deviates Z
    curve: Array | None = field(default=None, compare=False, repr=False)

    @property
    def valid(self) -> bool:
        """Whether value and interval are numbers."""
        return all(map(math.isfinite, (self.value, self.low, self.high)))

    @property
    def exploratory(self) -> tuple[str, ...]:
        """The groups it rests on whose effective clusters are too few to accuse."""
        return tuple(p.group for p in self.parts if p.exploratory)

    def p_value(self, bound: float = 0.0) -> float:
        """Two-sided p-value of `truth == bound`; below 0.05 exactly when the 95%
        interval excludes the bound.
        """
        below, above = self.tails(bound)
        return min(2 * min(below, above), 1.0)

    def tails(self, bound: float) -> tuple[float, float]:
        """One-sided p-values of `truth <= bound` and of `truth >= bound`."""
        if self.curve is None or not self.valid:
            return math.nan, math.nan
        return (
            float(ndtr(_deviate(self.curve, bound))),
            float(ndtr(_deviate(-self.curve[::-1], -bound))),
        )

    def interval(self, level: float) -> tuple[float, float]:
        """The central interval at another level, from the same curve."""
        if self.curve is None or not self.valid:
            return math.nan, math.nan
        z = ndtri((1 + level) / 2)
        low, high = np.interp([-z, z], Z, self.curve)
        # limits that end at what is possible do so at every lower level
        inside = level <= self.level
        return (
            max(float(low), self.low) if inside else float(low),
            min(float(high), self.high) if inside else float(high),
        )


def _deviate(curve: Array, bound: float) -> float:
    """The largest deviate at which the curve is no more than the bound."""
    at = int(np.searchsorted(curve, bound, side="right"))
    if at in (0, len(curve)):
        return float(Z[0] if at == 0 else np.inf)
    share = (bound - curve[at - 1]) / (curve[at] - curve[at - 1])
    return float(Z[at - 1] + share * (Z[at] - Z[at - 1]))


def t_at(z: Array, df: Array) -> Array:
    """Student's t as rare as these deviates: (deviates, ...). Degrees of freedom are
    rounded down to three digits, so that thousands of pairs need few quantiles.
    """
    digits = 10.0 ** (np.floor(np.log10(df)) - 2)
    some, back = np.unique(np.floor(df / digits) * digits, return_inverse=True)
    found = np.where(some > 1e5, z[:, None], stdtrit(some, ndtr(z)[:, None]))
    return np.asarray(found[:, back.reshape(-1)].reshape(len(z), *df.shape))


def from_curve(
    value: float, curve: Array, parts: Sequence[Part], *, groups: tuple[str, ...]
) -> Estimate:
    """The Estimate whose interval is the central 95% of a confidence distribution."""
    low, high = np.interp([Z[20], Z[40]], Z, curve)
    return Estimate(
        float(value),
        float(low),
        float(high),
        n_prompts=sum(p.n_prompts for p in parts),
        n_clusters=sum(p.n_clusters for p in parts),
        groups=groups,
        method=words(parts),
        parts=tuple(parts),
        curve=curve,
    )


def from_t(
    value: float,
    error: float,
    df: float,
    *,
    parts: Sequence[Part],
    groups: tuple[str, ...],
    skew: float = 0.0,
) -> Estimate:
    """A value whose error is Student's t with these degrees of freedom, but for the
    skew of what it is made of.
    """
    t = t_at(Z, np.array([df]))[:, 0]
    curve = value + error * _unskewed(t, skew)
    return from_curve(value, curve, parts, groups=groups)


def _unskewed(t: Array, skew: float) -> Array:
    """Deviates of a studentised value where the errors are skewed (Hall 1992): a rate
    near 1 is more often far below its mean than far above, and seems surest when it is
    too high.
    """
    if abs(skew) < 1e-6:
        return t
    skew = float(np.clip(skew, -MOST_SKEW, MOST_SKEW))
    return np.asarray(3 / skew * (1 - np.cbrt(1 - skew * (t + skew / 6))))


def invalid(
    reason: str, parts: Sequence[Part] = (), *, groups: tuple[str, ...] = ()
) -> Estimate:
    """An Estimate that says why there is none."""
    return Estimate(
        math.nan,
        math.nan,
        math.nan,
        n_prompts=sum(p.n_prompts for p in parts),
        n_clusters=sum(p.n_clusters for p in parts),
        groups=groups,
        method=f"invalid: {reason}",
        nothing=isinstance(reason, Nothing),
        parts=tuple(parts),
    )


def words(parts: Sequence[Part]) -> str:
    """How an interval was made and what it leans on."""
    few = [
        f"{p.group} ({p.n_clusters})"
        for p in parts
        if p.unit == "clusters" and p.exploratory
    ]
    single = [p.group for p in parts if p.unit == "templates" or _only(p)]
    if any(p.unit == "set" for p in parts):
        return "the set as it is: nothing is sampled"
    said = ["leave-one-out errors within groups"]
    if any(p.paired for p in parts):
        said.append("paired by template")
    if few:
        said.append(
            f"exploratory: fewer than {EXPLORATORY} effective clusters in "
            f"{some_of(few)}"
        )
    if single:
        unit = next(p.unit for p in parts if p.group in single)
        said.append(
            f"exploratory: one cluster in {some_of(single)}, the unit of evidence is "
            f"its {unit}"
        )
    return "; ".join(said)


def _only(part: Part) -> bool:
    return part.unit == "prompts" and part.exploratory


def some_of(names: Sequence[str]) -> str:
    """All of a few names; the first of many, and how many more there are."""
    if len(names) <= NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def known_scope(scope: str) -> Scope:
    """The scope of this name."""
    for known in SCOPES:
        if scope == known:
            return known
    raise UsageError(unknown("scope", scope, SCOPES))


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Two one-sided tests: parity is claimed only when the 90% interval lies inside the
    margins.
    """

    equivalent: bool
    low: float  # of the 90% interval
    high: float
    margins: tuple[float, float]
    p_value: float


def equivalence(estimate: Estimate, margin: float | tuple[float, float]) -> Equivalence:
    """Test a difference against (-margin, margin), or a difference or ratio against
    margins given as a pair.
    """
    lower, upper = (-margin, margin) if isinstance(margin, int | float) else margin
    low, high = estimate.interval(0.90)
    p = max(estimate.tails(lower)[0], estimate.tails(upper)[1])
    return Equivalence(p <= 0.05, low, high, (lower, upper), p)
