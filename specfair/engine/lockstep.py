"""One target writing and drafts reading along, batch by batch: the loops beneath the
tracer.

Knows batches, lags and memory; does not know headers or what a Trace is for. Both
models' distributions meet in chunks of a few steps and are reduced to one number per
column there and then: nothing of the vocabulary's size outlives its chunk.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specfair.decoding import Decoding
from specfair.engine.columns import TOKEN, At, Sheet, choose, columns
from specfair.engine.decoder import Decoder, pad_left
from specfair.models.devices import does_not_fit, fits
from specfair.models.pair import Pair

Progress = Callable[[int, int], None]  # prompts done, prompts in all
Rows = NDArray[np.int64]  # places in the list of prompts

# numbers of the vocabulary's size held at a time
_CHUNK = {"cpu": 1 << 22, "cuda": 1 << 28}
_BATCH_TOKENS = {"cpu": 1 << 13, "cuda": 1 << 17}
_LEAVE = 0.75  # rows leave the batch once at most this share is still writing


@dataclass(frozen=True, slots=True)
class Job:
    """Pairs of one target, the encoded prompts, and the sheet to fill for each pair."""

    pairs: Sequence[Pair]
    ids: list[list[int]]
    sheets: Sequence[Sheet]
    decoding: Decoding

    @property
    def pair(self) -> Pair:
        """Any of them, where only the target matters."""
        return self.pairs[0]

    def batch(self, rows: Rows) -> tuple[Tensor, Tensor]:
        return pad_left([self.ids[i] for i in rows], self.pair.device)

    def uniforms(self, rows: Rows) -> Tensor:
        return self.sheets[0].uniforms(rows).to(self.pair.device)


def in_batches(
    job: Job,
    work: Callable[[Job, Rows], None],
    progress: Progress | None = None,
    batch_tokens: int | None = None,
    *,
    once: bool = False,
) -> None:
    """Longest first, as many rows as fit the limit; where memory runs out, half as many
    from there on.

    `once` raises instead: what is timed must not be tried twice.
    """
    limit = batch_tokens or _BATCH_TOKENS.get(job.pair.device.type, 1 << 15)
    sizes = np.array(
        [len(ids) + job.decoding.max_new_tokens for ids in job.ids], dtype=np.int64
    )
    order, done = np.argsort(-sizes, kind="stable"), 0
    while done < len(order):
        longest = int(sizes[order[done]])
        rows = order[done : done + max(1, limit // longest)]
        if once:
            work(job, rows)
        if once or fits(partial(work, job, rows)):
            done += len(rows)
            if progress is not None:
                progress(done, len(order))
        elif len(rows) > 1:
            limit = len(rows) // 2 * longest
        else:
            n_new, name = job.decoding.max_new_tokens, job.sheets[0].prompts[rows[0]].id
            raise does_not_fit(
                name, longest - n_new, n_new=n_new, device=job.pair.device
            )


def _steps(pair: Pair, n_rows: int) -> int:
    """Positions whose logits are held at a time."""
    return max(1, _CHUNK.get(pair.device.type, 1 << 22) // (n_rows * pair.n_vocab))


@dataclass(slots=True)
class _Reader:
    """The draft reading along: it lags behind the target by the steps that are
    pending.
    """

    pair: Pair
    sheet: Sheet
    rows: Rows  # the prompts of this batch that are still in it
    tokens: Tensor  # what the draft has not read yet (n_rows, n)
    valid: Tensor
    draft: Decoder
    uniforms: Tensor  # (n_rows, max_new_tokens, draws)
    # the target's logits and its token, per step
    pending: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    position: int = 0

    def add(self, logits: Tensor, token: Tensor) -> None:
        """One more position: what the target made of it. The draft reads on when enough
        are pending.
        """
        self.pending.append((logits, token))
        if len(self.pending) >= _steps(self.pair, len(self.rows)):
            self.flush()

    def flush(self) -> None:
        """Let the draft read up to the pending positions, and write their columns."""
        if not self.pending:
            return
        n, start = len(self.pending), self.position
        read = torch.stack([token for _, token in self.pending], dim=1)  # (n_rows, n)
        drafted = self.draft.feed(
            *_append(self.tokens, self.valid, read[:, :-1]), keep=n
        )
        steps = [
            columns(
                logits,
                drafted[:, j],
                At(token, self.uniforms[:, start + j]),
                self.sheet.decoding,
            )
            for j, (logits, token) in enumerate(self.pending)
        ]
        where = (self.rows[:, None], np.arange(start, start + n))
        self.sheet.write(
            where,
            {name: torch.stack([s[name] for s in steps], dim=1) for name in steps[0]},
        )
        self.tokens, self.valid = (
            read[:, -1:],
            torch.ones_like(read[:, -1:], dtype=torch.bool),
        )
        self.pending, self.position = [], start + n

    def keep_rows(self, rows: Tensor) -> None:
        """The others have written their text."""
        self.flush()
        self.draft.keep_rows(rows)
        self.rows, self.uniforms = self.rows[rows.cpu().numpy()], self.uniforms[rows]
        self.tokens, self.valid = self.tokens[rows], self.valid[rows]


@dataclass(slots=True)
class _Noter:
    """Nobody reading along: only the text is kept."""

    sheet: Sheet
    rows: Rows
    position: int = 0

    def add(self, _: Tensor, token: Tensor) -> None:
        self.sheet.write((self.rows, self.position), {"token": token})
        self.position += 1

    def flush(self) -> None:
        """Nothing is ever pending."""

    def keep_rows(self, rows: Tensor) -> None:
        self.rows = self.rows[rows.cpu().numpy()]


def _append(tokens: Tensor, valid: Tensor, more: Tensor) -> tuple[Tensor, Tensor]:
    return torch.cat([tokens, more], dim=1), torch.cat(
        [valid, torch.ones_like(more, dtype=torch.bool)], dim=1
    )


def _readers(job: Job, rows: Rows) -> list[_Reader]:
    n = len(rows)
    return [
        _Reader(
            pair,
            sheet,
            rows,
            *job.batch(rows),
            Decoder(pair.draft, n, pair.n_vocab),
            job.uniforms(rows),
        )
        for pair, sheet in zip(job.pairs, job.sheets, strict=True)
    ]


def write_and_read(job: Job, rows: Rows) -> None:
    """The target writes step by step; every few steps the drafts read what was
    written.
    """
    _run(job, rows, _readers(job, rows))


def write(job: Job, rows: Rows) -> None:
    _run(job, rows, [_Noter(job.sheets[0], rows)])


@torch.inference_mode()
def _run(job: Job, rows: Rows, readers: Sequence[_Reader | _Noter]) -> None:
    tokens, valid = job.batch(rows)
    uniforms = job.uniforms(rows)
    target = Decoder(job.pair.target, len(rows), job.pair.n_vocab)
    eos = torch.tensor(job.sheets[0].eos, dtype=torch.long, device=tokens.device)
    alive = valid.any(1)
    for position in range(job.decoding.max_new_tokens):
        logits = target.feed(tokens, valid, keep=1)[:, 0]
        token = choose(logits, uniforms[:, position, TOKEN], job.decoding)
        for reader in readers:
            reader.add(logits, token)
        tokens, valid = (
            token[:, None],
            torch.ones_like(token[:, None], dtype=torch.bool),
        )
        alive = alive & ~torch.isin(token, eos)
        n_alive = int(alive.sum()) if len(eos) else len(alive)
        if n_alive == 0:
            break
        if n_alive <= _LEAVE * len(alive):
            stay = alive.nonzero()[:, 0]
            for leaving in (target, *readers):
                leaving.keep_rows(stay)
            tokens, valid, alive, uniforms = (
                tokens[stay],
                valid[stay],
                alive[stay],
                uniforms[stay],
            )
    for reader in readers:
        reader.flush()


@torch.inference_mode()
def read(job: Job, rows: Rows) -> None:
    """Both models read what was written before; rows leave when their text has been
    read.
    """
    reader = _readers(job, rows)[0]
    target = Decoder(job.pair.target, len(rows), job.pair.n_vocab)
    lengths = torch.from_numpy(reader.sheet.lengths()[rows]).to(job.pair.device)
    text = (
        torch.from_numpy(reader.sheet.columns["token"][rows]).long().to(job.pair.device)
    )
    while len(lengths):
        chunk = text[
            :, reader.position : reader.position + _steps(job.pair, len(lengths))
        ]
        logits = target.feed(
            *_append(reader.tokens, reader.valid, chunk[:, :-1]), keep=chunk.shape[1]
        )
        for j in range(chunk.shape[1]):
            reader.add(logits[:, j], chunk[:, j])
        reader.flush()
        stay = (lengths > reader.position).nonzero()[:, 0]
        if len(stay) <= _LEAVE * len(lengths):
            target.keep_rows(stay)
            reader.keep_rows(stay)
            lengths, text = lengths[stay], text[stay]
