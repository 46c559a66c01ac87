"""Pair and prompts to a Trace: one batched generation by the target, one batched forward pass of the draft over it.

Knows batching, per-token reductions and memory; does not know lookaheads, acceptance counts or groups. Both models'
distributions meet in chunks of a few steps and are reduced to one number per column there and then: nothing of the
vocabulary's size outlives its chunk. Results depend neither on batch size nor on the order of the prompts.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specfair.columns import TOKEN, At, Sheet, choose, columns, split
from specfair.decoder import Decoder, pad_left
from specfair.errors import DataError, UsageError
from specfair.pairs import Pair, encode
from specfair.prompts import Prompt
from specfair.trace import Decoding, Header, Trace

Progress = Callable[[int, int], None]  # prompts done, prompts in all

_CHUNK = {"cpu": 1 << 22, "cuda": 1 << 28}  # numbers of the vocabulary's size held at a time
_BATCH_TOKENS = {"cpu": 1 << 13, "cuda": 1 << 17}
_LEAVE = 0.75  # rows leave the batch once at most this share is still writing


def trace(pair: Pair, prompts: Sequence[Prompt], decoding: Decoding, *, progress: Progress | None = None,
          batch_tokens: int | None = None) -> Trace:
    """Let the target write after every prompt, and record what the draft makes of every token."""
    return trace_drafts([pair], prompts, decoding, progress=progress, batch_tokens=batch_tokens)[0]


def trace_drafts(pairs: Sequence[Pair], prompts: Sequence[Prompt], decoding: Decoding, *,
                 progress: Progress | None = None, batch_tokens: int | None = None) -> list[Trace]:
    """A Trace for each of several drafts of one target, which writes only once: each further draft costs only itself."""
    job = _job(pairs, prompts, decoding)
    _in_batches(job, _generate, progress, batch_tokens)
    kept = job.sheets[0].within(job.sheets[0].lengths())
    return [sheet.finish(header(pair, prompts, decoding), kept) for pair, sheet in zip(pairs, job.sheets, strict=True)]


def generate(pair: Pair, prompts: Sequence[Prompt], decoding: Decoding, *, progress: Progress | None = None,
             batch_tokens: int | None = None) -> list[NDArray[np.int32]]:
    """The text alone, as `trace` has it: what the target costs by itself."""
    job = _job([pair], prompts, decoding)
    _in_batches(job, _write, progress, batch_tokens)
    sheet = job.sheets[0]
    return [tokens[:n] for tokens, n in zip(sheet.columns["token"], sheet.lengths(), strict=True)]


def rescore(pair: Pair, traced: Trace, *, progress: Progress | None = None, batch_tokens: int | None = None) -> Trace:
    """The same text of the same target, seen by another draft. One forward pass of each model, no generation."""
    if pair.target_fingerprint != traced.header.target_fingerprint:
        raise DataError(f"the trace was written by {traced.header.target!r}, the pair's target {pair.target_name!r} "
                        "has other weights; only the draft may change. Trace again.")
    job = _job([pair], traced.prompts, traced.header.decoding)
    sheet = job.sheets[0]
    kept = sheet.within(traced.lengths)
    sheet.columns["token"][kept] = traced["token"]
    _in_batches(job, _read, progress, batch_tokens)
    new = sheet.finish(replace(traced.header, draft=pair.draft_name, draft_fingerprint=pair.draft_fingerprint,
                               cost_ratio=None), kept)
    same = {name: traced.columns[name] for name in ("token", "target_prob", "target_entropy", "margin")}
    return replace(new, columns={**new.columns, **same})


def check_decoding(decoding: Decoding) -> None:
    """Refuse settings that have no meaning."""
    rules = [("max_new_tokens", decoding.max_new_tokens >= 1, "at least 1"),
             ("temperature", 0.0 <= decoding.temperature < float("inf"), "0 (greedy) or positive"),
             ("top_k", decoding.top_k >= 0, "0 (off) or positive"),
             ("top_p", 0.0 < decoding.top_p <= 1.0, "above 0 and at most 1 (off)")]
    for name, fits, rule in rules:
        if not fits:
            raise UsageError(f"{name} is {getattr(decoding, name)}; it must be {rule}. Change {name}.")


def header(pair: Pair, prompts: Sequence[Prompt], decoding: Decoding) -> Header:
    """What the trace of these prompts by this pair says of itself. A prompt set brings its own name and fingerprint."""
    return Header(
        target=pair.target_name, draft=pair.draft_name, target_fingerprint=pair.target_fingerprint,
        draft_fingerprint=pair.draft_fingerprint, tokenizer_fingerprint=pair.tokenizer_fingerprint,
        prompts=getattr(prompts, "name", "prompts"),
        prompts_fingerprint=getattr(prompts, "fingerprint", None) or _fingerprint(prompts),
        decoding=decoding, dtype=str(pair.dtype).removeprefix("torch."), device=pair.device.type,
        eos=() if decoding.ignore_eos else pair.eos, versions=_versions())


def _fingerprint(prompts: Sequence[Prompt]) -> str:
    return hashlib.sha256(json.dumps([asdict(p) for p in prompts]).encode()).hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for name in ("specfair", "torch", "transformers"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a checkout that is not installed
            found[name] = "unknown"
    return found


@dataclass(frozen=True, slots=True)
class _Job:
    """Pairs of one target, the encoded prompts, and the sheet to fill for each pair."""

    pairs: Sequence[Pair]
    ids: list[list[int]]
    sheets: Sequence[Sheet]
    decoding: Decoding

    @property
    def pair(self) -> Pair:
        """Any of them, where only the target matters."""
        return self.pairs[0]

    def batch(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        return pad_left([self.ids[i] for i in rows], self.pair.device)

    def uniforms(self, rows: NDArray[np.int64]) -> Tensor:
        return self.sheets[0].uniforms(rows).to(self.pair.device)


def _job(pairs: Sequence[Pair], prompts: Sequence[Prompt], decoding: Decoding) -> _Job:
    check_decoding(decoding)
    if len({(p.target_fingerprint, p.n_vocab) for p in pairs}) != 1:
        names = ", ".join(f"{p.target_name!r} with {p.n_vocab} tokens" for p in pairs)
        raise DataError(f"drafts are traced together for one target; these pairs have {names}. Trace them one by one.")
    ids, _ = encode(pairs[0], prompts, decoding.max_new_tokens)
    eos = () if decoding.ignore_eos else pairs[0].eos
    return _Job(pairs, ids, [Sheet(prompts, decoding, eos) for _ in pairs], decoding)


def _in_batches(job: _Job, work: Callable[[_Job, NDArray[np.int64]], None], progress: Progress | None,
                batch_tokens: int | None) -> None:
    limit = batch_tokens or _BATCH_TOKENS.get(job.pair.device.type, 1 << 15)
    done = 0
    for batch in batches([len(i) + job.decoding.max_new_tokens for i in job.ids], limit):
        _halving(lambda rows: work(job, np.array(rows)), batch)
        done += len(batch)
        if progress is not None:
            progress(done, len(job.ids))


def batches(sizes: Sequence[int], limit: int) -> Iterator[list[int]]:
    """Indices sorted by size and packed so that rows times the longest stays within the limit; longest first."""
    batch: list[int] = []
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        if batch and (len(batch) + 1) * sizes[batch[0]] > limit:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _halving(work: Callable[[list[int]], None], rows: list[int]) -> None:
    """Do the rows at once, or in halves where the device's memory does not hold them."""
    try:
        work(rows)
        return
    except torch.OutOfMemoryError:
        if len(rows) == 1:
            raise
    torch.cuda.empty_cache()  # outside the handler: the error holds the frames that hold the memory
    for half in (rows[: len(rows) // 2], rows[len(rows) // 2:]):
        _halving(work, half)


def _steps(pair: Pair, n_rows: int) -> int:
    """Positions whose logits are held at a time."""
    return max(1, _CHUNK.get(pair.device.type, 1 << 22) // (n_rows * pair.n_vocab))


@dataclass(slots=True)
class _Reader:
    """The draft reading along: it lags behind the target by the steps that are pending."""

    pair: Pair
    sheet: Sheet
    rows: NDArray[np.int64]  # the prompts of this batch that are still in it
    tokens: Tensor  # what the draft has not read yet (n_rows, n)
    valid: Tensor
    draft: Decoder
    uniforms: Tensor  # (n_rows, max_new_tokens, draws)
    pending: list[tuple[Tensor, Tensor]] = field(default_factory=list)  # the target's logits and its token, per step
    position: int = 0

    def add(self, logits: Tensor, token: Tensor) -> None:
        """One more position: what the target made of it. The draft reads on when enough are pending."""
        self.pending.append((logits, token))
        if len(self.pending) >= _steps(self.pair, len(self.rows)):
            self.flush()

    def flush(self) -> None:
        """Let the draft read up to the pending positions, and write their columns."""
        if not self.pending:
            return
        n, start = len(self.pending), self.position
        read = torch.stack([token for _, token in self.pending], dim=1)  # (n_rows, n)
        drafted = self.draft.feed(*_append(self.tokens, self.valid, read[:, :-1]), keep=n)
        steps = [columns(logits, drafted[:, j], At(token, self.uniforms[:, start + j]), self.sheet.decoding)
                 for j, (logits, token) in enumerate(self.pending)]
        where = (self.rows[:, None], np.arange(start, start + n))
        self.sheet.write(where, {name: torch.stack([s[name] for s in steps], dim=1) for name in steps[0]})
        self.tokens, self.valid = read[:, -1:], torch.ones_like(read[:, -1:], dtype=torch.bool)
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
    rows: NDArray[np.int64]
    position: int = 0

    def add(self, _: Tensor, token: Tensor) -> None:
        self.sheet.write((self.rows, self.position), {"token": token})
        self.position += 1

    def flush(self) -> None:
        """Nothing is ever pending."""

    def keep_rows(self, rows: Tensor) -> None:
        self.rows = self.rows[rows.cpu().numpy()]


def _append(tokens: Tensor, valid: Tensor, more: Tensor) -> tuple[Tensor, Tensor]:
    return torch.cat([tokens, more], dim=1), torch.cat([valid, torch.ones_like(more, dtype=torch.bool)], dim=1)


def _readers(job: _Job, rows: NDArray[np.int64]) -> list[_Reader]:
    n = len(rows)
    return [_Reader(pair, sheet, rows, *job.batch(rows), Decoder(pair.draft, n, pair.n_vocab), job.uniforms(rows))
            for pair, sheet in zip(job.pairs, job.sheets, strict=True)]


def _generate(job: _Job, rows: NDArray[np.int64]) -> None:
    """The target writes step by step; every few steps the drafts read what was written."""
    _run(job, rows, _readers(job, rows))


def _write(job: _Job, rows: NDArray[np.int64]) -> None:
    _run(job, rows, [_Noter(job.sheets[0], rows)])


@torch.inference_mode()
def _run(job: _Job, rows: NDArray[np.int64], readers: Sequence[_Reader | _Noter]) -> None:
    tokens, valid = job.batch(rows)
    uniforms = job.uniforms(rows)
    target = Decoder(job.pair.target, len(rows), job.pair.n_vocab)
    eos = torch.tensor(job.sheets[0].eos, device=tokens.device)
    alive = valid.any(1)
    for position in range(job.decoding.max_new_tokens):
        logits = target.feed(tokens, valid, keep=1)[:, 0]
        token = choose(logits, uniforms[:, position, TOKEN], job.decoding)
        for reader in readers:
            reader.add(logits, token)
        tokens, valid = token[:, None], torch.ones_like(token[:, None], dtype=torch.bool)
        alive = alive & ~torch.isin(token, eos)
        n_alive = int(alive.sum()) if len(eos) else len(alive)
        if n_alive == 0:
            break
        if n_alive <= _LEAVE * len(alive):
            stay = alive.nonzero()[:, 0]
            for leaving in (target, *readers):
                leaving.keep_rows(stay)
            tokens, valid, alive, uniforms = tokens[stay], valid[stay], alive[stay], uniforms[stay]
    for reader in readers:
        reader.flush()


@torch.inference_mode()
def _read(job: _Job, rows: NDArray[np.int64]) -> None:
    """Both models read what was written before."""
    reader = _readers(job, rows)[0]
    target = Decoder(job.pair.target, len(rows), job.pair.n_vocab)
    written = reader.sheet.columns["token"][rows, : reader.sheet.lengths()[rows].max()]
    text = torch.from_numpy(written).long().to(reader.tokens.device)
    for chunk in split(text, _steps(job.pair, len(rows)), dim=1):
        logits = target.feed(*_append(reader.tokens, reader.valid, chunk[:, :-1]), keep=chunk.shape[1])
        for j in range(chunk.shape[1]):
            reader.add(logits[:, j], chunk[:, j])
        reader.flush()
