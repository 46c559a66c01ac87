"""All pairs of many groups: the largest |t| of every replicate without looking at every pair in every replicate.

With 200 groups there are 19,900 pairs and 10,000 replicates of each. A pair's squared t is at most the sum of both
groups' own squared t (Cauchy and Schwarz: independent errors add up), so a replicate in which one pair has reached 4
need not look at groups that are, together with the most extreme one, below it: a handful of groups remain, and the
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
_WORTH = 0.7  # share of replicates left from which on the others are no longer carried along
_CELLS = 200_000  # groups times replicates in one block: about what a core's cache holds


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Second minus first of every pair of groups: what Contrasts are, with replicates drawn when they are needed."""

    first: Codes  # (pairs,)
    second: Codes
    values: Array
    errors: Array
    df: Array
    variances: Array  # (groups,)
    shifts: Array  # (replicates, groups)
    drawn: Array  # (replicates, groups)

    def only(self, at: Codes) -> Contrasts:
        """Some of the pairs, with their replicates."""
        t = self.shifts[:, self.second[at]] - self.shifts[:, self.first[at]]
        drawn = self.drawn[:, self.second[at]] + self.drawn[:, self.first[at]]
        t /= np.sqrt(np.maximum(drawn, np.maximum(FLOOR * self.errors[at] ** 2, 1e-30)))
        return Contrasts(self.values[at], self.errors[at], self.df[at], t)

    def largest(self) -> Array:
        """The largest of all |t| in each replicate, as a normal deviate: (replicates,)."""
        n = len(self.shifts)
        blocks = np.array_split(np.arange(n), -(-n * self.shifts.shape[1] // _CELLS))
        return np.concatenate([self._largest(self.shifts[rows], self.drawn[rows]) for rows in blocks])

    def _largest(self, x: Array, drawn: Array) -> Array:
        """Group by group, the most extreme one first, against all that are left: until no two of those can win."""
        extremes = np.stack([x.argmin(axis=1), x.argmax(axis=1)])
        live = np.arange(len(x))  # replicates that some pair may still win
        best = self._size(x, drawn, live, extremes.min(axis=0), extremes.max(axis=0))
        rough, spread = x.astype(np.float32), np.maximum(drawn, _TINY).astype(np.float32)
        floor = (FLOOR * self.variances).astype(np.float32)
        left = rough**2 / spread  # the squared t of each group that is still in
        while True:
            each = np.arange(len(live))
            group = left.argmax(axis=1)
            most = left[each, group]
            left[each, group] = -1.0
            needed = (t_of(best[live], self.df.max()) ** 2 * _SLACK).astype(np.float32)
            going = most + left.max(axis=1) > needed
            if not going.any():
                return best
            if going.mean() < _WORTH:
                live, group, needed = live[going], group[going], needed[going]
                rough, spread, left, each = rough[going], spread[going], left[going], each[: len(live)]
            apart = rough - rough[each, group][:, None]
            apart *= apart
            variance = spread + spread[each, group][:, None]
            np.maximum(variance, floor + floor[group][:, None], out=variance)
            variance *= needed[:, None]
            rough[each, group] = np.nan  # out: nothing compares with it
            row, other = np.nonzero(apart > variance)
            at, one = live[row], group[row]
            np.maximum.at(best, at, self._size(x, drawn, at, np.minimum(one, other), np.maximum(one, other)))

    def _size(self, x: Array, drawn: Array, at: Codes, a: Codes, b: Codes) -> Array:
        """|t| as a normal deviate of these replicates of these pairs, a before b."""
        n = x.shape[1]
        pair = np.where(a == b, 0, a * n - a * (a + 1) // 2 + b - a - 1)  # as `of_all` numbers them
        variance = np.maximum(drawn[at, a] + drawn[at, b], np.maximum(FLOOR * self.errors[pair] ** 2, 1e-30))
        return normal_of((x[at, b] - x[at, a]) / np.sqrt(variance), self.df[pair])


def of_all(errors: Comparison, slopes: Array, values: Array) -> Pairs:
    """Every pair of groups; `slopes` of each group's scale with respect to its ratio, `values` on that scale."""
    first, second = np.triu_indices(len(values), 1)
    variance = slopes**2 * errors.covariances[:, 0, 0]
    both = variance[first] + variance[second]
    shares = variance**2 / errors.df
    df = np.clip(both**2 / np.maximum(shares[first] + shares[second], 1e-300), 1.0, 1e6)
    return Pairs(
        first,
        second,
        values[second] - values[first],
        np.sqrt(np.maximum(both, 0.0)),
        df,
        variance,
        errors.shifts[:, :, 0] * slopes,
        errors.drawn[:, :, 0, 0] * slopes**2,
    )
