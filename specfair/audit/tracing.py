"""Traces from the store: what a target wrote and what a draft made of it are kept
apart, and only what is missing of either is made.

Knows the store and the tracer. A text is stored under what it depends on, a reading
under that and the draft: another draft, in any later run, never makes the target write
again, nor read where its last states were kept. All is stored in portions that depend
only on the prompts that were asked for, so that the files are the same whoever made
which portion, and in which order; a killed run goes on where it stopped.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specfair.audit.lending import Say
from specfair.audit.pace import Left
from specfair.audit.portions import portions, shared
from specfair.decoding import Decoding
from specfair.models.identity import Identity, versions
from specfair.store import Store, digest
from specfair.texts.prompts import Prompt, PromptSet
from specfair.traces.stored import (
    load_reading,
    load_states,
    load_text,
    save_reading,
    save_states,
    save_text,
)
from specfair.traces.trace import Ints, Text, Trace, concatenate, concatenate_texts

if TYPE_CHECKING:
    from specfair.audit.work import Work

PORTION = 512  # prompts to a file, and what a worker takes at a time


@dataclass(frozen=True, slots=True)
class Writer:
    """Where a trace comes from: a pair under a decoding."""

    pair: Identity
    decoding: Decoding
    work: "Callable[[], Work]"  # opens the pair
    # at most so many bytes of what goes into the target's output layer stay
    keep_states: float = 0
    at_once: Callable[[], int] = lambda: 1  # portions that can be in work


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
    keys = (kind(writer.pair, writer.decoding) for kind in (text_key, key_of))
    tracing = _Tracing(store, writer, say, *keys)
    trace = tracing.read(tracing.written(prompts), prompts)
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
    key: dict[str, Any]  # what all texts depend on
    read_key: dict[str, Any]  # what all readings depend on

    def written(self, prompts: Sequence[Prompt]) -> list[Text]:
        """Portions of text that hold the target's after these prompts."""
        parts = self.store.each(f"texts/{digest(self.key)}", read=load_text)
        parts = parts or self._before()
        known = {prompt for part in parts for prompt in part.prompts}
        jobs, end = [], 0
        n_left = sum(prompt not in known for prompt in prompts)
        left = Left(n_left, self.say)
        for portion in portions(prompts, PORTION):
            some, end = [p for p in portion if p not in known], end + len(portion)
            if some:
                jobs.append(partial(self._text, some, end, left))
        if jobs:
            n = f"{n_left:,} of {len(prompts):,} prompts"
            self.say(f"{n}, {self.writer.decoding}")
        return [*parts, *shared(jobs, self.writer.at_once)]

    def _before(self) -> list[Text]:
        """The text in a trace of the version before, which held text and reading: taken
        over as a portion.
        """
        pair = self.writer.pair
        key = self.key | {"draft": pair.draft_fingerprint, "truncate": pair.truncate}
        del key["cut"], key["n_vocab"]
        old = self.store.get("traces", key, read=load_text)
        if old is None:
            return []
        portion = self.key | {"prompts": _fingerprint(old.prompts)}
        self.store.get_or_make(
            f"texts/{digest(self.key)}",
            portion,
            make=partial(save_text, old),
            read=load_text,
        )
        return [old]

    def _text(self, some: Sequence[Prompt], n: int, left: Left, *, wait: bool) -> Text:
        """A portion, which ends with the nth prompt. What the draft makes of it is
        stored first, so that who finds the text finds it as well.
        """
        decoding, progress = self.writer.decoding, left.part()
        room = self.writer.keep_states / (n * decoding.max_new_tokens)

        def write(old: Text | None) -> Text:
            if old is not None:
                return old
            work = self.writer.work()
            trace = work.trace(some, decoding, room=room, progress=progress)
            self._reading(trace.text, lambda: trace, wait=True)
            self._keep(trace.text)
            return replace(trace.text, states=None)

        text = self.store.update(
            f"texts/{digest(self.key)}",
            self.key | {"prompts": _fingerprint(some)},
            change=write,
            read=load_text,
            write=save_text,
            wait=wait,
        )
        progress(len(some), len(some))
        return text

    def _keep(self, text: Text) -> None:
        if text.states is not None:
            self.store.get_or_make(
                f"states/{digest(self.key)}",
                self.key | _about(text),
                make=partial(save_states, text.states),
                read=partial(load_states, text),
            )

    def _recalled(self, text: Text) -> Text:
        """The text with the target's states, where they were kept."""
        kind, key = f"states/{digest(self.key)}", self.key | _about(text)
        states = self.store.get(kind, key, read=partial(load_states, text))
        return replace(text, states=states)

    def read(self, parts: Sequence[Text], prompts: Sequence[Prompt]) -> Trace:
        """These prompts' text with what the draft makes of it."""
        whole = concatenate_texts(parts)
        text = whole.select(_places(whole.prompts, prompts))
        key = self.read_key
        stored = self.store.each(f"readings/{digest(key)}", read=load_reading)
        place = {prompt: i for i, prompt in enumerate(prompts)}
        found = [each.select(_of_text(each, text, place)) for each in stored]
        missing = set(prompts) - {p for each in found for p in each.prompts}
        jobs, left = [], Left(len(missing), self.say)
        if missing:
            self.say(f"{len(missing):,} texts to be read")
        # of a prompt that was written twice, the last text counts
        for part in reversed(parts):
            some = [i for i, p in enumerate(part.prompts) if p in missing]
            if some:
                jobs.append(partial(self._read, part, np.array(some), left))
                missing -= set(part.prompts)
        read = concatenate([*found, *shared(jobs, self.writer.at_once)])
        return Trace(text, read.select(_places(read.prompts, prompts)).reading)

    def _read(self, part: Text, places: Ints, left: Left, *, wait: bool) -> Trace:
        """What the draft makes of the texts at these places."""

        def some(text: Text) -> Text:
            whole = len(places) == len(text.prompts)
            return text if whole else text.select(places)

        def make() -> Trace:
            text, work = some(self._recalled(part)), self.writer.work()
            return work.read(text, progress=progress)

        progress = left.part()
        read = self._reading(some(part), make, wait=wait)
        progress(len(places), len(places))
        return read

    def _reading(self, text: Text, make: Callable[[], Trace], *, wait: bool) -> Trace:
        def change(old: Trace | None) -> Trace:
            if old is not None:
                return old
            made = make()
            return Trace(made.text.bare, made.reading)

        key = self.read_key
        return self.store.update(
            f"readings/{digest(key)}",
            key | _about(text),
            change=change,
            read=load_reading,
            write=save_reading,
            wait=wait,
        )


def _fingerprint(prompts: Sequence[Prompt]) -> str:
    return digest({"prompts": [prompt.plain for prompt in prompts]})


def _about(text: Text) -> dict[str, str]:
    """Which prompts, and which texts of theirs."""
    tokens = text.columns["token"].tobytes() + text.offsets.tobytes()
    found = hashlib.sha256(tokens).hexdigest()
    return {"prompts": _fingerprint(text.prompts), "tokens": found}


def _places(prompts: Sequence[Prompt], wanted: Sequence[Prompt]) -> Ints:
    place = {prompt: i for i, prompt in enumerate(prompts)}
    return np.array([place[prompt] for prompt in wanted], dtype=np.int64)


def _of_text(part: Trace, text: Text, place: Mapping[Prompt, int]) -> NDArray[np.bool_]:
    """Which prompts of a stored reading have these very texts: one that was lost and
    written again may differ in a near-tie.
    """
    found = [
        prompt in place and np.array_equal(part.text.of(i), text.of(place[prompt]))
        for i, prompt in enumerate(part.prompts)
    ]
    return np.array(found, dtype=np.bool_)
