"""All pairs of many groups: the largest |t| of every replicate without looking at every
pair in every replicate.

With 200 groups there are 19,900 pairs and 10,000 replicates of each. A pair's squared t
is at most the sum of both groups' own squared t (Cauchy and Schwarz: independent errors
add up), so a replicate in which one pair has reached 4 need not look at groups that
are, together with the most extreme one, below it: a handful of groups remain, and the
largest found is exactly the largest of all. Knows nothing of what the groups are.
"""

from dataclasses import dataclass

import numpy as np

from specfair.stats.contrasts import FLOOR, Contrasts, normal_of, t_of
from specfair.stats.groups import Comparison
from specfair.stats.tally import Array, Codes

FEW = 16  # groups, up to which every pair is looked at in every replicate
_TINY = 1e-30  # a variance that divides nothing by zero and is no more than any floor
_SLACK = 1 - 1e-4  # of bounds, against rounding in single precision
# share of replicates left from which on the others are no longer carried along
_WORTH = 0.7
# groups times replicates in one block: about what a core's cache holds
_CELLS = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class Singles:
    """Groups by themselves: what every pair's t is made of."""

    shifts: Array  # (replicates, groups)
    drawn: Array  # (replicates, groups)
    variances: Array  # (groups,)
    shares: Array  # (groups,): squared variances over degrees of freedom

    def of(self, replicates: Codes, groups: Codes) -> "Singles":
        """Some of them."""
        at = np.ix_(replicates, groups)
        return Singles(
            self.shifts[at], self.drawn[at], self.variances[groups], self.shares[groups]
        )

    def t(self, at: Codes | slice, a: Codes, b: Codes) -> Array:
        """Studentised differences b - a of these replicates."""
        variance = np.maximum(FLOOR * (self.variances[a] + self.variances[b]), 1e-30)
        return (self.shifts[at, b] - self.shifts[at, a]) / np.sqrt(
            np.maximum(self.drawn[at, a] + self.drawn[at, b], variance)
        )

    def df(self, a: Codes, b: Codes) -> Array:
        """Degrees of freedom of differences."""
        both = self.variances[a] + self.variances[b]
        return np.clip(
            both**2 / np.maximum(self.shares[a] + self.shares[b], 1e-300), 1.0, 1e6
        )

    def size(self, at: Codes, a: Codes, b: Codes) -> Array:
        """|t| as a normal deviate."""
        return normal_of(self.t(at, a, b), self.df(a, b))


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Second minus first of every pair of groups: what Contrasts are, with replicates
    drawn when they are needed.
    """

    first: Codes  # (pairs,)
    second: Codes
    values: Array
    errors: Array
    df: Array
    singles: Singles

    def only(self, at: Codes) -> Contrasts:
        """Some of the pairs, with their replicates."""
        t = self.singles.t(slice(None), self.first[at], self.second[at])
        return Contrasts(self.values[at], self.errors[at], self.df[at], t)

    def largest(self) -> Array:
        """The largest of all |t| in each replicate, as a normal deviate:
        (replicates,).
        """
        n, still = len(self.singles.shifts), self.singles.variances < _TINY
        # one without any error stands for all such
        groups = np.flatnonzero(~still | (np.cumsum(still) == 1))
        blocks = np.array_split(np.arange(n), -(-n * len(groups) // _CELLS))
        return np.concatenate(
            [
                _largest(self.singles.of(rows, groups), self.df.max(keepdims=True))
                for rows in blocks
            ]
        )


def _largest(groups: Singles, most_df: Array) -> Array:
    """Group by group, the most extreme one first, against all that are left: until no
    two of those can win.
    """
    floor = np.maximum(FLOOR * groups.variances, _TINY)
    own = groups.shifts / np.sqrt(np.maximum(groups.drawn, floor))
    ends = np.stack([own.argmin(axis=1), own.argmax(axis=1)])
    live = np.arange(len(own))  # replicates that some pair may still win
    best = groups.size(live, *ends)
    x, spread, floor = (
        v.astype(np.float32)
        for v in (groups.shifts, np.maximum(groups.drawn, _TINY), floor)
    )
    left = x**2 / spread  # the squared t of each group that is still in
    while True:
        each = np.arange(len(live))
        group = left.argmax(axis=1)
        most = left[each, group]
        left[each, group] = -1.0
        needed = (t_of(best[live], most_df) ** 2 * _SLACK).astype(np.float32)
        going = most + left.max(axis=1) > needed
        if not going.any():
            return best
        if going.mean() < _WORTH:
            live, group, needed = live[going], group[going], needed[going]
            x, spread, left, each = (
                x[going],
                spread[going],
                left[going],
                each[: len(live)],
            )
        apart = x - x[each, group][:, None]
        apart *= apart
        variance = spread + spread[each, group][:, None]
        np.maximum(variance, floor + floor[group][:, None], out=variance)
        variance *= needed[:, None]
        x[each, group] = np.nan  # out: nothing compares with it
        row, other = np.nonzero(apart > variance)
        np.maximum.at(best, live[row], groups.size(live[row], group[row], other))


def of_all(errors: Comparison, slopes: Array, values: Array) -> Pairs:
    """Every pair of groups; `slopes` of each group's scale with respect to its ratio,
    `values` on that scale.
    """
    first, second = np.triu_indices(len(values), 1)
    variance = slopes**2 * errors.covariances[:, 0, 0]
    drawn = errors.drawn[:, :, 0, 0] * slopes**2
    singles = Singles(
        errors.shifts[:, :, 0] * slopes, drawn, variance, variance**2 / errors.df
    )
    spread = np.sqrt(np.maximum(variance[first] + variance[second], 0.0))
    return Pairs(
        first,
        second,
        values[second] - values[first],
        spread,
        singles.df(first, second),
        singles,
    )
