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

METRIC = "speedup_measured"
DEFINITION = (
    "wall time of the target alone / wall time of speculative decoding, same "
    "batch, in alternation"
)
N_ROUNDS = 10  # batches of each group; fewer than eight clusters would be exploratory
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

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Times":
        """As they are kept, in lists."""
        return cls(
            tuple(plain["groups"]),
            np.array(plain["n_tokens"], dtype=np.int64),
            np.array(plain["alone"], dtype=np.float64),
            np.array(plain["speculative"], dtype=np.float64),
        )

    @property
    def sample(self) -> Sample:
        """Each batch of each group is one observation; groups timed in the same round
        are compared with each other.
        """
        n_rounds, n_groups = self.alone.shape
        group = np.tile(np.array(self.groups, dtype=np.str_), n_rounds)
        turn = np.repeat(np.arange(n_rounds).astype(np.str_), n_groups)
        name = np.char.add(np.char.add(group, " "), turn)
        return Sample(
            self.alone.ravel(),
            self.speculative.ravel(),
            prompt=name,
            group=group,
            cluster=name,
            template=turn,
        )
