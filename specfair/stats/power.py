"""What the prompts at hand can show, and how many more would decide.

Knows that evidence grows with clusters, not with tokens. Does not know gates: a bound
here is a number.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from specfair.stats.between import family_of
from specfair.stats.contrasts import t_of
from specfair.stats.estimate import LEVEL, Estimate, Part
from specfair.stats.groups import Evidence
from specfair.stats.tally import Sample

POWER = 0.8
# of the odds of missing, held back because the scatter itself is estimated
_SPARE = 0.25


@dataclass(frozen=True, slots=True)
class Needed:
    """How much more evidence a group would have to bring."""

    n_prompts: int
    n_clusters: int


def detectable(
    asked: Sample | Evidence, *, power: float = POWER, seed: int = 0
) -> dict[tuple[str, str], float]:
    """For each pair of groups, the smallest true difference that the gap's test finds
    with this probability.

    The largest of them is the gap found whichever two groups differ. NaN for a sample
    that cannot be compared.
    """
    family = family_of(asked, seed=seed)
    if isinstance(family, Estimate):
        return {}
    c = family.contrasts
    critical = t_of(float(np.quantile(c.largest(), LEVEL)), c.df)
    sizes = c.errors * (critical + stdtrit(c.df, power + _SPARE * (1 - power)))
    return {pair: float(size) for pair, size in zip(family.pairs, sizes, strict=True)}


def prompts_needed(estimate: Estimate, bound: float) -> dict[str, Needed]:
    """How many more prompts, of which groups and in how many new clusters, would put
    the bound outside the interval.

    If the truth is where the estimate is (the corrected one of a gap), in 8 of 10
    cases. Empty where nothing is needed, and where no number would do: the value is the
    bound, or was not measured.
    """
    value = estimate.value if estimate.corrected is None else estimate.corrected
    distance = (
        abs(math.log(max(value, 1e-9) / bound))
        if estimate.logs and bound > 0
        else abs(value - bound)
    )
    if not estimate.valid or not distance > 0:
        return {}
    error = distance / (estimate.critical + float(ndtri(POWER + _SPARE * (1 - POWER))))
    if len(estimate.groups) > 2:  # pooled: everyone's share alike
        half = (estimate.high - estimate.low) / (2 * estimate.critical)
        return _more(dict.fromkeys(estimate.parts, (half / error) ** 2))
    allowed = error**2 / max(1, min(len(estimate.groups), 2))
    return _more({p: p.variance / allowed for p in estimate.parts})


def _more(factors: dict[Part, float]) -> dict[str, Needed]:
    """Variance shrinks with the number of clusters: `factor` times as many are
    needed.
    """
    found = {}
    for part, factor in factors.items():
        if factor > 1 and math.isfinite(factor) and part.n_prompts:
            clusters = math.ceil(part.n_clusters * (factor - 1))
            found[part.group] = Needed(
                math.ceil(part.n_prompts * (factor - 1)), max(clusters, 1)
            )
    return found
