"""Differences and ratios between groups, with intervals that hold for all pairs at
once.

Knows that the greatest of many differences is biased, so every decision rests on the
largest t over all contrasts (max-T) and never on the raw gap. Templates are taken as
given: where groups share them they are removed from the noise, not counted as evidence.
Does not know metrics or bounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from specfair.errors import UsageError, unknown
from specfair.stats.contrasts import (
    LEVELS,
    Contrasts,
    contrasts,
    extremes,
    limits,
    normal_of,
    t_of,
)
from specfair.stats.estimate import LEVEL, Estimate, from_draws, invalid
from specfair.stats.groups import Comparison, Evidence, counted, gather
from specfair.stats.pairs import FEW, Pairs, of_all
from specfair.stats.permute import corrected_gap, permuted_gaps
from specfair.stats.tally import Array, Codes, Sample

Method = Literal["between_groups", "to_overall"]
METHODS = ("between_groups", "to_overall")


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """All contrasts of one question: (lower, higher) names, and the groups they come
    from.
    """

    pairs: Sequence[tuple[str, str]]
    contrasts: Contrasts | Pairs
    errors: Comparison
    sample: Sample

    @property
    def widest(self) -> int:
        return int(np.argmax(np.abs(self.contrasts.values)))

    def estimates(self, at: Codes) -> list[Estimate]:
        """These pairs by themselves, the first group minus the second."""
        found = self.contrasts.only(at)
        values, draws = -found.values, -found.draws
        pairs = [self.pairs[i] for i in at.tolist()]
        return [
            from_draws(values[i], draws[:, i], self.errors.parts_of(p), groups=p)
            for i, p in enumerate(pairs)
        ]

    def named(self, at: int) -> tuple[str, str]:
        """The pair's names, the lower value first."""
        first, second = self.pairs[at]
        return (first, second) if self.contrasts.values[at] >= 0 else (second, first)


def difference(
    asked: Sample | Evidence, *, method: Method = "between_groups", seed: int = 0
) -> Estimate:
    """max - min over groups; `to_overall`: the largest distance of a group from the
    pooled value.
    """
    return _extreme(asked, method, seed=seed, logs=False)


def ratio(
    asked: Sample | Evidence, *, method: Method = "between_groups", seed: int = 0
) -> Estimate:
    """min / max over groups; `to_overall`: the smallest of group / pooled and pooled /
    group.
    """
    gap = _extreme(asked, method, seed=seed, logs=True)
    if gap.draws is None:
        return gap
    return replace(
        gap,
        value=_ratio(gap.value),
        low=_ratio(gap.high),
        high=_ratio(gap.low),
        null=None if gap.null is None else _ratio(gap.null),
        corrected=None if gap.corrected is None else _ratio(gap.corrected),
        draws=np.exp(-gap.draws),
        logs=True,
    )


def worst_pair(asked: Sample | Evidence, *, seed: int = 0) -> Estimate:
    """The two groups furthest apart, (lowest, highest), with an interval that allows
    for having looked at all pairs.
    """
    family = family_of(asked, seed=seed)
    if isinstance(family, Estimate):
        return family
    at, c = family.widest, family.contrasts
    largest = np.quantile(c.largest(), LEVELS)
    size, reach = abs(c.values[at]), c.errors[at] * t_of(largest, c.df[at])
    found = from_draws(
        size,
        limits(size - reach, size + reach),
        family.errors.parts_of(family.pairs[at]),
        groups=family.named(at),
    )
    return replace(found, critical=float(np.interp(LEVEL, LEVELS, largest)))


def pairwise(asked: Sample | Evidence, *, seed: int = 0) -> list[Estimate]:
    """Every pair's first minus second group, each by itself: correct a family of these
    with `holm`.
    """
    family = family_of(asked, seed=seed)
    if isinstance(family, Estimate):
        return [replace(family, groups=pair) for pair in combinations(family.groups, 2)]
    return family.estimates(np.arange(len(family.pairs)))


@dataclass(frozen=True, slots=True)
class Compared:
    """A pair by itself, and its p-value corrected for all pairs that were looked at."""

    pair: Estimate
    p_value: float


def furthest(asked: Sample | Evidence, n: int, *, seed: int = 0) -> list[Compared]:
    """The pairs among the n lowest and the n highest groups, each corrected for all
    pairs, named here or not.

    By the largest |t| of all pairs: Holm's factor for thousands of them would leave
    nothing that 10,000 replicates can show. Empty where nothing can be compared.
    """
    family = family_of(asked, seed=seed)
    if isinstance(family, Estimate):
        return []
    order = np.argsort(family.errors.values[:, 0], kind="stable")
    named = {family.errors.names[i] for i in (*order[:n], *order[-n:])}
    at = np.array([i for i, pair in enumerate(family.pairs) if named.issuperset(pair)])
    c = family.contrasts.only(at)
    largest = np.sort(family.contrasts.largest())
    reached = normal_of(np.abs(c.values) / np.maximum(c.errors, 1e-15), c.df)
    # replicates at least as extreme
    beyond = len(largest) - np.searchsorted(largest, reached)
    p_values = np.maximum(beyond, 1) / len(largest)
    return [
        Compared(e, float(p))
        for e, p in zip(family.estimates(at), p_values, strict=True)
    ]


def _extreme(
    asked: Sample | Evidence, method: Method, *, seed: int, logs: bool
) -> Estimate:
    family = family_of(asked, method, seed=seed, logs=logs)
    if isinstance(family, Estimate):
        return family
    at, c = family.widest, family.contrasts
    largest = np.quantile(c.largest(), LEVELS)
    size = np.abs(c.values)
    # the lower limits of all pairs together bound the true gap from below, the upper
    # ones from above
    low, high = extremes(size, c.errors, c.df, largest)
    draws = limits(np.maximum(low, 0.0), high)
    gap = from_draws(size[at], draws, family.errors.parts, groups=family.named(at))
    gap = replace(gap, critical=float(np.interp(LEVEL, LEVELS, largest)))
    if logs:
        squares = dict(
            zip(family.errors.names, family.errors.values[:, 0] ** 2, strict=True)
        )
        gap = replace(
            gap,
            parts=tuple(
                replace(p, variance=p.variance / squares[p.group]) for p in gap.parts
            ),
        )
    if method == "to_overall":
        return gap
    null = float(np.quantile(permuted_gaps(family.sample, logs=logs, seed=seed), 0.95))
    return replace(gap, null=null, corrected=corrected_gap(family.errors, logs=logs))


def _ratio(gap: float) -> float:
    return float(np.exp(-gap))


def family_of(
    asked: Sample | Evidence,
    method: str = "between_groups",
    *,
    seed: int = 0,
    logs: bool = False,
) -> Family | Estimate:
    """All contrasts of a sample's groups, on the scale of logarithms for ratios; or why
    there are none.
    """
    if method not in METHODS:
        raise UsageError(unknown("method", method, METHODS))
    evidence = asked if isinstance(asked, Evidence) else gather(asked, seed=seed)
    sample, errors = evidence.sample, evidence.between
    problem = evidence.problem or (
        "there is one group only" if len(sample.groups) < 2 else ""
    )
    if not problem and errors is not None and logs:
        problem = _not_positive(errors)
    if problem or errors is None:
        return invalid(problem, counted(sample), groups=sample.groups)
    pairs, found = _contrasts(errors, method, logs=logs)
    return Family(pairs, found, errors, sample)


def _contrasts(
    errors: Comparison, method: str, *, logs: bool
) -> tuple[Sequence[tuple[str, str]], Contrasts | Pairs]:
    values, weights = errors.values[:, 0], errors.weights[:, 0]
    if method == "to_overall":
        pairs = tuple(("overall", g) for g in errors.names)
        if not logs:
            matrix = np.eye(len(values)) - weights
            return pairs, contrasts(matrix[..., None], matrix @ values, errors)
        overall = float(values @ weights)
        slopes = np.diag(1 / values) - weights / overall  # of log(value / overall)
        return pairs, contrasts(slopes[..., None], np.log(values / overall), errors)
    pairs = tuple(combinations(errors.names, 2))
    if len(values) > FEW:
        return pairs, of_all(
            errors,
            1 / values if logs else np.ones_like(values),
            np.log(values) if logs else values,
        )
    matrix = _between(len(values))
    if not logs:
        return pairs, contrasts(matrix[..., None], matrix @ values, errors)
    return pairs, contrasts(
        (matrix / values)[..., None], matrix @ np.log(values), errors
    )


def _not_positive(errors: Comparison) -> str:
    found = zip(errors.names, errors.values[:, 0], strict=True)
    return "; ".join(
        f"a ratio needs positive values and {g} has {max(v, 0.0):g}"
        for g, v in found
        if v <= 0
    )


def _between(n: int) -> Array:
    index = list(combinations(range(n), 2))
    matrix = np.zeros((len(index), n))
    for row, (a, b) in enumerate(index):
        matrix[row, [a, b]] = -1.0, 1.0
    return matrix
