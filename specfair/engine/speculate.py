"""Live speculative decoding, batched: every row accepts its own number of tokens,
finished rows make room for new ones.

Knows slots, and what is counted; does not know groups or statistics. It checks what
replay derives from a Trace, and its counts are canonical as replay's are: drafts beyond
the end of a text are not counted, and a text's last token is always the target's own.
The text it writes has the target's law; under greedy decoding it is the target's text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specfair.decoding import Decoding, Lookahead
from specfair.engine.columns import At, reduced
from specfair.engine.drafts import Ahead, Draft, draft_of
from specfair.engine.rounds import (
    Ongoing,
    Outcome,
    Round,
    advance,
    decide,
    draft,
    enter,
)
from specfair.engine.sheet import Sheet, within
from specfair.engine.task import Task, task
from specfair.models.devices import fits
from specfair.models.pair import Pair
from specfair.texts.prompts import Prompt
from specfair.traces.tally import Tally, veiled
from specfair.traces.trace import READING, TEXT, Reading, Trace

_SLOTS = {"cpu": 128, "cuda": 512}
_REFILL = 0.25  # new prompts enter once this share of the slots is free

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Live:
    """What one run of real speculative decoding wrote and counted."""

    trace: Trace  # the tested proposals only, in the order of the text
    positions: Ints  # of each of them, within its prompt's text
    texts: tuple[NDArray[np.int32], ...]
    tally: Tally  # canonical counts per prompt
    lookahead: Lookahead


def speculate(
    pair: Pair,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    lookahead: Lookahead | int,
    *,
    n_slots: int | None = None,
) -> Live:
    """Decode every prompt speculatively, n_slots at a time. A heuristic lookahead
    starts anew with every prompt.
    """
    return _halving(_job(pair, prompts, decoding, lookahead), n_slots).finish()


def count(
    pair: Pair,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    lookahead: Lookahead | int,
) -> Tally:
    """The same counts, without the Trace."""
    job = _job(pair, prompts, decoding, lookahead)
    job.recording = False
    return _halving(job, None).tally


def decode(
    pair: Pair,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    lookahead: Lookahead | int,
    *,
    n_slots: int | None = None,
) -> tuple[tuple[NDArray[np.int32], ...], Tally]:
    """The same texts and counts. It is timed, and so never tried twice: what does not
    fit raises.
    """
    job = _job(pair, prompts, decoding, lookahead)
    job.recording = False
    _drain(job, n_slots or _SLOTS.get(pair.device.type, 64))
    return job.written, job.tally


def _halving(job: "_Job", n_slots: int | None) -> "_Job":
    """The job done; where memory runs out, from its beginning with half the slots."""
    ids = job.task.ids
    n = min(n_slots or _SLOTS.get(job.task.pair.device.type, 64), max(1, len(ids)))
    while not fits(partial(_drain, job, n)):
        if n == 1:
            raise job.task.too_large(max(range(len(ids)), key=lambda i: len(ids[i])))
        job, n = replace(job), n // 2
    return job


def _job(
    pair: Pair,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    lookahead: Lookahead | int,
) -> "_Job":
    ahead = Lookahead(lookahead) if isinstance(lookahead, int) else lookahead
    asked = task(pair, prompts, decoding)
    drafting = draft_of(asked)  # once: a head is built of its files
    # what only looks up has no distributions to write down
    return _Job(asked, ahead, drafting, recording=not isinstance(drafting, Ahead))


@dataclass(slots=True)
class _Job:
    """What is to be decoded and what is written down meanwhile; tables are (n_prompts,
    max_new_tokens).
    """

    task: Task
    lookahead: Lookahead
    drafting: Draft
    recording: bool = True
    text: Sheet = field(init=False)
    reading: Sheet = field(init=False)
    texts: NDArray[np.int32] = field(init=False)
    lengths: Ints = field(init=False)
    # where a round began: how many tokens it drafted; elsewhere -1
    planned: Ints = field(init=False)
    tested: NDArray[np.bool_] = field(init=False)
    # (n_prompts,) where some decision rested on NaN or infinity
    unknown: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        shape, n = self.task.shape, len(self.task.ids)
        self.text, self.reading = Sheet(shape, TEXT), Sheet(shape, READING)
        self.texts = np.zeros(shape, np.int32)
        self.planned = np.full(shape, -1)
        self.tested = np.zeros(shape, np.bool_)
        self.lengths = np.zeros(n, np.int64)
        self.unknown = np.zeros(n, np.bool_)

    @property
    def written(self) -> tuple[NDArray[np.int32], ...]:
        return tuple(text[:n] for text, n in zip(self.texts, self.lengths, strict=True))

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Tested places, but for the last token of a text: that one is the target's
        own, however it came about.
        """
        return self.tested & within(self.lengths - 1, self.texts.shape[1])

    @property
    def tally(self) -> Tally:
        left = self.lengths[:, None] - np.arange(self.texts.shape[1]) - 1
        drafted = np.minimum(self.planned, left).clip(min=0).sum(1)
        accepted = self.reading.columns["accepted"] & self.counted
        tested = self.counted.sum(1)
        counts = Tally(
            n_new_tokens=self.lengths.astype(np.float64),
            n_rounds=(self.planned >= 0).sum(1).astype(np.float64),
            n_drafted=(tested if self.lookahead.doubts else drafted).astype(np.float64),
            n_tested=tested.astype(np.float64),
            n_accepted=accepted.sum(1).astype(np.float64),
        )
        return veiled(counts, self.unknown)

    def finish(self) -> Live:
        counted = self.counted
        text, pair = self.task.text(self.text, counted), self.task.pair
        read = self.reading.kept(counted)
        return Live(
            trace=Trace(text, Reading(pair.draft_name, pair.draft_fingerprint, read)),
            positions=counted.nonzero()[1],
            texts=self.written,
            tally=self.tally,
            lookahead=self.lookahead,
        )


@torch.inference_mode()
def _drain(job: _Job, n_slots: int) -> None:
    """Rounds until every prompt is done, keeping the slots filled."""
    ids = job.task.ids
    waiting = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    active: Ongoing | None = None
    while waiting or active is not None:
        free = n_slots - (0 if active is None else len(active.prompts))
        if waiting and free >= _REFILL * n_slots:
            n = min(free, len(waiting))
            entering = _enter(job, np.array([waiting.pop() for _ in range(n)]))
            if active is None:
                active = entering
            else:
                active.join(entering)
        assert active is not None
        ongoing = _round(job, active).nonzero()[:, 0]
        if len(ongoing) == 0:
            active = None
        elif len(ongoing) < len(active.prompts):
            active.keep(ongoing)


def _enter(job: _Job, prompts: Ints) -> Ongoing:
    return enter(job.task, job.drafting, prompts, n_ahead=job.lookahead.n)


def _round(job: _Job, rows: Ongoing) -> Tensor:
    """One round of every row, written down; which rows go on (n_rows,)."""
    decoding = job.task.decoding
    now = draft(rows, decoding, job.lookahead)
    outcome = decide(now, decoding, job.task.eos)
    _note(job, rows, now, outcome)
    advance(rows, now, outcome, adapt=job.lookahead.adapts)
    return ~outcome.ended & (rows.n_new < decoding.max_new_tokens)


def _note(job: _Job, rows: Ongoing, now: Round, outcome: Outcome) -> None:
    """Write down the text, the round, and every tested proposal."""
    text, written = outcome.text, outcome.written
    begin = rows.n_new.cpu().numpy()
    job.unknown[rows.prompts] |= ~outcome.known.cpu().numpy()
    job.planned[rows.prompts, begin] = now.drafted.sum(1).cpu().numpy()
    job.texts[_places(rows, begin, written)] = text[written].cpu().numpy()
    job.lengths[rows.prompts] = begin + written.sum(1).cpu().numpy()
    tested = written[:, :-1] & now.drafted
    if not tested.any():
        return
    found = {
        "token": text[:, :-1][tested],
        "proposal": now.proposals[tested],
        "accepted": outcome.passed[tested],
    }
    if job.recording:
        proposals, first = now.proposals[tested], now.first_choice
        at = At(text[:, :-1][tested], proposal=proposals, first_choice=first)
        target, drafted = now.target[:, :-1][tested], now.draft[tested]
        found = reduced(target, drafted, at, job.task.decoding)
    where = _places(rows, begin, tested)
    job.tested[where] = True
    for sheet in (job.text, job.reading):
        sheet.write(where, found)


def _places(rows: Ongoing, begin: Ints, marked: Tensor) -> tuple[Ints, Ints]:
    """Prompts and positions of what is marked (n_rows, n) from where a round began."""
    row, place = (index.cpu().numpy() for index in marked.nonzero(as_tuple=True))
    return rows.prompts[row], begin[row] + place
