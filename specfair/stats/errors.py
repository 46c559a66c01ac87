"""The groups' values and the errors around them, as every question finds them.

Knows how errors of groups add up, whether they are independent or go together. Does
not know where they come from, nor what is asked.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from specfair.stats.estimate import Part, Scope
from specfair.stats.tally import Array, Codes

CHANGE = np.array([-1.0, 1.0])  # after minus before, of two ratios
EXACT = 1e6  # degrees of freedom of an error that is known


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Values by group and the errors around them; one ratio a group, or two (before and
    after).
    """

    names: tuple[str, ...]
    values: Array  # (groups, ratios)
    weights: Array  # (groups, ratios): shares of the denominators
    covariances: Array  # (groups, ratios, ratios)
    df: Array  # (groups,)
    skews: Array  # (groups,): of each group's error
    parts: tuple[Part, ...]
    # of every two groups' errors, where they have problems in common:
    # (groups, ratios, groups, ratios)
    joint: Array | None = None
    scope: Scope = "identities"

    def parts_of(self, groups: Iterable[str]) -> tuple[Part, ...]:
        wanted = set(groups)
        return tuple(p for p in self.parts if p.group in wanted)

    def stage(self, i: int) -> "Errors":
        """One of the two ratios by itself."""
        at = slice(i, i + 1)
        return replace(
            self,
            values=self.values[:, at],
            weights=self.weights[:, at],
            covariances=self.covariances[:, at, at],
            joint=None if self.joint is None else self.joint[:, at, :, at],
        )

    def of(self, some: Codes) -> "Errors":
        """Only these groups."""
        return replace(
            self,
            names=tuple(self.names[i] for i in some),
            values=self.values[some],
            weights=self.weights[some],
            covariances=self.covariances[some],
            df=self.df[some],
            skews=self.skews[some],
            parts=tuple(self.parts[i] for i in some),
            joint=None if self.joint is None else self.joint[some][:, :, some],
        )

    def logs(self) -> "Errors":
        """The same on the scale of logarithms."""
        values = self.values
        joint = self.joint
        if joint is not None:
            joint = joint / (values[:, :, None, None] * values)
        squares = values[:, 0] ** 2
        return replace(
            self,
            values=np.log(values),
            covariances=self.covariances / (values[:, :, None] * values[:, None]),
            parts=tuple(
                replace(p, variance=p.variance / s)
                for p, s in zip(self.parts, squares, strict=True)
            ),
            joint=joint,
        )

    @property
    def firm(self) -> Codes:
        """The groups that are not exploratory."""
        return np.flatnonzero([not p.exploratory for p in self.parts])

    def whole(self) -> Array:
        """The covariance of all groups' ratios: (groups * ratios, groups * ratios)."""
        n, k = self.values.shape
        joint = self.joint
        if joint is None:
            joint = np.zeros((n, k, n, k))
            joint[np.arange(n), :, np.arange(n), :] = self.covariances
        return joint.reshape(n * k, n * k)

    def skew(self, slopes: Array) -> float:
        """Of the error of a sum with these slopes."""
        third = slopes[:, 0] ** 3 @ (self.skews * self.covariances[:, 0, 0] ** 1.5)
        return float(third) / max(self.error(slopes)[0] ** 3, 1e-300)

    def error(self, slopes: Array) -> tuple[float, float]:
        """Standard error and degrees of freedom of a sum over groups and ratios with
        these slopes, (groups, ratios).
        """
        shares = np.einsum("gr,grs,gs->g", slopes, self.covariances, slopes)
        variance = float(shares.sum())
        if self.joint is not None:
            flat = slopes.ravel()
            variance = float(flat @ self.joint.reshape(len(flat), -1) @ flat)
        df = shares.sum() ** 2 / max(float((shares**2 / self.df).sum()), 1e-300)
        return float(np.sqrt(max(variance, 0.0))), float(np.clip(df, 1.0, EXACT))
