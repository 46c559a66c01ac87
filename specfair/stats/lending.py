"""What groups with few clusters borrow from the others: two components of variance, and
how far they are to be trusted.

Whole clusters' scatter cannot be lent: a group of small clusters scatters more, one of
large clusters less. What can is how much identities differ, and how much prompts of one
identity do for each token; both together give the error of any cluster sizes. Knows
nothing of which group borrows.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

from specfair.stats.tally import Array, Flags, sums_by
from specfair.stats.units import Counts, Layout, Own, ratios_of

# others' variance weighs like at most so many degrees of freedom of one's own
BORROWED = 8.0
_TINY = 1e-300
_LITTLE = 1e-9  # of all counts: too little to tell a variance from


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Between identities, and per token between prompts of one: (ratios, ratios)."""

    between: Array
    within: Array

    def lent(self, layout: Layout, counts: Counts) -> Array:
        """The error that each group's own cluster sizes would have: (groups, ratios,
        ratios).
        """
        sizes = sums_by(layout.cell, counts.d)
        totals = sums_by(layout.group, counts.d)
        squares = np.sqrt(_outer(totals))
        roots = _outer(np.sqrt(totals)) / squares**2
        of_cells = sums_by(layout.of_cell, _outer(sizes).reshape(len(sizes), -1))
        found = self.between * of_cells.reshape(squares.shape) / squares**2
        return np.asarray(found + self.within * roots)


def _outer(columns: Array) -> Array:
    return np.asarray(columns[:, :, None] * columns[:, None, :])


def components_of(layout: Layout, counts: Counts) -> Components:
    """Both components, from groups that have several clusters of their own; with no
    variance between identities where those are given.

    Each cluster is held against the rest of its group, so that a large one does not
    hide in the mean it makes.
    """
    ratios, totals = ratios_of(layout, counts)
    left = counts.n - ratios[layout.group] * counts.d
    e, d = sums_by(layout.cell, left), sums_by(layout.cell, counts.d)
    rate = e / np.maximum(d, _TINY)
    inside = left - rate[layout.cell] * counts.d
    kept = counts.d * (1 - counts.d / np.maximum(d, _TINY)[layout.cell])
    scale = np.sqrt(np.maximum(kept.sum(axis=0), _TINY))
    within = inside.T @ inside / np.outer(scale, scale)
    if kept.sum() < _LITTLE * counts.d.sum():
        within[:] = 0.0  # one prompt a cluster: all that differs, differs between
    lends = np.isin(np.array(layout.kinds), ("clusters", "shared"))[layout.of_cell]
    if not lends.any():
        return Components(np.zeros_like(within), within)
    share = d / totals[layout.of_cell]
    lends &= ((share > 0) & (share < 1)).all(axis=1)
    all_squares = sums_by(layout.of_cell, share**2)[layout.of_cell]
    e, d, rate, share, rest, others = (
        x[lends]
        for x in (e, d, rate, share, totals[layout.of_cell], all_squares - share**2)
    )
    apart = rate / (1 - share)  # from the rest of the group
    noise = 1 / d + 1 / (rest - d)
    weight = np.sqrt(d * (1 - share))
    found = (weight * apart).T @ (weight * apart)
    found -= within * ((weight * np.sqrt(noise)).T @ (weight * np.sqrt(noise)))
    spread = np.sqrt((weight**2 * (1 + others / (1 - share) ** 2)).sum(axis=0))
    return Components(_positive(found / np.outer(spread, spread)), within)


def _positive(matrix: Array) -> Array:
    """The nearest covariance: none of its variances is negative."""
    roots, axes = np.linalg.eigh(matrix)
    return np.asarray(axes * np.maximum(roots, 0.0) @ axes.T)


def prior_df(own: Own, lent: Array, lends: Flags) -> float:
    """Degrees of freedom that lent variance is worth: few where the groups' variances
    differ more than chance explains (Smyth 2004).
    """
    mine, theirs = (np.trace(x, axis1=1, axis2=2) for x in (own.covariance, lent))
    some = lends & (own.df > 0) & (mine > 0) & (theirs > 0)
    if some.sum() < 2:
        return BORROWED
    df = np.maximum(own.df[some], 0.5)
    logs = np.log(mine[some] / theirs[some]) - digamma(df / 2) + np.log(df / 2)
    by_chance = polygamma(1, df / 2)
    weights = 1 / by_chance / (1 / by_chance).sum()
    centred = logs - weights @ logs
    excess = weights @ centred**2 * some.sum() / (some.sum() - 1) - weights @ by_chance
    if excess <= float(polygamma(1, BORROWED / 2)):
        return BORROWED
    if excess >= float(polygamma(1, 0.5)):
        return 1.0
    return 2 * float(brentq(lambda x: polygamma(1, x) - excess, 0.5, BORROWED / 2))
