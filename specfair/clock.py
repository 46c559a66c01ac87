"""Wall time: the target alone against speculative decoding, by group and in alternation; and what one draft step costs.

Knows clocks and repetition; does not know acceptance. Times are of this machine, on this day, with this batch: they are
for comparing the two columns of one run, not two runs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import stdtrit

from specfair.decoder import Decoder
from specfair.errors import UsageError
from specfair.pairs import Pair
from specfair.prompts import Prompt
from specfair.replay import Lookahead
from specfair.speculate import decode
from specfair.trace import Decoding
from specfair.tracer import generate


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds by repeat and group."""

    groups: tuple[str, ...]
    n_tokens: NDArray[np.int64]  # (n_groups,) written in one repeat
    alone: NDArray[np.float64]  # (n_repeats, n_groups)
    speculative: NDArray[np.float64]

    def speedup(self, level: float = 0.95) -> dict[str, tuple[float, float, float]]:
        """Time alone / time speculative per group, with an interval over repeats: (value, low, high)."""
        logs = np.log(self.alone / self.speculative)
        n = len(logs)
        half = stdtrit(n - 1, (1 + level) / 2) * logs.std(0, ddof=1) / np.sqrt(n)
        bounds = np.exp([logs.mean(0), logs.mean(0) - half, logs.mean(0) + half])
        return {group: (float(v), float(low), float(high)) for group, v, low, high in zip(self.groups, *bounds, strict=True)}


def clock(pair: Pair, prompts: Sequence[Prompt], decoding: Decoding, lookahead: Lookahead | int, *,
          n_repeats: int = 5) -> Times:
    """Time both ways of writing the same prompts, group by group, alternating and after one unmeasured round of each."""
    if n_repeats < 2:
        raise UsageError(f"n_repeats is {n_repeats}; an interval needs at least 2. Use 2 or more.")
    groups = tuple(dict.fromkeys(p.group for p in prompts))
    of = {group: [p for p in prompts if p.group == group] for group in groups}
    n_tokens = np.array([sum(map(len, generate(pair, of[group], decoding))) for group in groups])
    for group in groups:
        decode(pair, of[group], decoding, lookahead)
    seconds = np.zeros((n_repeats, len(groups), 2))
    for repeat in range(n_repeats):
        for place, group in enumerate(groups):
            ways = [lambda g=group: generate(pair, of[g], decoding), lambda g=group: decode(pair, of[g], decoding, lookahead)]
            for way in (0, 1) if repeat % 2 == 0 else (1, 0):
                seconds[repeat, place, way] = _seconds(pair, ways[way])
    return Times(groups, n_tokens, seconds[:, :, 0], seconds[:, :, 1])


def cost_ratio(pair: Pair, *, n_rows: int = 1, n_context: int = 32, n_repeats: int = 15) -> float:
    """c: the time of one draft step over the time of one target step, medians of steps taken in alternation."""
    decoders = [_reading(pair, model, n_rows, n_context) for model in (pair.target, pair.draft)]
    token = torch.zeros((n_rows, 1), dtype=torch.long, device=pair.device)
    times: list[list[float]] = [[], []]
    for _ in range(n_repeats):
        for decoder, taken in zip(decoders, times, strict=True):
            taken.append(_seconds(pair, lambda d=decoder: _step(d, token)))
    return median(times[1]) / median(times[0])
