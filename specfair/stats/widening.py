"""Whether the gap between groups has widened, on the same prompts.

Both gaps are maxima of noisy differences, so their difference is biased whenever the noise has changed, and resampling
does not help. What holds: the gap has widened by more than w if some pair after is more than w above every pair before.
Knows how to test that for all pairs at once. Does not know bounds.
"""

from dataclasses import replace
from itertools import permutations

import numpy as np

from specfair.stats.contrasts import FLOOR, LEVELS, limits, normal_of, t_of
from specfair.stats.estimate import LEVEL, Estimate, from_draws, invalid
from specfair.stats.groups import Comparison, columns_of, counted, gather
from specfair.stats.single import align
from specfair.stats.tally import Array, Sample

_REPLICATES = 2_000  # of pairs after times pairs before: thousands of contrasts each


def widening(before: Sample, after: Sample, *, seed: int = 0) -> Estimate:
    """The gap after minus the gap before; groups are those furthest apart after, lowest first."""
    before, after = align(before, after)
    evidence = gather(before, columns_of(before, after), seed=seed)
    problem = evidence.problem or ("there is one group only" if len(before.groups) < 2 else "")
    if problem or evidence.between is None:
        return invalid(problem, counted(before), groups=before.groups)
    errors = evidence.between
    value = float(np.ptp(errors.values[:, 1]) - np.ptp(errors.values[:, 0]))
    lowest, highest = errors.values[:, 1].argmin(), errors.values[:, 1].argmax()
    draws, critical = _limits(errors)
    found = from_draws(value, draws, errors.parts, groups=(errors.names[lowest], errors.names[highest]))
    return replace(found, critical=critical)


def _limits(errors: Comparison) -> tuple[Array, float]:
    """Lower and upper limits of the widening at all levels, as draws, and the critical deviate."""
    signs = _ordered_pairs(len(errors.names))  # (pairs, groups); the second half is minus the first
    values, error, df = _contrasts(errors, signs)  # (after, before) each
    largest = _largest(errors, signs, error, df)  # (replicates, after, before / 2)
    # |after + before| is |-after - before|: the half that is missing
    flipped = np.concatenate([largest, np.roll(largest, len(signs) // 2, axis=1)], axis=2)
    # the worst case over which pair is truly the widest: before, for the lower limit; after, for the upper
    over_after = np.sort(flipped.max(axis=1), axis=0).max(axis=1)  # (replicates,)
    over_before = np.sort(flipped.max(axis=2), axis=0).max(axis=1)
    reach = [error * t_of(z, df) for z in np.quantile(over_after, LEVELS)]
    low = np.array([(values - r).min(axis=1).max() for r in reach])
    reach = [error * t_of(z, df) for z in np.quantile(over_before, LEVELS)]
    high = np.array([(values + r).max(axis=0).min() for r in reach])
    return limits(low, high), float(np.quantile(over_after, LEVEL))


def _ordered_pairs(n: int) -> Array:
    pairs = [p for p in permutations(range(n), 2) if p[0] < p[1]]
    matrix = np.zeros((len(pairs), n))
    for row, (a, b) in enumerate(pairs):
        matrix[row, [a, b]] = -1.0, 1.0
    return np.concatenate([matrix, -matrix])


def _contrasts(errors: Comparison, signs: Array) -> tuple[Array, Array, Array]:
    """Each pair's difference after less each pair's difference before: values, standard errors, degrees of freedom."""
    before, after = signs @ errors.values[:, 0], signs @ errors.values[:, 1]
    shares = _shares(errors.covariances[None], signs)[0]  # (after, before, groups)
    variance = shares.sum(axis=-1)
    df = variance**2 / np.maximum((shares**2 / errors.df).sum(axis=-1), 1e-300)
    return after[:, None] - before[None], np.sqrt(np.maximum(variance, 0)), np.clip(df, 1.0, 1e6)


def _shares(covariances: Array, signs: Array) -> Array:
    """What each group adds to the variance of (pair after - pair before): (replicates, after, before, groups)."""
    a, b = signs[:, None], signs[None]
    c = covariances[:, None, None]
    return a**2 * c[..., 1, 1] - 2 * a * b * c[..., 0, 1] + b**2 * c[..., 0, 0]


def _largest(errors: Comparison, signs: Array, error: Array, df: Array) -> Array:
    """|t| as a normal deviate, of every pair after with half of the pairs before; the rest follow by symmetry."""
    half = signs[: len(signs) // 2]
    shifts = errors.shifts[:_REPLICATES].astype(np.float32)
    after, before = shifts[..., 1] @ signs.T.astype(np.float32), shifts[..., 0] @ half.T.astype(np.float32)
    drawn = errors.drawn[:_REPLICATES].astype(np.float32)
    cross = (signs[:, None] * half[None]).reshape(-1, signs.shape[1]).astype(np.float32)
    variance = (drawn[..., 1, 1] @ (signs.T**2).astype(np.float32))[:, :, None]
    variance = variance + (drawn[..., 0, 0] @ (half.T**2).astype(np.float32))[:, None]
    variance -= 2 * (drawn[..., 0, 1] @ cross.T).reshape(variance.shape)
    floor = np.maximum(FLOOR * error[:, : len(half)] ** 2, 1e-30).astype(np.float32)
    t = (after[:, :, None] - before[:, None]) / np.sqrt(np.maximum(variance, floor))
    return normal_of(t, df[:, : len(half)].astype(np.float32))
