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
_TINY = 1e-40  # a variance that divides nothing by zero and is below any floor
_SLACK = 1 - 1e-6  # of bounds, against rounding
_CELLS = 2_000_000  # pairs of groups times replicates, at most, in one block


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Second minus first of every pair of groups: what Contrasts are, with replicates drawn when they are needed."""

    first: Codes  # (pairs,)
    second: Codes
    values: Array
    errors: Array
    df: Array
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
        n_groups = self.shifts.shape[1]
        blocks = np.array_split(np.arange(len(self.shifts)), -(-len(self.shifts) * n_groups**2 // _CELLS))
        return np.concatenate([self._largest(slice(rows[0], rows[-1] + 1)) for rows in blocks])

    def _largest(self, rows: slice) -> Array:
        x, drawn = self.shifts[rows], self.drawn[rows]
        own = x**2 / np.maximum(drawn, _TINY)
        extremes = np.stack([x.argmin(axis=1), x.argmax(axis=1)])
        each = np.arange(len(x))
        best = self._size(x, drawn, each, extremes.min(axis=0), extremes.max(axis=0))
        needed = t_of(best, self.df.max()) ** 2 * _SLACK  # of both squares together
        row, group = np.nonzero(own + own.max(axis=1, keepdims=True) >= needed[:, None])
        n = np.bincount(row, minlength=len(x))
        # every candidate beside every later one of its replicate
        later = np.cumsum(n)[row] - np.arange(len(row)) - 1
        one = np.repeat(np.arange(len(row)), later)
        other = one + 1 + np.arange(len(one)) - np.repeat(np.cumsum(later) - later, later)
        at, a, b = row[one], group[one], group[other]
        keep = (own[at, a] + own[at, b] >= needed[at]).nonzero()[0]
        at, a, b = at[keep], a[keep], b[keep]
        np.maximum.at(best, at, self._size(x, drawn, at, a, b))
        return best

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
        errors.shifts[:, :, 0] * slopes,
        errors.drawn[:, :, 0, 0] * slopes**2,
    )
