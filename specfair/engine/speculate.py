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
from specfair.engine.columns import At, Sheet, columns
from specfair.engine.rounds import Outcome, Round, Rows, advance, decide, draft, enter
from specfair.engine.tracer import check_decoding, header
from specfair.models.devices import does_not_fit, fits
from specfair.models.pair import Pair, encode
from specfair.texts.prompts import Prompt
from specfair.traces.tally import Tally, veiled
from specfair.traces.trace import Trace

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
    # per prompt: every drafted token, also after a round's first rejection ...
    n_study_drafted: Ints
    # ... and how many of those pass their coin given the draft's own text before them
    n_study_accepted: Ints

    @property
    def study_rate(self) -> float:
        """Accepted / (accepted + rejected) over all drafted candidates, tested or not.

        The original study's statistic, for comparison with its figures only; it is not
        the acceptance rate.
        """
        return float(self.n_study_accepted.sum() / self.n_study_drafted.sum())


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
    n = min(n_slots or _SLOTS.get(job.pair.device.type, 64), max(1, len(job.ids)))
    while not fits(partial(_drain, job, n)):
        if n == 1:
            longest, decoding = (
                max(range(len(job.ids)), key=lambda i: len(job.ids[i])),
                job.sheet.decoding,
            )
            name, n_tokens = job.sheet.prompts[longest].id, len(job.ids[longest])
            raise does_not_fit(
                name, n_tokens, n_new=decoding.max_new_tokens, device=job.pair.device
            )
        job, n = replace(job), n // 2
    return job


def _job(
    pair: Pair,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    lookahead: Lookahead | int,
) -> "_Job":
    check_decoding(pair, decoding)
    ids, _ = encode(pair, prompts, decoding.max_new_tokens)
    sheet = Sheet(prompts, decoding, () if decoding.ignore_eos else pair.eos)
    return _Job(
        pair,
        ids,
        sheet,
        Lookahead(lookahead) if isinstance(lookahead, int) else lookahead,
    )


@dataclass(slots=True)
class _Job:
    """What is to be decoded and what is written down meanwhile; tables are (n_prompts,
    max_new_tokens).
    """

    pair: Pair
    ids: list[list[int]]
    sheet: Sheet
    lookahead: Lookahead
    recording: bool = True
    texts: NDArray[np.int32] = field(init=False)
    lengths: Ints = field(init=False)
    # where a round began: the lookahead it began with; elsewhere 0
    planned: Ints = field(init=False)
    tested: NDArray[np.bool_] = field(init=False)
    n_study: Ints = field(init=False)  # (2, n_prompts): drafted, accepted
    # (n_prompts,) where some decision rested on NaN or infinity
    unknown: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        shape = (len(self.ids), self.sheet.decoding.max_new_tokens)
        self.texts, self.planned = np.zeros(shape, np.int32), np.zeros(shape, np.int64)
        self.tested, self.lengths = (
            np.zeros(shape, np.bool_),
            np.zeros(len(self.ids), np.int64),
        )
        self.n_study, self.unknown = (
            np.zeros((2, len(self.ids)), np.int64),
            np.zeros(len(self.ids), np.bool_),
        )

    @property
    def written(self) -> tuple[NDArray[np.int32], ...]:
        return tuple(text[:n] for text, n in zip(self.texts, self.lengths, strict=True))

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Tested places, but for the last token of a text: that one is the target's
        own, however it came about.
        """
        return self.tested & self.sheet.within(self.lengths - 1)

    @property
    def tally(self) -> Tally:
        left = self.lengths[:, None] - np.arange(self.texts.shape[1]) - 1
        n_drafted = np.minimum(self.planned, left.clip(min=0)).sum(1)
        accepted = self.sheet.columns["accepted"] & self.counted
        counts = (
            self.lengths,
            (self.planned > 0).sum(1),
            n_drafted,
            self.counted.sum(1),
            accepted.sum(1),
        )
        return veiled(
            Tally(*(count.astype(np.float64) for count in counts)), self.unknown
        )

    def finish(self) -> Live:
        head = header(self.pair, self.sheet.prompts, self.sheet.decoding)
        return Live(
            self.sheet.finish(head, self.counted),
            self.counted.nonzero()[1],
            self.written,
            self.tally,
            self.lookahead,
            n_study_drafted=self.n_study[0],
            n_study_accepted=self.n_study[1],
        )


@torch.inference_mode()
def _drain(job: _Job, n_slots: int) -> None:
    """Rounds until every prompt is done, keeping the slots filled."""
    waiting = sorted(range(len(job.ids)), key=lambda i: len(job.ids[i]))
    active: Rows | None = None
    while waiting or active is not None:
        free = n_slots - (0 if active is None else len(active.prompts))
        if waiting and free >= _REFILL * n_slots:
            entering = _enter(
                job, np.array([waiting.pop() for _ in range(min(free, len(waiting)))])
            )
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


def _enter(job: _Job, prompts: Ints) -> Rows:
    ids = [job.ids[i] for i in prompts]
    return enter(
        job.pair,
        prompts,
        ids,
        n_ahead=job.lookahead.n,
        uniforms=job.sheet.uniforms(prompts),
    )


def _round(job: _Job, rows: Rows) -> Tensor:
    """One round of every row, written down; which rows go on (n_rows,)."""
    decoding = job.sheet.decoding
    now = draft(rows, decoding)
    outcome = decide(now, decoding, job.sheet.eos)
    _note(job, rows, now, outcome)
    advance(rows, outcome, adapt=job.lookahead.schedule != "constant")
    return ~outcome.ended & (rows.n_new < decoding.max_new_tokens)


def _note(job: _Job, rows: Rows, now: Round, outcome: Outcome) -> None:
    """Write down the text, the round, and every tested proposal."""
    text, written, passed = outcome.text, outcome.written, outcome.passed
    begin = rows.n_new.cpu().numpy()
    job.unknown[rows.prompts] |= ~outcome.known.cpu().numpy()
    job.planned[rows.prompts, begin] = rows.n_ahead.cpu().numpy()
    job.n_study[:, rows.prompts] += (
        torch.stack([now.drafted.sum(1), passed.sum(1)]).cpu().numpy()
    )
    row, place = (index.cpu().numpy() for index in written.nonzero(as_tuple=True))
    job.texts[rows.prompts[row], begin[row] + place] = text[written].cpu().numpy()
    job.lengths[rows.prompts] = begin + written.sum(1).cpu().numpy()
    tested = written[:, :-1] & now.drafted
    if not tested.any():
        return
    found = {"accepted": passed[tested]}
    if job.recording:
        at = At(text[:, :-1][tested], proposal=now.proposals[tested])
        found = columns(
            now.target[:, :-1][tested], now.draft[tested], at, job.sheet.decoding
        )
    row, place = (index.cpu().numpy() for index in tested.nonzero(as_tuple=True))
    where = (rows.prompts[row], begin[row] + place)
    job.tested[where] = True
    job.sheet.write(where, found)
