"""Traces that grow: what a pair has written for some prompts is kept, and only what is
missing is traced.

Knows the store and the tracer. One stored trace holds every prompt a pair was ever
asked about under one decoding, and is written after every portion: a killed run goes on
where it stopped. Where another pair with the same target has written the text already,
the text is kept and only read again.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from specfair.audit.lending import Say
from specfair.decoding import Decoding
from specfair.models.identity import Identity, versions
from specfair.store import Store
from specfair.texts.prompts import Prompt, PromptSet
from specfair.traces.stored import load_trace, save_trace
from specfair.traces.trace import Trace, concatenate

if TYPE_CHECKING:
    from specfair.audit.work import Work

PORTION = 2_048  # prompts traced between two writes to disk
PATIENCE = 10.0  # seconds between two lines of progress


@dataclass(frozen=True, slots=True)
class Writer:
    """Where a trace comes from: a pair under a decoding, and what is known of it
    already.
    """

    pair: Identity
    decoding: Decoding
    work: "Callable[[], Work]"  # opens the pair
    # asked where none is stored; None where the user knows it
    cost_ratio: Callable[[], float | None]
    like: Trace | None = None  # of a pair that may have the same target


def key_of(pair: Identity, decoding: Decoding) -> dict[str, Any]:
    """Everything that the trace of a prompt by this pair depends on, field by field."""
    how = asdict(decoding)
    if decoding.greedy:
        del how["seed"]  # nothing is drawn
    return {
        "target": pair.target_fingerprint,
        "draft": pair.draft_fingerprint,
        "tokenizer": pair.tokenizer_fingerprint,
        "truncate": pair.truncate,
        "eos": list(pair.eos),  # of the generation config, which no fingerprint covers
        "decoding": how,
        "dtype": pair.dtype,
        "device": pair.device,
        **versions(),
    }


def traced(store: Store, writer: Writer, prompts: PromptSet, say: Say) -> Trace:
    """The trace of these prompts, from the store as far as it is there."""
    key, wanted = key_of(writer.pair, writer.decoding), list(prompts)
    while True:
        found = store.update(
            "traces",
            key,
            change=lambda old: _grown(old, writer, wanted, say),
            read=load_trace,
            write=save_trace,
        )
        place = {prompt: i for i, prompt in enumerate(found.prompts)}
        if all(prompt in place for prompt in wanted):
            break
    some = found.select(np.array([place[prompt] for prompt in wanted], dtype=np.int64))
    header = replace(
        found.header,
        target=writer.pair.target_name,
        prompts=prompts.name,
        prompts_fingerprint=prompts.fingerprint,
        decoding=writer.decoding,
    )
    return Trace(
        replace(some.text, header=header),
        replace(some.reading, draft=writer.pair.draft_name),
    )


def _grown(old: Trace | None, writer: Writer, wanted: list[Prompt], say: Say) -> Trace:
    """The old trace, or one with a portion of what was missing behind it."""
    known = set(old.prompts) if old else set()
    missing = [prompt for prompt in wanted if prompt not in known]
    if old is not None and not missing:
        return (
            old
            if old.reading.cost_ratio is not None
            else _costed(old, writer.cost_ratio())
        )
    say(f"{len(missing):,} of {len(wanted):,} prompts, {writer.decoding}")
    more = _new(writer, missing[:PORTION], _patient(say, len(missing)))
    return (
        _costed(more, writer.cost_ratio()) if old is None else concatenate([old, more])
    )


def _costed(trace: Trace, cost_ratio: float | None) -> Trace:
    """With what was measured of it; the same trace where nothing was."""
    return (
        trace
        if cost_ratio is None
        else replace(trace, reading=replace(trace.reading, cost_ratio=cost_ratio))
    )


def _patient(say: Say, n_missing: int) -> Callable[[int, int], None]:
    """Progress for those who wait: how many prompts are left, at most every few
    seconds.
    """
    said = time.monotonic()

    def progress(n_done: int, _: int) -> None:
        nonlocal said
        if time.monotonic() - said >= PATIENCE:
            said = time.monotonic()
            say(f"{n_missing - n_done:,} prompts to go")

    return progress


def _new(
    writer: Writer, prompts: list[Prompt], progress: Callable[[int, int], None]
) -> Trace:
    """Only what changed is run: with the same target, its text is read again instead of
    written again.
    """
    like, same = writer.like, None
    if (
        like is not None
        and like.header.target_fingerprint == writer.pair.target_fingerprint
        and like.header.decoding == writer.decoding
    ):
        place = {prompt: i for i, prompt in enumerate(like.prompts)}
        if all(prompt in place for prompt in prompts):
            same = like.select(np.array([place[prompt] for prompt in prompts]))
    return writer.work().trace(prompts, writer.decoding, like=same, progress=progress)
