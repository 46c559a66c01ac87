"""Speed-up by the clock as a metric like any other: seconds alone over seconds
speculative, a ratio of sums.

Knows how measured times become a Sample. Does not know how they were
taken: clock.py does, and needs torch for it, which those who only read times do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specfair.stats import Sample
from specfair.stats.tally import Array

METRIC = "speedup_measured"
DEFINITION = (
    "wall time of the target alone / wall time of speculative decoding, same "
    "batch, in alternation"
)
N_ROUNDS = 10  # batches of each group; fewer than eight clusters would be exploratory
N_REPEATS = 2  # of each batch, once in either order
PER = 100.0  # tokens of a text
N_PROMPTS = 4 * N_ROUNDS  # of each group, at most


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds by round and group. Every round times other prompts, so that rounds
    differ as prompts do.
    """

    groups: tuple[str, ...]
    n_tokens: NDArray[np.int64]  # (n_rounds, n_groups)
    alone: NDArray[np.float64]  # (n_rounds, n_groups)
    speculative: NDArray[np.float64]
    n_texts: int = 1  # of a batch
    joules: NDArray[np.float64] | None = None  # speculative, where the device tells

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Times":
        """As they are kept, in lists."""
        return cls(
            groups=tuple(plain["groups"]),
            n_tokens=np.array(plain["n_tokens"], dtype=np.int64),
            alone=np.array(plain["alone"], dtype=np.float64),
            speculative=np.array(plain["speculative"], dtype=np.float64),
            n_texts=int(plain["n_texts"]),
            joules=np.array(told, dtype=np.float64)
            if (told := plain["joules"])
            else None,
        )

    @property
    def sample(self) -> Sample:
        """Each batch of each group is one observation; groups timed in the same round
        are compared with each other.
        """
        return self._sample(self.alone, self.speculative)

    @property
    def seconds(self) -> Sample:
        """How long 100 tokens of a text take, while those of its batch are written."""
        waited = self.speculative * (PER * self.n_texts / N_REPEATS)
        return self._sample(waited, self.n_tokens.astype(np.float64))

    @property
    def alone_seconds(self) -> float:
        """The same by the target alone, over all groups."""
        tokens = float(self.n_tokens.sum())
        return float(self.alone.sum()) * PER * self.n_texts / N_REPEATS / tokens

    @property
    def energy(self) -> Sample | None:
        """Joules for 100 tokens: a text's share of its batch's."""
        if self.joules is None:
            return None
        spent = self.joules * (PER / N_REPEATS)
        return self._sample(spent, self.n_tokens.astype(np.float64))

    def _sample(self, over: Array, under: Array) -> Sample:
        n_rounds, n_groups = self.alone.shape
        group = np.tile(np.array(self.groups, dtype=np.str_), n_rounds)
        turn = np.repeat(np.arange(n_rounds).astype(np.str_), n_groups)
        name = np.char.add(np.char.add(group, " "), turn)
        return Sample(
            over.ravel(),
            under.ravel(),
            prompt=name,
            group=group,
            cluster=name,
            template=turn,
        )
