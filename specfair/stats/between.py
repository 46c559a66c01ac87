"""Differences and ratios between groups, with limits that hold whichever groups are
truly furthest apart.

Why no decision rests on the raw gap: the greatest of many differences is biased. From
above: the pair that is truly widest is one pair, so the highest of all pairs' upper
limits is one for it. From below: the gap is at least a length unless all values fit
into it, tested for all groups at once. Does not know metrics or bounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import ndtr, ndtri

from specfair.errors import UsageError, unknown
from specfair.stats.chance import chance_gap, corrected_gap
from specfair.stats.errors import EXACT, Errors
from specfair.stats.estimate import (
    ABOVE,
    BELOW,
    LEVEL,
    Estimate,
    from_curve,
    from_t,
    invalid,
    t_at,
)
from specfair.stats.groups import Evidence, gather
from specfair.stats.inequalities import Lengths, p_values
from specfair.stats.tally import Array, Sample
from specfair.stats.units import counted_by_group

Method = Literal["between_groups", "to_overall"]
METHODS = ("between_groups", "to_overall")
_LENGTHS = 40  # of the gap, at which its lower limit is looked for


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Differences, second less first, and their errors."""

    names: Sequence[tuple[str, str]]
    values: Array
    errors: Array
    df: Array
    base: Errors

    def of(self, i: int) -> Estimate:
        """One pair by itself, its first group less its second."""
        parts = self.base.parts_of(self.names[i])
        found = from_t(
            -self.values[i],
            self.errors[i],
            self.df[i],
            parts=parts,
            groups=self.names[i],
        )
        return replace(found, scope=self.base.scope)

    def named(self, i: int) -> tuple[str, str]:
        """The pair's names, the lower value first."""
        first, second = self.names[i]
        return (first, second) if self.values[i] >= 0 else (second, first)

    def corrected(self, z: Array) -> Array:
        """By how much each |difference| may be off, at these deviates, whichever pair
        is looked at (Bonferroni): (deviates, pairs).
        """
        tail = np.maximum(ndtr(-np.abs(z)) / len(self.values), 1e-300)
        return np.asarray(t_at(-ndtri(tail), self.df) * self.errors)


def difference(
    asked: Sample | Evidence, *, method: Method = "between_groups"
) -> Estimate:
    """max - min over groups; `to_overall`: the largest distance of a group from the
    pooled value.
    """
    return _extreme(asked, method, logs=False)


def ratio(asked: Sample | Evidence, *, method: Method = "between_groups") -> Estimate:
    """min / max over groups; `to_overall`: the smallest of group / pooled and pooled /
    group.
    """
    return as_ratio(_extreme(asked, method, logs=True))


def as_ratio(gap: Estimate) -> Estimate:
    """The ratio whose logarithm the gap is of."""
    if gap.curve is None:
        return gap
    return replace(
        gap,
        value=_ratio(gap.value),
        low=_ratio(gap.high),
        high=_ratio(gap.low),
        null=None if gap.null is None else _ratio(gap.null),
        corrected=None if gap.corrected is None else _ratio(gap.corrected),
        curve=np.exp(-gap.curve[::-1]),
        logs=True,
        firm=None if gap.firm is None else as_ratio(gap.firm),
    )


def _ratio(gap: float) -> float:
    return float(np.exp(-gap))


def furthest_pair(asked: Sample | Evidence) -> Estimate:
    """The two groups most surely apart, (lowest, highest): the pair with the highest
    lower limit, whose interval allows for having looked at all pairs.
    """
    errors = compared(asked)
    if isinstance(errors, Estimate):
        return errors
    found = _furthest(pairs_of(errors))
    firm = errors.firm
    if found.exploratory and len(firm) > 1:
        found = replace(found, firm=_furthest(pairs_of(errors.of(firm))))
    return found


def _furthest(pairs: Pairs) -> Estimate:
    sizes, half = np.abs(pairs.values), len(BELOW)
    z = np.concatenate([BELOW, [0.0], ABOVE])
    reach = pairs.corrected(z)
    at = int(np.argmax(sizes - reach[half + 20]))
    curve = sizes[at] + np.sign(z) * reach[:, at]
    parts = pairs.base.parts_of(pairs.names[at])
    found = from_curve(sizes[at], curve, parts, groups=pairs.named(at))
    critical = float(-ndtri((1 - LEVEL) / 2 / len(sizes)))
    return replace(found, critical=critical, scope=pairs.base.scope)


def pairwise(asked: Sample | Evidence) -> list[Estimate]:
    """Every pair's first minus second group, each by itself: correct a family of these
    with `holm`.
    """
    errors = compared(asked)
    if isinstance(errors, Estimate):
        return [replace(errors, groups=pair) for pair in combinations(errors.groups, 2)]
    pairs = pairs_of(errors)
    return [pairs.of(i) for i in range(len(pairs.names))]


@dataclass(frozen=True, slots=True)
class Compared:
    """A pair by itself, and its p-value corrected for all pairs that were looked at."""

    pair: Estimate
    p_value: float


def furthest(asked: Sample | Evidence, n: int) -> list[Compared]:
    """The pairs among the n lowest and the n highest groups, each corrected for all
    pairs, named here or not (Bonferroni). Empty where nothing can be compared.
    """
    errors = compared(asked)
    if isinstance(errors, Estimate):
        return []
    order = np.argsort(errors.values[:, 0], kind="stable")
    named = {errors.names[i] for i in (*order[:n], *order[-n:])}
    pairs = pairs_of(errors)
    found = []
    for i, pair in enumerate(pairs.names):
        if named.issuperset(pair):
            one = pairs.of(i)
            p = min(one.p_value() * len(pairs.names), 1.0)
            found.append(Compared(one, p))
    return found


def compared(asked: Sample | Evidence, *, logs: bool = False) -> Errors | Estimate:
    """The groups' errors as they count between groups, on the scale of logarithms for
    ratios; or why there are none.
    """
    evidence = asked if isinstance(asked, Evidence) else gather(asked)
    errors, problem = evidence.between, evidence.problem
    if errors is not None and len(errors.names) < 2:
        problem = "there is one group only"
    if errors is not None and not problem and logs:
        problem = _not_positive(errors)
    if problem or errors is None:
        sample = evidence.sample
        return invalid(problem, counted_by_group(sample), groups=sample.groups)
    return errors.logs() if logs else errors


def _not_positive(errors: Errors) -> str:
    found = zip(errors.names, errors.values[:, 0], strict=True)
    return "; ".join(
        f"a ratio needs positive values and {g} has {max(v, 0.0):g}"
        for g, v in found
        if v <= 0
    )


def pairs_of(errors: Errors) -> Pairs:
    """Every pair of groups."""
    first, second = np.triu_indices(len(errors.names), 1)
    x, v = errors.values[:, 0], errors.covariances[:, 0, 0]
    variance = v[first] + v[second]
    shares = v**2 / errors.df
    df = variance**2 / np.maximum(shares[first] + shares[second], 1e-300)
    if errors.joint is not None:
        joint = errors.joint[:, 0, :, 0]
        own = np.diag(joint)
        variance = own[first] + own[second] - 2 * joint[first, second]
        df = np.minimum(df, np.minimum(errors.df[first], errors.df[second]))
    return Pairs(
        tuple(combinations(errors.names, 2)),
        x[second] - x[first],
        np.sqrt(np.maximum(variance, 0.0)),
        np.clip(df, 1.0, EXACT),
        errors,
    )


def _to_overall(errors: Errors, *, logs: bool) -> Pairs:
    """Every group less the pooled value, or the logarithm of their ratio."""
    x, weights = errors.values[:, 0], errors.weights[:, 0]
    overall = float(weights @ x)
    if logs:
        overall = float(np.log(weights @ np.exp(x)))
        weights = weights * np.exp(x - overall)
    slopes = np.eye(len(x)) - weights
    found = [errors.error(slope[:, None]) for slope in slopes]
    names = tuple(("overall", g) for g in errors.names)
    error, df = (np.array(column) for column in zip(*found, strict=True))
    return Pairs(names, x - overall, error, df, errors)


def _extreme(asked: Sample | Evidence, method: Method, *, logs: bool) -> Estimate:
    if method not in METHODS:
        raise UsageError(unknown("method", method, METHODS))
    errors = compared(asked, logs=logs)
    if isinstance(errors, Estimate):
        return errors
    if method == "to_overall":
        return _gap(_to_overall(errors, logs=logs), None)
    found = gap_of(errors)
    firm = errors.firm
    if 1 < len(firm) < len(errors.names):
        found = replace(found, firm=gap_of(errors.of(firm)))
    return found


def gap_of(errors: Errors) -> Estimate:
    """The gap between the highest and the lowest of these groups."""
    if errors.scope == "set":
        return _gap(pairs_of(errors), None)
    lower = None if errors.joint is not None else lower_curve(errors)
    gap = _gap(pairs_of(errors), lower)
    x, spread = errors.values[:, 0], np.sqrt(errors.covariances[:, 0, 0])
    null, corrected = chance_gap(spread, LEVEL), corrected_gap(x, spread)
    return replace(gap, null=null, corrected=corrected)


def _gap(pairs: Pairs, lower: Array | None) -> Estimate:
    sizes = np.abs(pairs.values)
    at = int(np.argmax(sizes))
    if lower is None:
        # limits of all pairs together, either way round: whatever errors have in common
        reach = pairs.corrected(ndtri(ndtr(BELOW) / 2))
        lower = np.maximum((sizes - reach).max(axis=1), 0.0)
    upper = (sizes + t_at(ABOVE, pairs.df) * pairs.errors).max(axis=1)
    curve = np.concatenate([lower, [sizes[at]], upper])
    found = from_curve(sizes[at], curve, pairs.base.parts, groups=pairs.named(at))
    return replace(found, low=max(found.low, 0.0), scope=pairs.base.scope)


def lower_curve(errors: Errors) -> Array:
    """The gap's lower limits at all deviates below zero."""
    x = errors.values[:, 0]
    grid = np.linspace(0.0, float(np.ptp(x)), _LENGTHS)
    nothing = np.zeros((len(grid), len(x)))
    v = errors.covariances[:, 0, 0]
    p = p_values(x, v, errors.df, Lengths(grid, nothing, nothing))
    return inverted(p, grid)


def inverted(p: Array, grid: Array) -> Array:
    """Lower limits at all deviates below zero, where p-values of "no more than this"
    are known on a rising grid. They rise as well but where the inequalities that hold
    change: there the nearest rising curve is taken.
    """
    z = isotonic_regression(ndtri(np.clip(p, 1e-15, 0.5))).x
    z = np.minimum(z, 0.0)
    found = np.interp(BELOW, z, grid)
    # where the grid begins amid two deviates the curve must cross its beginning there
    at = int(np.searchsorted(BELOW, z[0]))
    if 0 < at < len(BELOW) and BELOW[at] > z[0]:
        steep = (found[at] - grid[0]) / (BELOW[at] - z[0])
        found[:at] = grid[0] - steep * (z[0] - BELOW[at - 1])
    return found
