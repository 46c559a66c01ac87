"""An Estimate: a value, its interval and the confidence distribution both come from.

Knows how interval, p-value, Holm's correction and equivalence follow from that
distribution. Does not know how the distribution was made.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from specfair.stats.tally import Array

LEVEL = 0.95
NAMED = 12  # groups in a sentence, before "and more"
# below this many clusters an interval leans on assumptions more than on data
EXPLORATORY = 8


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
    # clusters
    unit: str = "clusters"
    # whether what its templates do in all groups was removed from the noise
    paired: bool = False


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with an interval. `draws` is never stored; without it p-values are
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
    # 95% quantile of the statistic under permuted labels, for gaps
    null: float | None = None
    corrected: float | None = None  # the gap less what chance alone adds to it
    parts: tuple[Part, ...] = ()
    critical: float = 1.96  # half-width in standard errors, were there many clusters
    logs: bool = False  # whether errors are of logarithms: a ratio
    # whether there was nothing to estimate, which is no fault of models or prompts
    nothing: bool = False
    draws: Array | None = field(default=None, compare=False, repr=False)

    @property
    def valid(self) -> bool:
        """Whether value and interval are numbers."""
        return all(map(math.isfinite, (self.value, self.low, self.high)))

    @property
    def exploratory(self) -> bool:
        """Whether some group has too few clusters for its interval to be more than a
        guide.
        """
        return any(p.n_clusters < EXPLORATORY for p in self.parts)

    def p_value(self, bound: float = 0.0) -> float:
        """Two-sided p-value of `truth == bound`; below 0.05 exactly when the 95%
        interval excludes the bound.
        """
        if self.draws is None or not self.valid:
            return math.nan
        below, above = (
            float(np.mean(self.draws <= bound)),
            float(np.mean(self.draws >= bound)),
        )
        return float(np.clip(2 * min(below, above), 1 / (len(self.draws) + 1), 1.0))

    def interval(self, level: float) -> tuple[float, float]:
        """The central interval at another level, from the same draws."""
        if self.draws is None or not self.valid:
            return math.nan, math.nan
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


def from_draws(
    value: float, draws: Array, parts: Sequence[Part], *, groups: tuple[str, ...]
) -> Estimate:
    """The Estimate whose interval is the central 95% of a confidence distribution."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(
        float(value),
        float(low),
        float(high),
        n_prompts=sum(p.n_prompts for p in parts),
        n_clusters=sum(p.n_clusters for p in parts),
        groups=groups,
        method=words(parts),
        parts=tuple(parts),
        draws=draws,
    )


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
        if p.unit == "clusters" and p.n_clusters < EXPLORATORY
    ]
    single = [p.group for p in parts if p.unit in ("templates", "prompts")]
    unit = next((p.unit for p in parts if p.group in single), "")
    return "; ".join(
        [
            "studentised cluster bootstrap within groups",
            *["paired by template"] * any(p.paired for p in parts),
            *[f"exploratory: fewer than {EXPLORATORY} clusters in {listed(few)}"]
            * bool(few),
            *[
                (
                    f"exploratory: one cluster in {listed(single)}, the unit of "
                    f"evidence is its {unit}"
                )
            ]
            * bool(single),
        ]
    )


def listed(names: Sequence[str]) -> str:
    """All of a few names; the first of many, and how many more there are."""
    more = f" and {len(names) - NAMED} more"
    return (
        ", ".join(names) if len(names) <= NAMED + 1 else ", ".join(names[:NAMED]) + more
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given. NaN stays NaN and still
    counts as a member.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted[order] = np.minimum(np.fmax.accumulate(steps), 1.0) if len(p) else steps
    return [
        float(a) if math.isfinite(b) else math.nan
        for a, b in zip(adjusted, p, strict=True)
    ]


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
    if estimate.draws is None or not estimate.valid:
        return Equivalence(False, low, high, (lower, upper), math.nan)
    outside = max(
        float(np.mean(estimate.draws <= lower)), float(np.mean(estimate.draws >= upper))
    )
    p = max(outside, 1 / (len(estimate.draws) + 1))
    return Equivalence(p <= 0.05, low, high, (lower, upper), p)
