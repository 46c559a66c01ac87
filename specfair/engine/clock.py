"""Wall time: the target alone against speculative decoding, by group and in
alternation; and what one draft step costs.

Knows clocks and repetition; does not know acceptance. Times are of this machine, on
this day, with this batch: they are for comparing the two columns of one run, not two
runs.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from specfair.decoding import Decoding, Lookahead
from specfair.engine.cursor import Cursor
from specfair.engine.energy import meter
from specfair.engine.heads.opening import head_draft
from specfair.engine.speculate import decode
from specfair.engine.timing import N_REPEATS, Times
from specfair.engine.tracer import generate
from specfair.errors import UsageError
from specfair.models.devices import does_not_fit, fits
from specfair.models.heads import HeadFiles
from specfair.models.kinds import DraftKind
from specfair.models.pair import Pair, encode
from specfair.models.translating import Translated
from specfair.texts.prompts import Prompt

_Way = Callable[[Sequence[Prompt]], Sequence[Any]]


def clock(
    pair: Pair,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    lookahead: Lookahead | int,
    *,
    n_rounds: int = 8,
) -> Times:
    """Time both ways of writing the same prompts, group beside group in every round,
    after one unmeasured round.
    """
    if isinstance(pair.draft, HeadFiles):
        raise UsageError(
            f"draft {pair.draft_name!r} is a head; live decoding keeps no cache for "
            "it, so its clock would say nothing. Take the clock's bounds out."
        )
    size = len(prompts)
    while True:
        batches = batched(prompts, n_rounds, largest=size)
        shape = (n_rounds, len(batches))
        times = Times(
            groups=tuple(batches),
            n_tokens=np.zeros(shape, dtype=np.int64),
            alone=np.zeros(shape),
            speculative=np.zeros(shape),
            n_texts=len(next(iter(batches.values()))[0]),
            joules=np.zeros(shape) if meter(pair.device) else None,
        )
        ways = (
            partial(generate, pair, decoding=decoding),
            partial(decode, pair, decoding=decoding, lookahead=lookahead),
        )
        if fits(partial(_take, times, pair.device, list(batches.values()), ways)):
            return times
        # of every batch: time depends on it
        size = len(batches[times.groups[0]][0]) // 2
        if size == 0:
            ids, _ = encode(pair, prompts, decoding.max_new_tokens)
            longest = max(range(len(ids)), key=lambda i: len(ids[i]))
            n_new = decoding.max_new_tokens
            raise does_not_fit(
                prompts[longest].id, len(ids[longest]), n_new=n_new, device=pair.device
            )


def _take(
    times: Times,
    device: torch.device,
    batches: list[list[list[Prompt]]],
    ways: tuple[_Way, _Way],
) -> None:
    """Write the times down."""
    alone, speculative = ways
    told = meter(device)
    for batch in batches:
        speculative(batch[0])
    for place in np.ndindex(times.alone.shape):
        members = batches[place[1]][place[0]]
        times.n_tokens[place] = sum(map(len, alone(members)))
        for repeat in range(N_REPEATS):
            order = (alone, times.alone), (speculative, times.speculative)
            for way, taken in order if repeat % 2 == 0 else order[::-1]:
                before = told() if told else 0.0
                taken[place] += _seconds(device, partial(way, members))
                if told and times.joules is not None and way is speculative:
                    times.joules[place] += told() - before


def batched(
    prompts: Sequence[Prompt], n_rounds: int, *, largest: int
) -> dict[str, list[list[Prompt]]]:
    """For each group a batch a round, all of one size, since time depends on it; a
    small group's prompts come again.
    """
    if n_rounds < 2:
        raise UsageError(
            f"n_rounds is {n_rounds}; an interval needs at least 2. Use 2 or more."
        )
    of = {
        group: [p for p in prompts if p.group == group]
        for group in dict.fromkeys(p.group for p in prompts)
    }
    size = max(
        1, min([largest, *(len(members) // n_rounds for members in of.values())])
    )
    return {
        group: [
            [members[(r * size + i) % len(members)] for i in range(size)]
            for r in range(n_rounds)
        ]
        for group, members in of.items()
    }


def cost_ratio(
    pair: Pair, *, n_rows: int = 1, n_context: int = 32, n_repeats: int = 15
) -> float:
    """c: the time of one draft step over the time of one target step, medians of steps
    taken in alternation; 0 for a draft that calls no model.
    """
    if isinstance(pair.draft, DraftKind):
        return 0.0
    context = pair.context or n_context + n_repeats
    tokens = torch.zeros(
        (n_rows, max(1, min(n_context, context - n_repeats))),
        dtype=torch.long,
        device=pair.device,
    )
    room = max(1, context - tokens.shape[1])
    times: list[list[float]] = [[], []]
    own = isinstance(pair.draft, Translated)
    models = (pair.target, pair.draft.model) if own else pair.models
    files = pair.draft if isinstance(pair.draft, HeadFiles) else None
    head = head_draft(files, pair.target) if files else None
    for repeat in range(n_repeats):
        if repeat % room == 0:  # a short context is full before enough steps were taken
            steps = [_stepper(model, tokens, pair.n_vocab) for model in models]
        for step, taken in zip(steps, times, strict=False):
            taken.append(_seconds(pair.device, step))
        if head is not None:
            times[1].append(head.seconds(n_rows, partial(_seconds, pair.device)))
    return median(times[1]) / median(times[0])


def _stepper(
    model: PreTrainedModel, tokens: Tensor, n_vocab: int
) -> Callable[[], object]:
    """A cursor that has read the tokens, as a function that takes the next step."""
    cursor = Cursor(model, len(tokens), n_vocab)
    with torch.inference_mode():
        cursor.feed(tokens, keep=1)
    return torch.inference_mode()(lambda: cursor.feed(tokens[:, :1], keep=1))


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
