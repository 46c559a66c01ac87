"""One target and the drafts that read along, over one batch: the loop beneath the
tracer.

The target writes, or reads a text that is there already; the drafts lag behind it by a
few steps. Knows lags and who leaves; does not know headers or what a Trace is for. Both
models' distributions meet in chunks of a few steps and are reduced to one number per
column there and then: nothing of the vocabulary's size outlives its chunk.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specfair.decoding import Decoding
from specfair.engine.columns import At, reduced, written
from specfair.engine.cursor import Cursor
from specfair.engine.drafts import Draft, Opened
from specfair.engine.sampling import TOKEN, choose
from specfair.engine.sheet import Sheet
from specfair.engine.task import Rows, Task

# numbers of the vocabulary's size held at a time
_CHUNK = {"cpu": 1 << 22, "cuda": 1 << 28}
_LEAVE = 0.75  # rows leave the batch once at most this share is still going on


@dataclass(frozen=True, slots=True)
class Job:
    """What is written by the target and read by the drafts, and the sheets to fill."""

    task: Task
    text: Sheet
    # of the text where it is there already: then nothing is written, it is read again
    lengths: NDArray[np.int64] | None = None
    # each with the sheet of its reading; without any, only the tokens are kept
    drafts: Sequence[tuple[Draft, Sheet]] = ()


@torch.inference_mode()
def run_pass(job: Job, rows: Rows) -> None:
    """Position by position through the texts of these prompts."""
    target, readers = _target(job, rows), _readers(job, rows)
    while True:
        logits, tokens = target.step()
        for reader in readers:
            reader.add(logits, tokens)
        n_alive = target.n_alive()
        if n_alive == 0:
            break
        if n_alive <= _LEAVE * len(target.alive):
            stay = target.alive.nonzero()[:, 0]
            target.keep_rows(stay)
            for reader in readers:
                reader.keep_rows(stay)
    for reader in readers:
        reader.flush()


def _steps(task: Task, n_rows: int) -> int:
    """Positions whose logits are held at a time."""
    most = _CHUNK.get(task.pair.device.type, 1 << 22)
    return max(1, most // (n_rows * task.pair.n_vocab))


@dataclass(slots=True)
class _Unread:
    """What a model has not read yet (n_rows, n)."""

    tokens: Tensor
    valid: Tensor

    def before(self, more: Tensor) -> tuple[Tensor, Tensor]:
        """The last of `more` stays unread: that, and all the rest to be read now."""
        read, seen = more[:, :-1], torch.ones_like(more, dtype=torch.bool)
        tokens = torch.cat([self.tokens, read], dim=1)
        valid = torch.cat([self.valid, seen[:, :-1]], dim=1)
        self.tokens, self.valid = more[:, -1:], seen[:, -1:]
        return tokens, valid

    def keep_rows(self, rows: Tensor) -> None:
        self.tokens, self.valid = self.tokens[rows], self.valid[rows]


@dataclass(slots=True)
class _Writing:
    """The target goes on from the prompts, a token at a time."""

    task: Task
    cursor: Cursor
    tokens: Tensor
    valid: Tensor
    alive: Tensor  # (n_rows,)
    uniforms: Tensor  # (n_rows, max_new_tokens, draws)
    eos: Tensor
    position: int = 0

    def step(self) -> tuple[Tensor, Tensor]:
        """Logits (n_rows, n, vocabulary) and tokens (n_rows, n), n = 1."""
        logits = self.cursor.feed(self.tokens, self.valid, keep=1)
        drawn = self.uniforms[:, self.position, TOKEN]
        token = choose(logits[:, 0], drawn, self.task.decoding)
        self.tokens = token[:, None]
        self.valid = torch.ones_like(self.tokens, dtype=torch.bool)
        self.alive = self.alive & ~torch.isin(token, self.eos)
        self.position += 1
        return logits, self.tokens

    def n_alive(self) -> int:
        """How many texts are not at their end."""
        if self.position == self.task.decoding.max_new_tokens:
            return 0
        return int(self.alive.sum()) if len(self.eos) else len(self.alive)

    def keep_rows(self, rows: Tensor) -> None:
        self.cursor.keep_rows(rows)
        self.tokens, self.valid = self.tokens[rows], self.valid[rows]
        self.alive, self.uniforms = self.alive[rows], self.uniforms[rows]


@dataclass(slots=True)
class _Rereading:
    """The target reads what it has written, as many positions at a time as may be."""

    task: Task
    cursor: Cursor
    unread: _Unread
    text: Tensor  # (n_rows, max_new_tokens)
    lengths: Tensor  # (n_rows,)
    position: int = 0

    @property
    def alive(self) -> Tensor:
        return self.lengths > self.position

    def step(self) -> tuple[Tensor, Tensor]:
        """As if they had been written."""
        end = self.position + _steps(self.task, len(self.text))
        tokens = self.text[:, self.position : end]
        self.position += tokens.shape[1]
        read = self.unread.before(tokens)
        return self.cursor.feed(*read, keep=tokens.shape[1]), tokens

    def n_alive(self) -> int:
        return int(self.alive.sum())

    def keep_rows(self, rows: Tensor) -> None:
        self.cursor.keep_rows(rows)
        self.unread.keep_rows(rows)
        self.text, self.lengths = self.text[rows], self.lengths[rows]


def _target(job: Job, rows: Rows) -> _Writing | _Rereading:
    task, device = job.task, job.task.pair.device
    cursor = Cursor(task.pair.target, len(rows), task.pair.n_vocab)
    tokens, valid = task.batch(rows)
    if job.lengths is not None:
        text = torch.from_numpy(job.text.columns["token"][rows]).long().to(device)
        lengths = torch.from_numpy(job.lengths[rows]).to(device)
        return _Rereading(task, cursor, _Unread(tokens, valid), text, lengths)
    return _Writing(
        task,
        cursor,
        tokens,
        valid,
        alive=valid.any(1),
        uniforms=task.uniforms(rows),
        eos=torch.tensor(task.eos, dtype=torch.long, device=device),
    )


def _readers(job: Job, rows: Rows) -> "Sequence[_Reading | _Noting]":
    if not job.drafts:
        return [_Noting(job.text, rows, job.task.decoding)]
    found: list[_Reading] = []
    for draft, sheet in job.drafts:
        # what is the target's alone is the same for all: the first writes it down
        first = not found and job.lengths is None
        found.append(
            _Reading(
                job.task,
                draft.open(len(rows)),
                rows,
                sheets=(job.text, sheet) if first else (sheet,),
                unread=_Unread(*job.task.batch(rows)),
                uniforms=job.task.uniforms(rows),
            )
        )
    return found


@dataclass(slots=True)
class _Reading:
    """A draft reading along: it lags behind the target by the steps that are
    pending.
    """

    task: Task
    draft: Opened
    rows: Rows  # the prompts of this batch that are still in it
    sheets: Sequence[Sheet]
    unread: _Unread
    uniforms: Tensor  # (n_rows, max_new_tokens, draws)
    # the target's logits and its token, per step
    pending: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    position: int = 0

    def add(self, logits: Tensor, tokens: Tensor) -> None:
        for j in range(tokens.shape[1]):
            self.pending.append((logits[:, j], tokens[:, j]))
        if len(self.pending) >= _steps(self.task, len(self.rows)):
            self.flush()

    def flush(self) -> None:
        """Let the draft read up to the pending positions, and write their columns."""
        if not self.pending:
            return
        start, end = self.position, self.position + len(self.pending)
        written = torch.stack([token for _, token in self.pending], dim=1)
        drafted = self.draft.feed(*self.unread.before(written), keep=end - start)
        steps, first_choice = [], self.task.pair.first_choice
        for j, (logits, token) in enumerate(self.pending):
            at = At(token, self.uniforms[:, start + j], first_choice=first_choice)
            steps.append(reduced(logits, drafted[:, j], at, self.task.decoding))
        found = {n: torch.stack([s[n] for s in steps], dim=1) for n in steps[0]}
        for sheet in self.sheets:
            sheet.write((self.rows[:, None], np.arange(start, end)), found)
        self.pending, self.position = [], end

    def keep_rows(self, rows: Tensor) -> None:
        self.flush()
        self.draft.keep_rows(rows)
        self.unread.keep_rows(rows)
        self.rows, self.uniforms = self.rows[rows.cpu().numpy()], self.uniforms[rows]


@dataclass(slots=True)
class _Noting:
    """Nobody reads along: only what is the target's is kept."""

    text: Sheet
    rows: Rows
    decoding: Decoding
    position: int = 0

    def add(self, logits: Tensor, tokens: Tensor) -> None:
        for j, token in enumerate(tokens.T):
            found = {"token": token}
            if "target_prob" in self.text.columns:
                found = written(logits[:, j], token, self.decoding)
            self.text.write((self.rows, self.position), found)
            self.position += 1

    def flush(self) -> None:
        """Nothing is ever pending."""

    def keep_rows(self, rows: Tensor) -> None:
        self.rows = self.rows[rows.cpu().numpy()]
