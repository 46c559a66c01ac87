"""Speed-up by the clock as a metric like any other: seconds alone over seconds
speculative, a ratio of sums.

Knows how measured times become a Sample and reach disk. Does not know how they were
taken: clock.py does, and needs torch for it, which those who only read times do not.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specfair.errors import StoreError
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


def sample(times: Times) -> Sample:
    """Each batch of each group is one observation; groups timed in the same round are
    compared with each other.
    """
    n_rounds, n_groups = times.alone.shape
    group = np.tile(np.array(times.groups, dtype=np.str_), n_rounds)
    turn = np.repeat(np.arange(n_rounds).astype(np.str_), n_groups)
    name = np.char.add(np.char.add(group, " "), turn)
    return Sample(
        times.alone.ravel(), times.speculative.ravel(), name, group, name, turn
    )


def save(times: Times, path: Path) -> None:
    """Seconds as they were read."""
    plain = {"groups": times.groups, "n_tokens": times.n_tokens.tolist()}
    seconds = {"alone": times.alone.tolist(), "speculative": times.speculative.tolist()}
    path.write_text(json.dumps(plain | seconds), encoding="utf-8")


def load(path: Path) -> Times:
    """Read what `save` wrote."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        arrays = (
            np.array(stored[name], dtype=np.float64)
            for name in ("alone", "speculative")
        )
        return Times(
            tuple(stored["groups"]),
            np.array(stored["n_tokens"], dtype=np.int64),
            *arrays,
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"times {path.name!r} cannot be read ({type(error).__name__}). "
            "They are taken again."
        ) from error
