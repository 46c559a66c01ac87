"""Whether the gap between groups has widened, on the same prompts.

Both gaps are maxima of noisy differences, so their difference is biased whenever the
noise has changed, and resampling does not help. What holds: the gap has widened by more
than w if some pair after is more than w above every pair before. Knows how to test that
for all pairs at once. Does not know bounds.

Many groups have too many pairs of pairs: 200 have 790 million. There the limits of the
two gaps are taken apart, each at half the error, so that both hold together at least as
often as they should (Bonferroni). What before and after have in common is not used, and
the interval is wider for it: it errs on the side of silence.
"""

from dataclasses import replace
from itertools import permutations

import numpy as np

from specfair.stats.contrasts import FLOOR, LEVELS, extremes, limits, normal_of, t_of
from specfair.stats.estimate import LEVEL, Estimate, from_draws, invalid
from specfair.stats.groups import Comparison, columns_of, counted, gather
from specfair.stats.pairs import FEW, of_all
from specfair.stats.single import align
from specfair.stats.tally import Array, Sample

_CELLS = 4_000_000  # pairs of pairs times replicates, at most, looked at together
_REPLICATES = 2_000  # of pairs after times pairs before: thousands of contrasts each


def widening(before: Sample, after: Sample, *, seed: int = 0) -> Estimate:
    """The gap after minus the gap before; groups are those furthest apart after, lowest
    first.
    """
    before, after = align(before, after)
    evidence = gather(before, columns_of(before, after), seed=seed)
    problem = evidence.problem or (
        "there is one group only" if len(before.groups) < 2 else ""
    )
    if problem or evidence.between is None:
        return invalid(problem, counted(before), groups=before.groups)
    errors = evidence.between
    value = float(np.ptp(errors.values[:, 1]) - np.ptp(errors.values[:, 0]))
    lowest, highest = errors.values[:, 1].argmin(), errors.values[:, 1].argmax()
    draws, critical = (_limits if len(errors.names) <= FEW else wider_limits)(errors)
    found = from_draws(
        value, draws, errors.parts, groups=(errors.names[lowest], errors.names[highest])
    )
    return replace(found, critical=critical)


def _limits(errors: Comparison) -> tuple[Array, float]:
    """Lower and upper limits of the widening at all levels, as draws, and the critical
    deviate.
    """
    # (pairs, groups); the second half is minus the first
    signs = _ordered_pairs(len(errors.names))
    values, error, df = _contrasts(errors, signs)  # (after, before) each
    over_after, over_before = [], []
    for rows in np.array_split(
        np.arange(_REPLICATES), -(-_REPLICATES * len(signs) ** 2 // _CELLS)
    ):
        # (rows, after, before / 2)
        largest = _largest(errors, signs, (error, df), slice(rows[0], rows[-1] + 1))
        # |after + before| is |-after - before|: the half that is missing
        flipped = np.concatenate(
            [largest, np.roll(largest, len(signs) // 2, axis=1)], axis=2
        )
        over_after.append(flipped.max(axis=1))
        over_before.append(flipped.max(axis=2))
    # the worst case over which pair is truly the widest: before, for the lower limit;
    # after, for the upper
    worst_after, worst_before = (
        np.sort(np.concatenate(x), axis=0).max(axis=1)
        for x in (over_after, over_before)
    )
    reach = [error * t_of(z, df) for z in np.quantile(worst_after, LEVELS)]
    low = np.array([(values - r).min(axis=1).max() for r in reach])
    reach = [error * t_of(z, df) for z in np.quantile(worst_before, LEVELS)]
    high = np.array([(values + r).max(axis=0).min() for r in reach])
    return limits(low, high), float(np.quantile(worst_after, LEVEL))


def wider_limits(errors: Comparison) -> tuple[Array, float]:
    """The same for many groups: the lower limit of one gap less the upper one of the
    other.
    """
    gaps = []
    for stage in (0, 1):
        own = errors.stage(stage)
        pairs = of_all(own, np.ones(len(own.names)), own.values[:, 0])
        largest = np.quantile(pairs.largest(), (1 + LEVELS) / 2)
        low, high = extremes(np.abs(pairs.values), pairs.errors, pairs.df, largest)
        gaps.append((np.maximum(low, 0.0), high, largest))
    before, after = gaps
    return limits(after[0] - before[1], after[1] - before[0]), float(
        np.interp(LEVEL, LEVELS, after[2])
    )


def _ordered_pairs(n: int) -> Array:
    pairs = [p for p in permutations(range(n), 2) if p[0] < p[1]]
    matrix = np.zeros((len(pairs), n))
    for row, (a, b) in enumerate(pairs):
        matrix[row, [a, b]] = -1.0, 1.0
    return np.concatenate([matrix, -matrix])


def _contrasts(errors: Comparison, signs: Array) -> tuple[Array, Array, Array]:
    """Each pair's difference after less each pair's difference before: values, standard
    errors, degrees of freedom.
    """
    before, after = signs @ errors.values[:, 0], signs @ errors.values[:, 1]
    shares = _shares(errors.covariances[None], signs)[0]  # (after, before, groups)
    variance = shares.sum(axis=-1)
    df = variance**2 / np.maximum((shares**2 / errors.df).sum(axis=-1), 1e-300)
    return (
        after[:, None] - before[None],
        np.sqrt(np.maximum(variance, 0)),
        np.clip(df, 1.0, 1e6),
    )


def _shares(covariances: Array, signs: Array) -> Array:
    """What each group adds to the variance of (pair after - pair before): (replicates,
    after, before, groups).
    """
    a, b = signs[:, None], signs[None]
    c = covariances[:, None, None]
    return a**2 * c[..., 1, 1] - 2 * a * b * c[..., 0, 1] + b**2 * c[..., 0, 0]


def _largest(
    errors: Comparison, signs: Array, known: tuple[Array, Array], rows: slice
) -> Array:
    """|t| as a normal deviate, of every pair after with half of the pairs before;
    the rest follow by symmetry.
    """
    (error, df), half = known, signs[: len(signs) // 2]
    shifts = errors.shifts[rows].astype(np.float32)
    after, before = (
        shifts[..., 1] @ signs.T.astype(np.float32),
        shifts[..., 0] @ half.T.astype(np.float32),
    )
    drawn = errors.drawn[rows].astype(np.float32)
    cross = (signs[:, None] * half[None]).reshape(-1, signs.shape[1]).astype(np.float32)
    variance = (drawn[..., 1, 1] @ (signs.T**2).astype(np.float32))[:, :, None]
    variance = variance + (drawn[..., 0, 0] @ (half.T**2).astype(np.float32))[:, None]
    variance -= 2 * (drawn[..., 0, 1] @ cross.T).reshape(variance.shape)
    floor = np.maximum(FLOOR * error[:, : len(half)] ** 2, 1e-30).astype(np.float32)
    t = (after[:, :, None] - before[:, None]) / np.sqrt(np.maximum(variance, floor))
    return normal_of(t, df[:, : len(half)].astype(np.float32))
