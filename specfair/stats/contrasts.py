"""Linear contrasts of groups: their values, their joint sampling error and the law of
the largest of them.

Knows how independent errors of groups add up, one by one or for all contrasts at once.
Does not know what a contrast means.
"""

from dataclasses import dataclass

import numpy as np

from specfair.stats.groups import Comparison
from specfair.stats.lots import REPLICATES
from specfair.stats.tally import Array, Codes

# dense where it is decided
LEVELS = np.concatenate([np.linspace(0, 0.99, 100), 1 - np.geomspace(0.009, 5e-5, 60)])
# replicates are worked through in so many blocks, each small enough for a core's cache
BLOCKS = 10
KNOTS = 17  # deviates at which all contrasts are looked at
# a replicate's variance is never below this share of the sample's: no division by
# almost nothing
FLOOR = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """Values, standard errors and studentised replicates of contrasts."""

    values: Array  # (contrasts,)
    errors: Array
    df: Array
    t: Array  # (replicates, contrasts)

    @property
    def draws(self) -> Array:
        """Each contrast's own confidence distribution: (replicates, contrasts)."""
        return self.values - self.errors * self.t

    def only(self, at: Codes) -> "Contrasts":
        """Some of them."""
        return Contrasts(self.values[at], self.errors[at], self.df[at], self.t[:, at])

    def largest(self) -> Array:
        """The largest of all |t| in each replicate, as a normal deviate:
        (replicates,).
        """
        return np.concatenate(
            [
                normal_of(block, self.df).max(axis=1)
                for block in np.array_split(self.t, BLOCKS)
            ]
        )


def limits(low: Array, high: Array) -> Array:
    """A confidence distribution from lower and upper limits at LEVELS: half of its
    draws lie on either side.
    """
    at = (np.arange(REPLICATES // 2) + 0.5) / (REPLICATES // 2)
    return np.concatenate([np.interp(at, LEVELS, low), np.interp(at, LEVELS, high)])


def extremes(
    sizes: Array, errors: Array, df: Array, deviates: Array
) -> tuple[Array, Array]:
    """The largest lower and the largest upper limit of these sizes, for each of the
    rising deviates.

    Between two deviates only those can have the largest limit that reach, at the better
    end, what another has at the worse end: the rest is left out.
    """
    low, high = np.empty_like(deviates), np.empty_like(deviates)
    knots = np.unique(np.linspace(0, len(deviates) - 1, KNOTS).astype(np.int64))
    reach = [errors * t_of(deviates[k], df) for k in knots]
    for left, right, near, far in zip(knots, knots[1:], reach, reach[1:], strict=False):
        for found, sign, best, least in (
            (low, -1.0, near, far),
            (high, 1.0, far, near),
        ):
            may = np.flatnonzero(sizes + sign * best >= (sizes + sign * least).max())
            inside = slice(left, right + 1)
            widths = errors[may] * t_of(deviates[inside, None], df[may])
            found[inside] = (sizes[may] + sign * widths).max(axis=1)
    return low, high


def contrasts(matrix: Array, values: Array, errors: Comparison) -> Contrasts:
    """Contrasts with slopes `matrix` (contrasts, groups, ratios) with respect to the
    groups' ratios.
    """
    k, g, s = matrix.shape
    squares = (matrix[..., :, None] * matrix[..., None, :]).reshape(k, g, s * s)
    shares = np.einsum("kgs,gs->kg", squares, errors.covariances.reshape(g, s * s))
    variance = shares.sum(axis=1)
    df = np.clip(
        variance**2 / np.maximum((shares**2 / errors.df).sum(axis=1), 1e-300), 1.0, 1e6
    )
    drawn = errors.drawn.reshape(-1, g * s * s) @ squares.reshape(k, -1).T
    np.maximum(drawn, np.maximum(FLOOR * variance, 1e-30), out=drawn)
    t = errors.shifts.reshape(-1, g * s) @ matrix.reshape(k, -1).T
    t /= np.sqrt(drawn, out=drawn)
    return Contrasts(values, np.sqrt(np.maximum(variance, 0.0)), df, t)


def normal_of(t: Array, df: Array) -> Array:
    """The size of a normal deviate as rare as t with df degrees of freedom, by
    Wallace's approximation.
    """
    return np.asarray((8 * df + 1) / (8 * df + 3) * np.sqrt(df * np.log(1 + t**2 / df)))


def t_of(z: Array | float, df: Array) -> Array:
    """The inverse of `normal_of`."""
    exponent = np.minimum((z * (8 * df + 3) / (8 * df + 1)) ** 2 / df, 700.0)
    return np.asarray(np.sqrt(df * (np.exp(exponent) - 1)))
