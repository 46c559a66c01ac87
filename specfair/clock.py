"""Wall time: the target alone against speculative decoding, by group and in alternation; and what one draft step costs.

Knows clocks and repetition; does not know acceptance. Times are of this machine, on this day, with this batch: they are
for comparing the two columns of one run, not two runs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import stdtrit
from torch import Tensor
from transformers import PreTrainedModel

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
        values, lows, highs = bounds.tolist()
        return dict(zip(self.groups, zip(values, lows, highs, strict=True), strict=True))


def clock(
    pair: Pair, prompts: Sequence[Prompt], decoding: Decoding, lookahead: Lookahead | int, *, n_repeats: int = 5
) -> Times:
    """Time both ways of writing the same prompts, group by group in alternation, after one unmeasured round of each."""
    if n_repeats < 2:
        raise UsageError(f"n_repeats is {n_repeats}; an interval needs at least 2. Use 2 or more.")
    groups = tuple(dict.fromkeys(p.group for p in prompts))
    of = [[p for p in prompts if p.group == group] for group in groups]
    n_tokens = np.array([sum(map(len, generate(pair, members, decoding))) for members in of])
    for members in of:
        decode(pair, members, decoding, lookahead)
    seconds = np.zeros((n_repeats, len(groups), 2))
    for repeat in range(n_repeats):
        for place, members in enumerate(of):
            ways: list[Callable[[], object]] = [
                partial(generate, pair, members, decoding),
                partial(decode, pair, members, decoding, lookahead),
            ]
            for way in (0, 1) if repeat % 2 == 0 else (1, 0):
                seconds[repeat, place, way] = _seconds(pair.device, ways[way])
    return Times(groups, n_tokens, seconds[:, :, 0], seconds[:, :, 1])


def cost_ratio(pair: Pair, *, n_rows: int = 1, n_context: int = 32, n_repeats: int = 15) -> float:
    """c: the time of one draft step over the time of one target step, medians of steps taken in alternation."""
    if pair.context is not None:
        n_context = max(1, min(n_context, pair.context - n_repeats - 1))
    tokens = torch.zeros((n_rows, n_context), dtype=torch.long, device=pair.device)
    steps = [_stepper(model, tokens, pair.n_vocab) for model in (pair.target, pair.draft)]
    times: list[list[float]] = [[], []]
    for _ in range(n_repeats):
        for step, taken in zip(steps, times, strict=True):
            taken.append(_seconds(pair.device, step))
    return median(times[1]) / median(times[0])


def _stepper(model: PreTrainedModel, tokens: Tensor, n_vocab: int) -> Callable[[], object]:
    """A decoder that has read the tokens and one step more, as a function that takes the next step."""
    decoder = Decoder(model, len(tokens), n_vocab)
    with torch.inference_mode():
        decoder.feed(tokens, keep=1)
        decoder.feed(tokens[:, :1], keep=1)
    return torch.inference_mode()(lambda: decoder.feed(tokens[:, :1], keep=1))


def _seconds(device: torch.device, work: Callable[[], object]) -> float:
    _wait(device)
    start = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    """Kernels of an accelerator run on after the call that started them."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
