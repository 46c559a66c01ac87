"""Pair and prompts to a Trace: one batched generation by the target, one batched
forward pass of the draft over it.

Knows what is asked of the models; does not know lookaheads, acceptance counts or
groups. Results depend neither on batch size nor on the order or the number of the
prompts.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from specfair.decoding import Decoding
from specfair.engine.batches import Progress, in_batches
from specfair.engine.drafts import Draft, ahead_of, draft_of, reads_along
from specfair.engine.passes import Job, run_pass
from specfair.engine.sheet import Sheet, within
from specfair.engine.task import Task, task
from specfair.errors import DataError
from specfair.models.pair import Pair
from specfair.texts.prompts import Prompt
from specfair.traces.trace import READING, TEXT, Columns, Reading, Text, Trace


def trace(
    pair: Pair,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    *,
    progress: Progress | None = None,
    batch_tokens: int | None = None,
) -> Trace:
    """Let the target write after every prompt, and record what the draft makes of every
    token.
    """
    job = _job([pair], prompts, decoding)
    in_batches(job.task, partial(run_pass, job), progress, batch_tokens)
    return _written([pair], job)[0]


def trace_drafts(
    pairs: Sequence[Pair],
    prompts: Sequence[Prompt],
    decoding: Decoding,
    *,
    progress: Progress | None = None,
    keep: int = 0,
) -> list[Trace]:
    """A Trace for each of several drafts of one target, which writes only once: a
    further draft costs only itself. `keep` is `output.size` where the text keeps what
    goes into the target's output layer, so that drafts may read it without the target.
    """
    job = _job(pairs, prompts, decoding, keep=keep)
    in_batches(job.task, partial(run_pass, job), progress)
    return _written(pairs, job)


def reread(
    pairs: Sequence[Pair],
    text: Text,
    *,
    progress: Progress | None = None,
    batch_tokens: int | None = None,
) -> list[Trace]:
    """A text there is, read by any drafts of the target that wrote it: no generation,
    and no pass of the target where the text keeps its states. A bare text gets the
    target's columns as well.
    """
    pair, header = _of_one_target(pairs), text.header
    if pair.target_fingerprint != header.target_fingerprint:
        raise DataError(
            f"the trace was written by {header.target!r}, the pair's target "
            f"{pair.target_name!r} "
            "has other weights; only the draft may change. Trace again."
        )
    known = [ids.tolist() for ids in text.inputs]
    asked = task(pair, text.prompts, header.decoding, known=known)
    kept = within(text.lengths, header.decoding.max_new_tokens)
    sheet = Sheet(asked.shape, TEXT)
    for name, column in text.columns.items():
        sheet.columns[name][kept] = column
    job = Job(asked, sheet, _drafts(pairs, asked), text)
    bare = "margin" not in text.columns
    if job.drafts or bare:  # the others read by themselves
        in_batches(asked, partial(run_pass, job), progress, batch_tokens)
    if bare:
        text = replace(text, columns=sheet.kept(kept))
    return _traces(pairs, job, text, kept)


def scored(pair: Pair, text: Text) -> Text:
    """A text that others wrote, as if the target had written it: with its own columns,
    and its name.
    """
    asked = task(pair, text.prompts, text.header.decoding)
    kept = within(text.lengths, text.header.decoding.max_new_tokens)
    sheet = Sheet(asked.shape, TEXT)
    sheet.columns["token"][kept] = text.columns["token"]
    in_batches(asked, partial(run_pass, Job(asked, sheet, given=text.bare)))
    return asked.text(sheet, kept)


def generate(
    pair: Pair, prompts: Sequence[Prompt], decoding: Decoding
) -> list[NDArray[np.int32]]:
    """The text alone, as `trace` has it: what the target costs by itself. Timed, so
    what does not fit raises.
    """
    asked = task(pair, prompts, decoding)
    sheet = Sheet(asked.shape, {"token": np.int32})
    in_batches(asked, partial(run_pass, Job(asked, sheet)), once=True)
    lengths = _lengths(asked, sheet)
    return [t[:n] for t, n in zip(sheet.columns["token"], lengths, strict=True)]


def _job(
    pairs: Sequence[Pair],
    prompts: Sequence[Prompt],
    decoding: Decoding,
    *,
    keep: int = 0,
) -> Job:
    asked = task(_of_one_target(pairs), prompts, decoding)
    sheet = Sheet(asked.shape, TEXT)
    if keep:
        sheet.columns["states"] = np.zeros((*asked.shape, keep), np.uint8)
    return Job(asked, sheet, _drafts(pairs, asked))


def _written(pairs: Sequence[Pair], job: Job) -> list[Trace]:
    kept = within(_lengths(job.task, job.text), job.task.decoding.max_new_tokens)
    return _traces(pairs, job, job.task.text(job.text, kept), kept)


def _lengths(asked: Task, text: Sheet) -> NDArray[np.int64]:
    """Every text reaches to its first end-of-text token, that one included, or to the
    budget.
    """
    ends = np.isin(text.columns["token"], asked.eos)
    return np.where(ends.any(1), ends.argmax(1) + 1, asked.decoding.max_new_tokens)


def _of_one_target(pairs: Sequence[Pair]) -> Pair:
    """Any of them, where only the target matters."""
    if len({(p.target_fingerprint, p.n_vocab) for p in pairs}) != 1:
        names = ", ".join(f"{p.target_name!r} with {p.n_vocab} tokens" for p in pairs)
        raise DataError(
            "drafts are traced together for one target; these pairs have "
            f"{names}. Trace them one by one."
        )
    return pairs[0]


def _drafts(pairs: Sequence[Pair], asked: Task) -> list[tuple[Draft, Sheet]]:
    """Those that read along, each with the sheet of its reading. Others are built where
    they read: a head is as large as its files.
    """
    along = [replace(asked, pair=pair) for pair in pairs if reads_along(pair)]
    return [(draft_of(each), Sheet(asked.shape, READING)) for each in along]


def _traces(
    pairs: Sequence[Pair], job: Job, text: Text, kept: NDArray[np.bool_]
) -> list[Trace]:
    sheets, found = iter(job.drafts), list[Trace]()
    columns: Columns
    for pair in pairs:
        asked = replace(job.task, pair=pair)
        if reads_along(pair):
            columns = next(sheets)[1].kept(kept)
        else:
            columns = ahead_of(asked).read(asked, text)
        if pair.reach is not None:
            reached = np.isin(text.columns["token"], list(pair.reach))
            columns = {**columns, "reached": reached}
        read = Reading(pair.draft_name, pair.draft_fingerprint, columns)
        found.append(Trace(text, read))
    return found
