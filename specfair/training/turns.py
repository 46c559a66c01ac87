"""Which text comes next: a recipe's way of drawing, and what it has learned of the
groups.

Knows groups as numbers and their running means; does not know texts, models or losses.
Every draw has a random number of its own, so that who skips what a killed run has drawn
goes on exactly where it stopped.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from specfair.training.recipe import Recipe

NOBODY = -1  # whose texts after no prompt are
KEEP = 0.9  # of a running mean, at each step
_LEARNED = ("before", "alphas", "weights")

Floats = NDArray[np.float64]


class Turns(Sampler[int]):
    """An endless order of texts, as many as the training takes. Mutable: the Trainer's
    steps tell it what they saw.
    """

    def __init__(
        self,
        recipe: Recipe,
        groups: NDArray[np.int64],
        alphas: Floats,
        n: int,
        *,
        batch: int = 1,
    ) -> None:
        self.recipe, self.n, self.batch = recipe, n, batch
        self.n_seen = 0  # batches
        self.before = self.alphas = np.array(alphas, dtype=np.float64)
        self.weights = np.full(len(alphas), 1 / max(1, len(alphas)))
        self._everyone = np.arange(len(groups))
        self._nobodys = np.flatnonzero(groups == NOBODY)
        self._members = [np.flatnonzero(groups == g) for g in range(len(alphas))]

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[int]:
        for i in range(self.n):
            rng = np.random.default_rng((self.recipe.seed, i))
            whose, which = rng.random(2)
            some = self._some(whose, i // self.batch)
            yield int(some[int(which * len(some))])

    def _some(self, whose: float, nth: int) -> NDArray[np.int64]:
        """The texts among which to choose for the nth batch. Those after no prompt have
        the share of the draws that they have of the texts.
        """
        if self.recipe.name in ("clm", "distill"):
            return self._everyone
        share = len(self._nobodys) / len(self._everyone)
        if whose < share:
            return self._nobodys
        ends = np.cumsum(self.shares(nth))
        place = (whose - share) / (1 - share) * ends[-1]
        return self._members[int(np.searchsorted(ends[:-1], place, side="right"))]

    def shares(self, nth: int) -> Floats:
        """Of each group in the nth batch. The Trainer draws it while the one before is
        still to come: what that one shows is not asked for, killed in between or not.
        """
        n, tau = len(self.alphas), self.recipe.tau
        if self.recipe.name != "fairspec":
            return np.full(n, 1 / n)
        alphas = self.alphas if nth > self.n_seen else self.before
        raised = np.exp(tau * (alphas.min() - alphas))
        floor = self.recipe.floor
        return np.asarray(floor / n + (1 - floor) * raised / raised.sum())

    def saw(self, alphas: Floats, counts: Floats) -> None:
        """The mean alpha of each group in a step, and how many texts it had there."""
        there = counts > 0
        moved = KEEP * self.alphas + (1 - KEEP) * alphas
        self.before, self.alphas = self.alphas, np.where(there, moved, self.alphas)
        self.n_seen += 1

    @property
    def state(self) -> dict[str, Any]:
        """All that a checkpoint must hold of it."""
        learned = {name: getattr(self, name).tolist() for name in _LEARNED}
        return {"n_seen": self.n_seen, **learned}

    def resume(self, state: dict[str, Any]) -> None:
        """As it was when the checkpoint was written."""
        self.n_seen = state["n_seen"]
        for name in _LEARNED:
            setattr(self, name, np.array(state[name], dtype=np.float64))
