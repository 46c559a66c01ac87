"""Which text comes next: a recipe's way of drawing, and what it has learned of the
groups.

Knows groups as numbers and their running means; does not know texts, models or losses.
Every draw has a random number of its own, and what was drawn ahead of the steps keeps
the means of its time, so that a killed run goes on exactly where it stopped.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from specfair.training.recipe import Recipe

NOBODY = -1  # whose texts after no prompt are
KEEP = 0.9  # of a running mean, at each step

Floats = NDArray[np.float64]


class Turns(Sampler[int]):
    """An endless order of texts, as many as the training takes. Mutable: the Trainer's
    steps tell it what they saw.
    """

    def __init__(
        self, recipe: Recipe, groups: NDArray[np.int64], alphas: Floats, n: int
    ) -> None:
        self.recipe, self.n = recipe, n
        self.alphas = np.array(alphas, dtype=np.float64)
        self.weights = np.full(len(alphas), 1 / max(1, len(alphas)))
        self._drawn, self._then = 0, self.alphas  # how many, and the means at the last
        self._everyone = np.arange(len(groups))
        self._nobodys = np.flatnonzero(groups == NOBODY)
        self._members = [np.flatnonzero(groups == g) for g in range(len(alphas))]

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[int]:
        for i in range(self.n):
            if i >= self._drawn:
                self._drawn, self._then = i + 1, self.alphas
            rng = np.random.default_rng((self.recipe.seed, i))
            whose, which = rng.random(2)
            some = self._some(whose)
            yield int(some[int(which * len(some))])

    def _some(self, whose: float) -> NDArray[np.int64]:
        """The texts among which to choose. Those after no prompt have the share of the
        draws that they have of the texts.
        """
        if self.recipe.name in ("clm", "distill"):
            return self._everyone
        share = len(self._nobodys) / len(self._everyone)
        if whose < share:
            return self._nobodys
        ends = np.cumsum(self.shares(self._then))
        place = (whose - share) / (1 - share) * ends[-1]
        return self._members[int(np.searchsorted(ends[:-1], place, side="right"))]

    def shares(self, alphas: Floats) -> Floats:
        """Of each group in the draws, where these are the means."""
        n, tau = len(alphas), self.recipe.tau
        if self.recipe.name != "fairspec":
            return np.full(n, 1 / n)
        raised = np.exp(tau * (alphas.min() - alphas))
        floor = self.recipe.floor
        return np.asarray(floor / n + (1 - floor) * raised / raised.sum())

    def saw(self, alphas: Floats, counts: Floats) -> None:
        """The mean alpha of each group in a step, and how many texts it had there."""
        there = counts > 0
        moved = KEEP * self.alphas + (1 - KEEP) * alphas
        self.alphas = np.where(there, moved, self.alphas)

    @property
    def state(self) -> dict[str, Any]:
        """All that a checkpoint must hold of it. The loader draws a batch ahead, before
        the means have moved.
        """
        return {
            "alphas": self.alphas.tolist(),
            "weights": self.weights.tolist(),
            "drawn": self._drawn,
            "then": self._then.tolist(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """As it was when the checkpoint was written."""
        self.alphas = np.array(state["alphas"], dtype=np.float64)
        self.weights = np.array(state["weights"], dtype=np.float64)
        self._drawn = state["drawn"]
        self._then = np.array(state["then"], dtype=np.float64)
