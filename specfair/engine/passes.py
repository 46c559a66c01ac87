"""One target and the drafts that read along, over one batch: the loop beneath the
tracer.

The target writes, or says again what it said of a text that is there: recalled from
what went into its output layer, where that was kept, or else by reading the text. The
drafts lag behind it by a few steps. Knows lags and who leaves; does not know headers or
what a Trace is for. Both models' distributions meet in chunks of a few steps and are
reduced to one number per column there and then: nothing of the vocabulary's size
outlives its chunk.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from specfair.engine import output
from specfair.engine.columns import At, Said, read, recalled, spoken
from specfair.engine.cursor import Cursor
from specfair.engine.drafts import Draft, Opened
from specfair.engine.sampling import TOKEN, choose
from specfair.engine.sheet import Sheet
from specfair.engine.task import Rows, Task
from specfair.traces.trace import Text

# numbers of the vocabulary's size held at a time; with the caches they stay below what
# a CPU's allocator keeps
_CHUNK = {"cpu": 1 << 21, "cuda": 1 << 28}
_LEAVE = 0.75  # rows leave the batch once at most this share is still going on


@dataclass(frozen=True, slots=True)
class Job:
    """What is written by the target and read by the drafts, and the sheets to fill."""

    task: Task
    # of the text: only its tokens, or all its columns and perhaps its states
    text: Sheet
    drafts: Sequence[tuple[Draft, Sheet]] = ()  # each with the sheet of its reading
    given: Text | None = None  # it is there already: nothing is written


@torch.inference_mode()
def run_pass(job: Job, rows: Rows) -> None:
    """Position by position through the texts of these prompts."""
    writes = output.overheard(job.task.pair.target) if job.given is None else None
    with writes or nullcontext([]) as heard:
        uniforms = job.task.uniforms(rows)
        target = _target(job, rows, uniforms, heard=heard)
        readers = [_reader(job.task, rows, uniforms, each) for each in job.drafts]
        while True:
            said = target.step()
            for reader in readers:
                reader.add(said)
            alive = target.alive()
            n_alive = int(alive.sum())
            if n_alive == 0:
                break
            if n_alive <= _LEAVE * len(alive):
                for each in (target, *readers):
                    each.keep_rows(alive.nonzero()[:, 0])
        for reader in readers:
            reader.flush()


def _held(task: Task) -> int:
    """Positions of a row whose logits are held at a time, all rows together."""
    return _CHUNK.get(task.pair.device.type, 1 << 21) // task.pair.n_vocab


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

    job: Job
    rows: Rows  # the prompts of this batch that are still in it
    cursor: Cursor
    unread: _Unread
    heard: Sequence[Tensor]  # what last went into the output layer
    uniforms: Tensor  # (n_rows, max_new_tokens, draws)
    going: Tensor  # (n_rows,)
    eos: Tensor
    position: int = 0

    def step(self) -> list[Said]:
        """What it says next; that is written down here."""
        decoding, sheet = self.job.task.decoding, self.job.text
        logits = self.cursor.feed(self.unread.tokens, self.unread.valid, keep=1)[:, 0]
        drawn, said = self.uniforms[:, self.position, TOKEN], list[Said]()
        if "margin" in sheet.columns:
            said = [spoken(logits, decoding, drawn=drawn)]
            found = dict(said[0].columns)
        else:
            found = {"token": choose(logits, drawn, decoding)}
        if "states" in sheet.columns:
            found["states"] = output.as_bytes(self.heard[0][:, -1])
        sheet.write((self.rows, self.position), found)
        token = found["token"][:, None]
        self.unread = _Unread(token, torch.ones_like(token, dtype=torch.bool))
        self.going = self.going & ~torch.isin(found["token"], self.eos)
        self.position += 1
        return said

    def alive(self) -> Tensor:
        """Which texts are not at their end (n_rows,)."""
        return self.going & (self.position < self.job.task.decoding.max_new_tokens)

    def keep_rows(self, rows: Tensor) -> None:
        self.cursor.keep_rows(rows)
        self.unread.keep_rows(rows)
        self.rows = self.rows[rows.cpu().numpy()]
        self.going, self.uniforms = self.going[rows], self.uniforms[rows]


@dataclass(slots=True)
class _Again:
    """What the target said of a text that is there."""

    job: Job
    rows: Rows
    text: Text
    # reads the text; without one, the target's states were kept
    cursor: Cursor | None
    unread: _Unread
    position: int = 0

    def step(self) -> list[Said]:
        """As it was written: a position at a time, and as many as may be where they
        are read.
        """
        task, device = self.job.task, self.job.task.pair.device
        n = 1 if self.cursor is None else max(1, _held(task) // len(self.rows))
        start, end = self.position, min(self.position + n, self.job.task.shape[1])
        self.position = end
        kept, sheet = list[Said](), self.job.text
        found = {
            name: torch.from_numpy(sheet.columns[name][self.rows, start:end]).to(device)
            for name in self.text.columns
        }
        found["token"] = found["token"].long()
        logits = self._logits(found["token"], start)
        for j in range(end - start):
            columns = {name: column[:, j] for name, column in found.items()}
            if "margin" in columns:
                kept.append(recalled(logits[:, j], columns, task.decoding))
            else:  # others wrote it: what the target says of it is written down
                said = spoken(logits[:, j], task.decoding, token=columns["token"])
                sheet.write((self.rows, start + j), said.columns)
                kept.append(said)
        return kept

    def _logits(self, tokens: Tensor, start: int) -> Tensor:
        """(n_rows, n, vocabulary)"""
        pair = self.job.task.pair
        if self.cursor is not None:
            return self.cursor.feed(*self.unread.before(tokens), keep=tokens.shape[1])
        assert self.text.states is not None
        within = np.minimum(start, self.text.lengths[self.rows] - 1)
        states = self.text.states[self.text.offsets[self.rows] + within]
        whole = output.product(pair.target, torch.from_numpy(states).view(pair.dtype))
        logits = whole[:, None, : pair.n_vocab]
        return logits.to(tokens.device, torch.float32)

    def alive(self) -> Tensor:
        going = self.text.lengths[self.rows] > self.position
        return torch.from_numpy(going).to(self.job.task.pair.device)

    def keep_rows(self, rows: Tensor) -> None:
        if self.cursor is not None:
            self.cursor.keep_rows(rows)
        self.unread.keep_rows(rows)
        self.rows = self.rows[rows.cpu().numpy()]


def _target(
    job: Job, rows: Rows, uniforms: Tensor, *, heard: Sequence[Tensor]
) -> _Writing | _Again:
    task, device = job.task, job.task.pair.device
    unread = _Unread(*task.batch(rows))
    cursor = Cursor(task.pair.target, len(rows), task.pair.n_vocab)
    if job.given is not None:
        kept = job.given.states is not None
        return _Again(job, rows, job.given, None if kept else cursor, unread)
    return _Writing(
        job,
        rows,
        cursor,
        unread,
        heard,
        uniforms=uniforms,
        going=unread.valid.any(1),
        eos=torch.tensor(task.eos, dtype=torch.long, device=device),
    )


def _reader(
    task: Task, rows: Rows, uniforms: Tensor, reader: tuple[Draft, Sheet]
) -> "_Reading":
    draft, sheet = reader
    return _Reading(
        task,
        draft.open(rows.tolist()),
        rows,
        sheet,
        unread=_Unread(*task.batch(rows)),
        uniforms=uniforms,
        held=_held(task),
        going=torch.arange(len(rows), device=uniforms.device),
    )


@dataclass(slots=True)
class _Reading:
    """A draft reading along: it lags behind the target by the steps that are pending.
    Rows that leave meanwhile stay with it until it has read those.
    """

    task: Task
    draft: Opened
    rows: Rows  # the prompts that it reads
    sheet: Sheet
    unread: _Unread
    uniforms: Tensor  # (n_rows, max_new_tokens, draws)
    held: int  # positions of a row that may be pending, all rows together
    going: Tensor  # which of its rows are still in the batch
    # by the target of some of its rows, per step
    pending: list[tuple[Said, Tensor]] = field(default_factory=list)
    position: int = 0

    def add(self, said: Sequence[Said]) -> None:
        self.pending += [(each, self.going) for each in said]
        if (len(self.pending) + 1) * len(self.rows) > self.held:
            self.flush()

    def flush(self) -> None:
        """Let the draft read up to the pending positions, and write their columns."""
        if not self.pending:
            return
        start, n = self.position, len(self.pending)
        # rows that have left read some token again
        tokens = self.unread.tokens[:, -1:].repeat(1, n)
        for j, (said, some) in enumerate(self.pending):
            tokens[some, j] = said.columns["token"]
        drafted = self.draft.feed(*self.unread.before(tokens), keep=n)
        rows = torch.cat([some for _, some in self.pending])
        steps = torch.cat(
            [torch.full_like(some, j) for j, (_, some) in enumerate(self.pending)]
        )
        at = At(
            tokens[rows, steps],
            self.uniforms[rows, start + steps],
            first_choice=self.task.pair.first_choice,
        )
        parts = (
            (said, drafted[:, j] if len(some) == len(drafted) else drafted[some, j])
            for j, (said, some) in enumerate(self.pending)
        )
        found = read(parts, at, self.task.decoding)
        places = self.rows[rows.cpu().numpy()], start + steps.cpu().numpy()
        self.sheet.write(places, found)
        self.pending, self.position = [], start + n
        if len(self.going) < len(self.rows):
            self._leave()

    def keep_rows(self, rows: Tensor) -> None:
        self.going = self.going[rows]

    def _leave(self) -> None:
        self.draft.keep_rows(self.going)
        self.unread.keep_rows(self.going)
        self.rows = self.rows[self.going.cpu().numpy()]
        self.uniforms = self.uniforms[self.going]
        self.going = torch.arange(len(self.rows), device=self.going.device)
