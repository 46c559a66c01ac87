"""Live speculative decoding, batched: every row accepts its own number of tokens, finished rows make room for new ones.

Knows rounds, acceptance and slots; does not know groups or statistics. It checks what replay derives from a Trace, and
its counts are canonical as replay's are: drafts beyond the end of a text are not counted, and a text's last token is
always the target's own. The text it writes has the target's law; under greedy decoding it is the target's text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from specfair import sampling
from specfair.columns import COIN, REPLACEMENT, TOKEN, At, Sheet, choose, columns, deployed
from specfair.decoder import Decoder, pad_left
from specfair.pairs import Pair, encode
from specfair.prompts import Prompt
from specfair.replay import Lookahead
from specfair.stats import Tally
from specfair.trace import Decoding, Trace
from specfair.tracer import check_decoding, header

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
    n_study_drafted: Ints  # per prompt: every drafted token, also after a round's first rejection ...
    n_study_accepted: Ints  # ... and how many of those pass their coin given the draft's own text before them

    @property
    def study_rate(self) -> float:
        """Accepted / (accepted + rejected) over all drafted candidates, tested or not.

        The original study's statistic, for comparison with its figures only; it is not the acceptance rate.
        """
        return float(self.n_study_accepted.sum() / self.n_study_drafted.sum())


def speculate(pair: Pair, prompts: Sequence[Prompt], decoding: Decoding, lookahead: Lookahead | int, *,
              n_slots: int | None = None) -> Live:
    """Decode every prompt speculatively, n_slots at a time. A heuristic lookahead starts anew with every prompt."""
    job = _job(pair, prompts, decoding, lookahead)
    _drain(job, n_slots or _SLOTS.get(pair.device.type, 64))
    return job.finish()


def decode(pair: Pair, prompts: Sequence[Prompt], decoding: Decoding, lookahead: Lookahead | int, *,
           n_slots: int | None = None) -> tuple[tuple[NDArray[np.int32], ...], Tally]:
    """The same texts and counts, without the Trace: what is timed."""
    job = _job(pair, prompts, decoding, lookahead)
    job.recording = False
    _drain(job, n_slots or _SLOTS.get(pair.device.type, 64))
    return job.written, job.tally


def _job(pair: Pair, prompts: Sequence[Prompt], decoding: Decoding, lookahead: Lookahead | int) -> "_Job":
    check_decoding(decoding)
    ids, _ = encode(pair, prompts, decoding.max_new_tokens)
    sheet = Sheet(prompts, decoding, () if decoding.ignore_eos else pair.eos)
    return _Job(pair, ids, sheet, Lookahead(lookahead) if isinstance(lookahead, int) else lookahead)


@dataclass(slots=True)
class _Job:
    """What is to be decoded and what is written down meanwhile; tables are (n_prompts, max_new_tokens)."""

    pair: Pair
    ids: list[list[int]]
    sheet: Sheet
    lookahead: Lookahead
    recording: bool = True
    texts: NDArray[np.int32] = field(init=False)
    lengths: Ints = field(init=False)
    planned: Ints = field(init=False)  # where a round began: the lookahead it began with; elsewhere 0
    tested: NDArray[np.bool_] = field(init=False)
    n_study: Ints = field(init=False)  # (2, n_prompts): drafted, accepted

    def __post_init__(self) -> None:
        shape = (len(self.ids), self.sheet.decoding.max_new_tokens)
        self.texts, self.planned = np.zeros(shape, np.int32), np.zeros(shape, np.int64)
        self.tested, self.lengths = np.zeros(shape, np.bool_), np.zeros(len(self.ids), np.int64)
        self.n_study = np.zeros((2, len(self.ids)), np.int64)

    @property
    def written(self) -> tuple[NDArray[np.int32], ...]:
        return tuple(text[:n] for text, n in zip(self.texts, self.lengths, strict=True))

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Tested places, but for the last token of a text: that one is the target's own, however it came about."""
        return self.tested & self.sheet.within(self.lengths - 1)

    @property
    def tally(self) -> Tally:
        left = self.lengths[:, None] - np.arange(self.texts.shape[1]) - 1
        n_drafted = np.minimum(self.planned, left.clip(min=0)).sum(1)
        accepted = self.sheet.columns["accepted"] & self.counted
        counts = (self.lengths, (self.planned > 0).sum(1), n_drafted, self.counted.sum(1), accepted.sum(1))
        return Tally(*(count.astype(np.float64) for count in counts))

    def finish(self) -> Live:
        head = header(self.pair, self.sheet.prompts, self.sheet.decoding)
        return Live(self.sheet.finish(head, self.counted), self.counted.nonzero()[1], self.written, self.tally,
                    self.lookahead, n_study_drafted=self.n_study[0], n_study_accepted=self.n_study[1])


@dataclass(slots=True)
class _Rows:
    """The prompts being decoded now."""

    prompts: Ints
    target: Decoder  # has read all of the text but its last token
    draft: Decoder  # all but the last two
    tail: Tensor  # those two (n_rows, 2)
    tail_valid: Tensor  # a text of one token has only one
    n_new: Tensor  # (n_rows,)
    n_ahead: Tensor  # (n_rows,) the lookahead of the next round
    uniforms: Tensor  # (n_rows, max_new_tokens, draws)

    def at(self, place: Tensor) -> Tensor:
        """Uniform numbers for places counted from the next token on. (n_rows, n) to (n_rows, n, draws)"""
        position = (self.n_new[:, None] + place).clamp(max=self.uniforms.shape[1] - 1)
        return self.uniforms.gather(1, position[:, :, None].expand(-1, -1, sampling.DRAWS))

    def keep(self, rows: Tensor) -> None:
        for decoder in (self.target, self.draft):
            decoder.keep_rows(rows)
        self.prompts = self.prompts[rows.cpu().numpy()]
        for name in _TENSORS:
            setattr(self, name, getattr(self, name)[rows])

    def join(self, other: "_Rows") -> None:
        self.target.join(other.target)
        self.draft.join(other.draft)
        self.prompts = np.concatenate([self.prompts, other.prompts])
        for name in _TENSORS:
            setattr(self, name, torch.cat([getattr(self, name), getattr(other, name)]))


_TENSORS = ("tail", "tail_valid", "n_new", "n_ahead", "uniforms")


@torch.inference_mode()
def _drain(job: _Job, n_slots: int) -> None:
    """Rounds until every prompt is done, keeping the slots filled."""
    waiting = sorted(range(len(job.ids)), key=lambda i: len(job.ids[i]))
    active: _Rows | None = None
    while waiting or active is not None:
        free = n_slots - (0 if active is None else len(active.prompts))
        if waiting and free >= _REFILL * n_slots:
            entering = _enter(job, np.array([waiting.pop() for _ in range(min(free, len(waiting)))]))
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


def _enter(job: _Job, prompts: Ints) -> _Rows:
    """Both models read the prompts, up to where the first round begins."""
    ids = [job.ids[i] for i in prompts]
    pair, device = job.pair, job.pair.device
    decoders = [Decoder(model, len(ids), pair.n_vocab) for model in (pair.target, pair.draft)]
    for decoder, n_unread in zip(decoders, (1, 2), strict=True):
        decoder.feed(*pad_left([tokens[:-n_unread] for tokens in ids], device), keep=1)
    tail, valid = pad_left([[0] * (2 - len(tokens)) + tokens[-2:] for tokens in ids], device)
    valid[:, 0] &= torch.tensor([len(tokens) > 1 for tokens in ids], device=device)
    n_new = torch.zeros(len(ids), dtype=torch.long, device=device)
    return _Rows(prompts, decoders[0], decoders[1], tail, valid, n_new, torch.full_like(n_new, job.lookahead.n),
                 job.sheet.uniforms(prompts).to(device))


@dataclass(frozen=True, slots=True)
class _Round:
    """What was drafted and how the target sees it, before anything is decided."""

    proposals: Tensor  # (n_rows, n_places)
    drafted: Tensor  # (n_rows, n_places) whether the row drafted that far
    draft: Tensor  # logits (n_rows, n_places, vocabulary)
    target: Tensor  # logits (n_rows, n_places + 1, vocabulary)
    drawn: Tensor  # uniform numbers (n_rows, n_places + 1, draws)


def _round(job: _Job, rows: _Rows) -> Tensor:
    """Draft, verify, write down; which rows go on (n_rows,)."""
    decoding, n_new = job.sheet.decoding, rows.n_new
    now = _draft(job, rows)
    passed = _passes(now, decoding) & now.drafted
    n_accepted = passed.long().cumprod(1).sum(1)
    place = torch.arange(now.proposals.shape[1] + 1, device=n_new.device)
    text = torch.where(place < n_accepted[:, None], pad(now.proposals, (0, 1)),
                       _next_token(now, n_accepted, decoding)[:, None])
    written = place <= n_accepted[:, None]
    ends = torch.isin(text, torch.tensor(job.sheet.eos, device=text.device)) & written
    written &= ends.cumsum(1) - ends.long() == 0  # nothing follows the end of the text
    _note(job, rows, now, text=text, written=written, passed=passed)
    _advance(rows, text, n_accepted, now.drafted.sum(1), job.lookahead)
    return ~ends.any(1) & (rows.n_new < decoding.max_new_tokens)


def _draft(job: _Job, rows: _Rows) -> _Round:
    """The draft writes ahead, place by place; the target reads all places at once."""
    decoding = job.sheet.decoding
    n_drafted = torch.minimum(rows.n_ahead, decoding.max_new_tokens - rows.n_new - 1)  # the target adds one
    n_places = int(n_drafted.max())
    drawn = rows.at(torch.arange(n_places + 1, device=n_drafted.device).expand(len(n_drafted), -1))
    drafted = torch.arange(n_places, device=n_drafted.device) < n_drafted[:, None]
    tokens, valid, logits, proposals = rows.tail, rows.tail_valid, [], [rows.tail[:, 1]]
    rows.draft.make_room(n_places + 1)
    for place in range(n_places):
        logits.append(rows.draft.feed(tokens, valid, keep=1)[:, 0])
        proposals.append(choose(logits[-1], drawn[:, place, TOKEN], decoding))
        tokens, valid = proposals[-1][:, None], drafted[:, place + 1: place + 2]  # read only if more is to be drafted
    rows.target.make_room(n_places + 1)
    verified = rows.target.feed(torch.stack(proposals, dim=1), pad(drafted, (1, 0), value=True))
    stacked = torch.stack(logits, dim=1) if logits else verified[:, :0]
    return _Round(torch.stack(proposals, dim=1)[:, 1:], drafted, stacked, verified, drawn)


def _passes(now: _Round, decoding: Decoding) -> Tensor:
    """Which proposals the target would take, each given those before it (n_rows, n_places)."""
    verifying = now.target[:, :-1]
    if decoding.greedy:
        token, logit, _ = sampling.best_two(verifying)
        return (token == now.proposals) & logit.isfinite() & sampling.at(now.draft, now.proposals).isfinite()
    own, other = (sampling.at(deployed(logits, decoding), now.proposals) for logits in (now.draft, verifying))
    return now.drawn[:, :-1, COIN] < sampling.coin(own, other)


def _next_token(now: _Round, n_accepted: Tensor, decoding: Decoding) -> Tensor:
    """The target's own token behind the accepted ones: what the draft left undrawn, or simply the next (n_rows,)."""
    row = torch.arange(len(n_accepted), device=n_accepted.device)
    logits, drawn = now.target[row, n_accepted], now.drawn[row, n_accepted]
    if decoding.greedy or not now.proposals.shape[1]:
        return choose(logits, drawn[:, TOKEN], decoding)
    rejected = n_accepted < now.drafted.sum(1)
    refused = deployed(now.draft[row, n_accepted.clamp(max=now.proposals.shape[1] - 1)], decoding)
    weights = sampling.residual(deployed(logits, decoding), refused * rejected[:, None])
    return sampling.draw(weights, torch.where(rejected, drawn[:, REPLACEMENT], drawn[:, TOKEN]))


def _note(job: _Job, rows: _Rows, now: _Round, *, text: Tensor, written: Tensor, passed: Tensor) -> None:
    """Write down the text, the round, and every tested proposal."""
    begin = rows.n_new.cpu().numpy()
    job.planned[rows.prompts, begin] = rows.n_ahead.cpu().numpy()
    job.n_study[:, rows.prompts] += torch.stack([now.drafted.sum(1), passed.sum(1)]).cpu().numpy()
    row, place = (index.cpu().numpy() for index in written.nonzero(as_tuple=True))
    job.texts[rows.prompts[row], begin[row] + place] = text[written].cpu().numpy()
    job.lengths[rows.prompts] = begin + written.sum(1).cpu().numpy()
    tested = written[:, :-1] & now.drafted
    if not tested.any():
        return
    found = {"accepted": passed[tested]}
    if job.recording:
        at = At(text[:, :-1][tested], proposal=now.proposals[tested])
        found = columns(now.target[:, :-1][tested], now.draft[tested], at, job.sheet.decoding)
    row, place = (index.cpu().numpy() for index in tested.nonzero(as_tuple=True))
    where = (rows.prompts[row], begin[row] + place)
    job.tested[where] = True
    job.sheet.write(where, found)


def _advance(rows: _Rows, text: Tensor, n_accepted: Tensor, n_drafted: Tensor, lookahead: Lookahead) -> None:
    """Take back what was not accepted, and set up the next round."""
    place = torch.arange(text.shape[1], device=text.device)
    rows.target.take_back(place <= n_accepted[:, None])
    if text.shape[1] > 1:  # the draft read its tail of two, then all its proposals but the last
        rows.draft.take_back(pad(place[:-1] < n_accepted[:, None], (1, 0), value=True))
    behind = torch.cat([rows.tail, text], dim=1)
    rows.tail = behind.gather(1, n_accepted[:, None] + torch.tensor([1, 2], device=text.device))
    rows.tail_valid = torch.ones_like(rows.tail_valid)
    rows.n_new = rows.n_new + n_accepted + 1
    if lookahead.schedule != "constant":
        full = n_accepted == n_drafted
        rows.n_ahead = torch.where(full, rows.n_ahead + 2, (rows.n_ahead - 1).clamp(min=1))
