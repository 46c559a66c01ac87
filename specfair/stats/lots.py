"""The lots that errors are drawn by: the same for every metric of the same prompts, so
they are drawn once.

Knows that a seed and the order of what is asked fix every number, so that what was
drawn before can be handed out again and comparisons of metrics rest on the same lots.
Does not know what the numbers are used for.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from specfair.stats.tally import Array

REPLICATES = 10_000
_BLOCK = 4_000_000  # units times replicates drawn at a time
# units from which on counts no longer fit the small type they are kept in
_COUNTS = 256


class Lots:
    """Random numbers in the order they are asked for. `again()` starts over: the same
    questions get the same answers.

    Another question than the last time in the same place gets what it would have got
    from the seed alone.
    """

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._start = self._rng.bit_generator.state
        # question, answer, state behind it
        self._drawn: list[tuple[tuple[object, ...], NDArray[Any], Any]] = []
        self._next = 0

    def again(self) -> "Lots":
        """From the beginning."""
        self._next = 0
        return self

    def counts(self, k: int) -> Array:
        """How often each of k units is drawn in k draws: (replicates, k)."""
        return self._ask("counts", k).astype(np.float64)

    def normals(self, n: int) -> Array:
        """Standard normal deviates: (replicates, n)."""
        return self._ask("normals", n)

    def chisquares(self, df: float) -> Array:
        """Chi-square deviates: (replicates,)."""
        return self._ask("chisquares", df)

    def _ask(self, what: str, size: float) -> NDArray[Any]:
        asked = (what, size)
        if self._next < len(self._drawn) and self._drawn[self._next][0] != asked:
            del self._drawn[self._next :]
        if self._next == len(self._drawn):
            self._rng.bit_generator.state = (
                self._drawn[-1][2] if self._drawn else self._start
            )
            self._drawn.append(
                (asked, self._draw(what, size), self._rng.bit_generator.state)
            )
        self._next += 1
        return self._drawn[self._next - 1][1]

    def _draw(self, what: str, size: float) -> NDArray[Any]:
        if what == "normals":
            return self._rng.standard_normal((REPLICATES, int(size)))
        if what == "chisquares":
            return self._rng.chisquare(size, REPLICATES)
        k = int(size)
        rows = np.array_split(np.arange(REPLICATES), max(1, k * REPLICATES // _BLOCK))
        return np.concatenate([_counted(self._rng, len(block), k) for block in rows])


def _counted(rng: np.random.Generator, n: int, k: int) -> NDArray[Any]:
    drawn = rng.integers(0, k, size=(n, k)) + np.arange(n)[:, None] * k
    kind = np.uint8 if k < _COUNTS else np.uint16
    return np.bincount(drawn.ravel(), minlength=n * k).reshape(n, k).astype(kind)
