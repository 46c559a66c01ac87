"""Traces from the store: what a target wrote and what a draft made of it are kept
apart, and only what is missing of either is made.

Knows the store and the tracer. A text is stored under what it depends on, a reading
under that and the draft: another draft, in any later run, never makes the target write
again. Both are stored in portions that depend only on the prompts that were asked for,
so that the files are the same whoever made which portion, and in which order; a killed
run goes on where it stopped.
"""

import hashlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from specfair.audit.lending import Say
from specfair.decoding import Decoding
from specfair.models.identity import Identity, versions
from specfair.store import Store, digest
from specfair.texts.prompts import Prompt, PromptSet
from specfair.traces.stored import load_reading, load_text, save_reading, save_text
from specfair.traces.trace import Ints, Text, Trace, concatenate, concatenate_texts

if TYPE_CHECKING:
    from specfair.audit.work import Work

PORTION = 2_048  # prompts to a file
PATIENCE = 10.0  # seconds between two lines of progress

Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Writer:
    """Where a trace comes from: a pair under a decoding."""

    pair: Identity
    decoding: Decoding
    work: "Callable[[], Work]"  # opens the pair


def text_key(pair: Identity, decoding: Decoding) -> dict[str, Any]:
    """Everything that what the target writes after a prompt depends on, field by
    field.
    """
    how = asdict(decoding)
    if decoding.greedy:
        del how["seed"]  # nothing is drawn
    return {
        "target": pair.target_fingerprint,
        "tokenizer": pair.tokenizer_fingerprint,
        "cut": pair.context if pair.truncate else None,
        "eos": list(pair.eos),  # of the generation config, which no fingerprint covers
        "n_vocab": pair.n_vocab,
        "decoding": how,
        "dtype": pair.dtype,
        "device": pair.device,
        **versions(),
    }


def key_of(pair: Identity, decoding: Decoding) -> dict[str, Any]:
    """Everything that the trace of a prompt by this pair depends on."""
    key = text_key(pair, decoding) | {"draft": pair.draft_fingerprint}
    if pair.first_choice and not decoding.greedy:
        key["proposals"] = "greedy"
    return key


def traced(store: Store, writer: Writer, prompts: PromptSet, say: Say) -> Trace:
    """The trace of these prompts, from the store as far as it is there."""
    tracing = _Tracing(store, writer, say)
    trace = tracing.read(tracing.written(prompts))
    header = replace(
        trace.header,
        target=writer.pair.target_name,
        prompts=prompts.name,
        prompts_fingerprint=prompts.fingerprint,
        decoding=writer.decoding,
    )
    return Trace(
        replace(trace.text, header=header),
        replace(trace.reading, draft=writer.pair.draft_name),
    )


@dataclass(frozen=True, slots=True)
class _Tracing:
    """A writer, and the store that keeps what it writes."""

    store: Store
    writer: Writer
    say: Say

    def written(self, prompts: Sequence[Prompt]) -> Text:
        """The target's text after these prompts."""
        key = text_key(self.writer.pair, self.writer.decoding)
        parts = self.store.each(f"texts/{digest(key)}", read=load_text)
        known = {prompt for part in parts for prompt in part.prompts}
        for some, n_left in _portions(prompts, known):
            told = f"{n_left:,} of {len(prompts):,} prompts, {self.writer.decoding}"
            parts.append(self._text(key, some, partial(self._patient, told, n_left)))
        whole = concatenate_texts(parts)
        return whole.select(_places(whole.prompts, prompts))

    def _text(
        self,
        key: Mapping[str, Any],
        some: Sequence[Prompt],
        told: Callable[[], Progress],
    ) -> Text:
        """A portion, with what the draft makes of it: that is stored first, so that who
        finds the text finds it as well.
        """

        def write(old: Text | None) -> Text:
            if old is not None:
                return old
            progress, work = told(), self.writer.work()
            trace = work.trace(some, self.writer.decoding, progress=progress)
            self._reading(trace.text, lambda: trace)
            return trace.text

        return self.store.update(
            f"texts/{digest(key)}",
            {**key, "prompts": _fingerprint(some)},
            change=write,
            read=load_text,
            write=save_text,
        )

    def read(self, text: Text) -> Trace:
        """The text with what the draft makes of it."""
        key = key_of(self.writer.pair, self.writer.decoding)
        stored = self.store.each(f"readings/{digest(key)}", read=load_reading)
        parts = [part.select(_of_text(part, text)) for part in stored]
        known = {prompt for part in parts for prompt in part.prompts}
        for some, n_left in _portions(text.prompts, known):
            part = text.select(_places(text.prompts, some))
            told = f"reading {n_left:,} of {len(text.prompts):,} texts"
            parts.append(self._reading(part, partial(self._reread, part, told, n_left)))
        whole = concatenate(parts)
        chosen = whole.select(_places(whole.prompts, text.prompts))
        return Trace(text, chosen.reading)

    def _reread(self, text: Text, told: str, n_left: int) -> Trace:
        progress = self._patient(told, n_left)
        return self.writer.work().read(text, progress=progress)

    def _reading(self, text: Text, make: Callable[[], Trace]) -> Trace:
        def change(old: Trace | None) -> Trace:
            if old is not None:
                return old
            made = make()
            return Trace(made.text.bare, made.reading)

        key = key_of(self.writer.pair, self.writer.decoding)
        tokens = text.columns["token"].tobytes() + text.offsets.tobytes()
        about = {
            "prompts": _fingerprint(text.prompts),
            "tokens": hashlib.sha256(tokens).hexdigest(),
        }
        return self.store.update(
            f"readings/{digest(key)}",
            key | about,
            change=change,
            read=load_reading,
            write=save_reading,
        )

    def _patient(self, told: str, n_left: int) -> Progress:
        """Says what begins, and to those who wait how many prompts are left, at most
        every few seconds.
        """
        self.say(told)
        said = time.monotonic()

        def progress(n_done: int, _: int) -> None:
            nonlocal said
            if time.monotonic() - said >= PATIENCE:
                said = time.monotonic()
                self.say(f"{n_left - n_done:,} prompts to go")

        return progress


def _portions(
    prompts: Sequence[Prompt], known: Collection[Prompt]
) -> Iterator[tuple[list[Prompt], int]]:
    """What is missing of each portion, and how much is from there on. Which prompts are
    one portion depends on nothing but the prompts.
    """
    every = sorted(prompts, key=lambda prompt: (prompt.nth, prompt.id))
    n_missing = sum(prompt not in known for prompt in every)
    for start in range(0, len(every), PORTION):
        some = [p for p in every[start : start + PORTION] if p not in known]
        if some:
            yield some, n_missing
        n_missing -= len(some)


def _fingerprint(prompts: Sequence[Prompt]) -> str:
    return digest({"prompts": [asdict(prompt) for prompt in prompts]})


def _places(prompts: Sequence[Prompt], wanted: Sequence[Prompt]) -> Ints:
    place = {prompt: i for i, prompt in enumerate(prompts)}
    return np.array([place[prompt] for prompt in wanted], dtype=np.int64)


def _of_text(part: Trace, text: Text) -> NDArray[np.bool_]:
    """Which prompts of a stored reading have these very texts: one that was lost and
    written again may differ in a near-tie.
    """
    place = {prompt: i for i, prompt in enumerate(text.prompts)}
    found = [
        prompt in place and np.array_equal(part.text.of(i), text.of(place[prompt]))
        for i, prompt in enumerate(part.prompts)
    ]
    return np.array(found, dtype=np.bool_)
