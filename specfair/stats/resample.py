"""Cluster bootstrap of ratios of sums, studentised, within one group.

Knows how the sampling error of a group's ratios (one, or before and after together) is
drawn from its units of evidence. Does not know what a unit stands for, nor what groups
are compared for.
"""

from dataclasses import dataclass

import numpy as np

from specfair.stats.estimate import EXPLORATORY
from specfair.stats.lots import Lots
from specfair.stats.tally import Array

# from so many units on, Student's t and the studentised bootstrap agree; t is drawn
# directly, being faster
MANY = 60


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Ratios with their sampling error, and what each replicate would have reported of
    both.
    """

    values: Array  # (ratios,)
    covariance: Array  # (ratios, ratios)
    df: float
    shifts: Array  # (replicates, ratios), around zero
    covariances: Array  # (replicates, ratios, ratios)


def draw(sums: Array, lots: Lots) -> Drawn:
    """Sampling error from units' sums (units, 2 * ratios): by bootstrap, or Student's t
    where units are few or many.
    """
    k = len(sums)
    values, covariance = ratios_of(sums)
    if k < EXPLORATORY or k >= MANY:
        return student(values, covariance, max(k - 1, 1), lots)
    return Drawn(values, covariance, k - 1, *_bootstrap(sums, values, lots))


def student(values: Array, covariance: Array, df: float, lots: Lots) -> Drawn:
    """Sampling error of normal means whose covariance was estimated with `df` degrees
    of freedom.
    """
    roots, axes = np.linalg.eigh(covariance)
    factor = axes * np.sqrt(np.maximum(roots, 0.0))
    shifts = lots.normals(len(values)) @ factor.T
    scale = lots.chisquares(df) / df
    return Drawn(values, covariance, df, shifts, scale[:, None, None] * covariance)


def ratios_of(sums: Array) -> tuple[Array, Array]:
    """The ratios of the units' totals and their covariance, from the scatter of the
    units.
    """
    k = len(sums)
    n, d = sums[:, 0::2], sums[:, 1::2]
    total = d.sum(axis=0)
    values = n.sum(axis=0) / total
    scores = (n - values * d) / total  # (units, ratios), adding up to zero
    return values, scores.T @ scores * (k / max(k - 1, 1))


def _bootstrap(sums: Array, values: Array, lots: Lots) -> tuple[Array, Array]:
    """Units drawn with replacement: how far the ratios move, and the covariance seen
    from each replicate.
    """
    k, p = sums.shape
    weights = lots.counts(k)
    totals = weights @ sums
    # a draw of units in which nothing was counted has no ratio to show
    bare = np.any(totals[:, 1::2] <= 0, axis=1)
    if bare.any():
        weights = np.where(np.expand_dims(bare, 1), 1.0, weights)
        totals = weights @ sums
    again, d = totals[:, 0::2] / totals[:, 1::2], totals[:, 1::2]
    products = (sums[:, :, None] * sums[:, None, :]).reshape(k, p * p)
    # (replicates, ratio, n or d, ratio, n or d)
    s = (weights @ products).reshape(-1, p // 2, 2, p // 2, 2)
    first, second = again[:, :, None], again[:, None, :]
    # sum of (n - ratio * d) * (n' - ratio' * d') over units, multiplied out
    scatter = (
        s[:, :, 0, :, 0]
        - second * s[:, :, 0, :, 1]
        - first * s[:, :, 1, :, 0]
        + first * second * s[:, :, 1, :, 1]
    )
    return again - values, scatter / (d[:, :, None] * d[:, None, :]) * (k / (k - 1))
