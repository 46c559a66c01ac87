"""What the prompts at hand can show, and how many more would decide.

Knows that evidence grows with clusters, not with tokens. Does not know gates: a bound
here is a number.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtri, ncfdtrinc, ndtri, stdtrit

from specfair.stats.between import compared, pairs_of
from specfair.stats.errors import Errors
from specfair.stats.estimate import LEVEL, Estimate, Part
from specfair.stats.groups import Evidence
from specfair.stats.tally import Sample

POWER = 0.8
# of the odds of missing, held back because the scatter itself is estimated
_SPARE = 0.25
_TAIL = (1 - LEVEL) / 2


@dataclass(frozen=True, slots=True)
class Needed:
    """How much more evidence a group would have to bring."""

    n_prompts: int
    n_clusters: int


def detectable(
    asked: Sample | Evidence, *, power: float = POWER
) -> dict[tuple[str, str], float]:
    """For each pair of groups, the smallest true difference that the gap's test finds
    with this probability, all other groups half way between the two.

    The largest of them is the gap found whichever two groups differ. Empty for a sample
    that cannot be compared.
    """
    errors = compared(asked)
    if isinstance(errors, Estimate):
        return {}
    pairs, wanted = pairs_of(errors), power + _SPARE * (1 - power)
    if errors.joint is not None:
        corrected = pairs.corrected(np.array([ndtri(_TAIL)]))[0]
        sizes = corrected + pairs.errors * stdtrit(pairs.df, wanted)
    else:
        sizes = _of_all(errors, wanted)
    return {pair: float(size) for pair, size in zip(pairs.names, sizes, strict=True)}


def _of_all(errors: Errors, wanted: float) -> np.ndarray:
    """By the test that all groups are alike, which is what a gap above nothing has to
    overcome: its power depends on the squares of all deviations.
    """
    weights = 1 / np.maximum(errors.covariances[:, 0, 0], 1e-30)
    rank, whole = len(weights) - 1, weights.sum()
    spent = float(((1 - weights / whole) ** 2 / errors.df).sum())
    scale = rank + 2 * spent - 6 * spent / (rank + 2)
    df = rank * (rank + 2) / (3 * spent)
    far = ncfdtrinc(rank, df, 1 - wanted, float(fdtri(rank, df, 1 - _TAIL)))
    first, second = np.triu_indices(len(weights), 1)
    both = weights[first] + weights[second]
    slant = (weights[first] - weights[second]) ** 2 / whole
    return np.asarray(2 * np.sqrt(far * scale / rank / (both - slant)))


def prompts_needed(estimate: Estimate, bound: float) -> dict[str, Needed]:
    """How many more prompts, of which groups and in how many new clusters, would put
    the bound outside the interval.

    If the truth is where the estimate is (the corrected one of a gap), in 8 of 10
    cases. Empty where nothing is needed, and where no number would do: the value is the
    bound, or was not measured.
    """
    value = estimate.value if estimate.corrected is None else estimate.corrected
    distance = abs(value - bound)
    if estimate.logs and bound > 0:
        distance = abs(math.log(max(value, 1e-9) / bound))
    if not estimate.valid or not distance > 0:
        return {}
    wanted = POWER + _SPARE * (1 - POWER)
    error = distance / (_critical(estimate, bound, wanted) + float(ndtri(wanted)))
    if len(estimate.groups) > 2:  # pooled: everyone's share alike
        half = (estimate.high - estimate.low) / (2 * estimate.critical)
        return _more(dict.fromkeys(estimate.parts, (half / error) ** 2))
    allowed = error**2 / max(1, min(len(estimate.groups), 2))
    return _more({p: p.variance / allowed for p in estimate.parts})


def _critical(estimate: Estimate, bound: float, wanted: float) -> float:
    """Standard errors that a finding takes: more where a gap above nothing has to
    overcome all groups together.
    """
    nothing = 1.0 if estimate.logs else 0.0
    if estimate.null is None or bound != nothing:
        return estimate.critical
    rank = max(len(estimate.parts) - 1, 1)
    df = max(sum(p.n_clusters - 1 for p in estimate.parts), 2)
    far = float(ncfdtrinc(rank, df, 1 - wanted, float(fdtri(rank, df, 1 - _TAIL))))
    return math.sqrt(far) - float(ndtri(wanted))


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
