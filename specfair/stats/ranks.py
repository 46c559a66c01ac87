"""Rates worth ranking: each group's rate drawn towards the others as far as it is
noise, and the places it may have among them.

Knows empirical Bayes and intervals of ranks. Why shrink: of many noisy rates the
lowest is low partly by luck, and the next measurement will find it higher. Does not
know which end is bad.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from specfair.stats.between import compared
from specfair.stats.estimate import LEVEL, Estimate, t_at
from specfair.stats.groups import Evidence
from specfair.stats.tally import Array, Codes, Sample

_STEPS = 4096  # of a table by 1 / degrees of freedom
_BLOCK = 64  # groups compared with all others at once: what fits into a core's cache


@dataclass(frozen=True, slots=True)
class Ranked:
    """One group among the others; rank 1 is the lowest value."""

    group: str
    value: float  # as measured
    shrunken: float  # as the next measurement is expected to find it
    low: float  # 95% interval of the shrunken value
    high: float
    rank_low: int  # 95% interval of the true rank
    rank_high: int


def ranked(asked: Sample | Evidence) -> list[Ranked]:
    """All groups, the lowest shrunken value first; empty where nothing can be
    compared.
    """
    errors = compared(asked)
    if isinstance(errors, Estimate):
        return []
    x, v = errors.values[:, 0], errors.covariances[:, 0, 0]
    means, spreads = shrunken(x, v)
    reach = float(ndtri((1 + LEVEL) / 2)) * np.sqrt(spreads)
    lows, highs = ranks(x, v, errors.df)
    found = [
        Ranked(
            group=name,
            value=float(x[i]),
            shrunken=float(means[i]),
            low=float(means[i] - reach[i]),
            high=float(means[i] + reach[i]),
            rank_low=int(lows[i]),
            rank_high=int(highs[i]),
        )
        for i, name in enumerate(errors.names)
    ]
    return sorted(found, key=lambda r: r.shrunken)


def between_variance(x: Array, v: Array) -> float:
    """How much the true values differ: the variance at which their scatter is what it
    should be (Paule and Mandel 1982).
    """
    low, high = 0.0, float(np.ptp(x)) ** 2 + float(v.max())
    for _ in range(60):
        middle = (low + high) / 2
        w = 1 / np.maximum(v + middle, 1e-300)
        excess = (w * (x - (w @ x) / w.sum()) ** 2).sum() > len(x) - 1
        low, high = (middle, high) if excess else (low, middle)
    return low if low > 1e-12 * high else 0.0


def shrunken(x: Array, v: Array) -> tuple[Array, Array]:
    """Posterior means and variances of normal values with these error variances; what
    is not known of the common mean and spread is added (Morris 1983).
    """
    between, n = between_variance(x, v), len(x)
    w = 1 / np.maximum(v + between, 1e-300)
    mean = float(w @ x / w.sum())
    # how much of each deviation is noise; a little less, as its size is estimated
    drawn = np.minimum(v * w, 1.0) * max(n - 3, 0) / max(n - 1, 1)
    values = x - drawn * (x - mean)
    spread = v * (1 - drawn * (1 - w / w.sum()))
    if n > 3:
        spread = spread + 2 / (n - 3) * drawn**2 * (x - mean) ** 2
    return values, spread


def ranks(x: Array, v: Array, df: Array) -> tuple[Codes, Codes]:
    """The lowest and the highest rank that each group may have: others are before or
    behind it only where the difference is sure (Mogstad et al. 2024).

    In blocks of rows, with critical values from a table by 1 / df, rounded to fewer
    degrees of freedom: of thousands of groups there are millions of pairs.
    """
    n = len(x)
    sure = -ndtri((1 - LEVEL) / 2 / max(n - 1, 1))
    steps = np.arange(_STEPS + 1) / _STEPS
    table = t_at(np.array([sure]), 1 / np.maximum(steps, 1e-6))[0] ** 2
    spent = v**2 / df
    before, behind = np.zeros((2, n), dtype=np.int64)
    for start in range(0, n, _BLOCK):
        rows = slice(start, start + _BLOCK)
        variance = np.maximum(v[rows, None] + v, 1e-300)
        share = (spent[rows, None] + spent) / variance / variance
        at = np.ceil(np.clip(share, 0.0, 1.0) * _STEPS).astype(np.int64)
        apart = x[rows, None] - x
        clear = apart**2 > table[at] * variance
        before[rows] = (clear & (apart > 0)).sum(axis=1)
        behind[rows] = (clear & (apart < 0)).sum(axis=1)
    return 1 + before, n - behind
