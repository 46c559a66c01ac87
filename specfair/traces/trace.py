"""A Trace: every token the target wrote for every prompt, and what a draft made of it.

Two parts, because the first is the target's alone: a Text is written once, and read by
any number of drafts, each a Reading of it. A Reading holds coins: given the text, a
round that starts at t proposes, as long as it is accepted, exactly the text, so whether
its j-th proposal is accepted depends on t and j only. For most drafts it depends on
t + j alone: one coin a position. Everything after the engine is a pure function of a
Trace. This module knows how the columns are laid out; it does not know
how they were computed, nor what will be asked of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from specfair.decoding import Decoding
from specfair.texts.prompts import Prompt

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 2

Columns: TypeAlias = Mapping[str, NDArray[Any]]  # each (n_tokens,) or (n_tokens, n)
Ints: TypeAlias = NDArray[np.int64]

TEXT: Mapping[str, type] = {
    "token": np.int32,  # what the target wrote
    # of that token, as deployed; at temperature 1 under greedy decoding
    "target_prob": np.float32,
    "target_entropy": np.float32,  # nats, at temperature 1
    # target's best minus second-best probability at temperature 1: near-ties are
    # visible
    "margin": np.float32,
}
# of a draft that is asked at every position
READING: Mapping[str, type] = {
    "draft_prob": np.float32,  # of the token, as target_prob
    # the coin: min(1, draft_prob / target_prob); greedy: draft's first choice == token
    "accept_prob": np.float32,
    # sum of min(target, draft), as target_prob: where sampled, what the coin is
    # expected to be before the token is drawn
    "overlap": np.float32,
    # KL(target, draft), nats, at temperature 1; entropy + kl is the cross entropy
    "kl": np.float32,
    "proposal": np.int32,  # one realised proposal of the draft at this position
    "proposal_target_prob": np.float32,
    "proposal_draft_prob": np.float32,
    "accepted": np.bool_,  # whether that proposal was accepted; then proposal == token
}
# of a draft whose proposals depend on where its round starts: a head, a lookup, a
# block. Of READING such a reading holds what the draft has; accept_prob, proposal and
# accepted are then those of a round that starts at the token
BY_START: Mapping[str, type] = {
    # the coin of the token j places on, for a round that starts here and was accepted
    # up to there; 0 from `drafted` on. (n_tokens, n_places)
    "ahead": np.float32,
    # how many tokens such a round proposes (n_tokens,), counted as the draft's own
    # engine does: also beyond the text's end, if it does so
    "drafted": np.int32,
}
# of a draft that can propose a part of the target's vocabulary only
LIMITED: Mapping[str, type] = {"reached": np.bool_}  # whether the token is one of them
COLUMNS: Mapping[str, type] = {**TEXT, **READING}


@dataclass(frozen=True, slots=True)
class Header:
    """Everything needed to know what a Text is a text of."""

    target: str  # name as the user gave it
    target_fingerprint: str
    tokenizer_fingerprint: str
    prompts: str  # name of the prompt set
    prompts_fingerprint: str
    decoding: Decoding
    dtype: str
    device: str
    eos: tuple[int, ...]
    versions: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class Text:
    """What the target wrote: prompt i owns rows offsets[i]:offsets[i + 1]."""

    header: Header
    prompts: tuple[Prompt, ...]
    offsets: Ints  # (n_prompts + 1,)
    columns: Columns  # those of TEXT
    # the prompts as the target reads them; none where that was not kept
    inputs: tuple[NDArray[np.int32], ...] = ()
    # what went into the target's output layer before each token (n_tokens, bytes),
    # where that was kept
    states: NDArray[np.uint8] | None = None

    @property
    def lengths(self) -> Ints:
        """New tokens per prompt."""
        return np.diff(self.offsets)

    @property
    def bare(self) -> "Text":
        """The tokens alone: what a reading is a reading of."""
        tokens = {"token": self.columns["token"]}
        return Text(self.header, self.prompts, self.offsets, tokens)

    def of(self, i: int) -> NDArray[np.int32]:
        """The tokens of the prompt at this place."""
        return self.columns["token"][self.offsets[i] : self.offsets[i + 1]]

    def tokens_of(self, chosen: Ints) -> Ints:
        """Where the tokens of the prompts at these places lie, prompt by prompt."""
        lengths = self.lengths[chosen]
        moved = self.offsets[chosen] - np.cumsum(lengths) + lengths
        return np.arange(lengths.sum()) + np.repeat(moved, lengths)

    def select(self, chosen: Ints) -> "Text":
        """The text of the prompts at these places, in this order."""
        tokens = self.tokens_of(chosen)
        return replace(
            self,
            prompts=tuple(self.prompts[i] for i in chosen.tolist()),
            offsets=offsets_of(self.lengths[chosen]),
            columns={name: self.columns[name][tokens] for name in self.columns},
            inputs=tuple(self.inputs[i] for i in chosen.tolist() if self.inputs),
            states=None if self.states is None else self.states[tokens],
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """What a draft makes of a text, token by token."""

    draft: str  # name as the user gave it
    draft_fingerprint: str
    # those of READING, or of BY_START and what else there is, and perhaps of LIMITED
    columns: Columns
    # draft step time / target step time, where it was measured
    cost_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """A text and one draft's reading of it."""

    text: Text
    reading: Reading

    def __getitem__(self, column: str) -> NDArray[Any]:
        return self.columns[column]

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def header(self) -> Header:
        return self.text.header

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        return self.text.prompts

    @property
    def offsets(self) -> Ints:
        return self.text.offsets

    @property
    def lengths(self) -> Ints:
        """New tokens per prompt."""
        return self.text.lengths

    @property
    def by_start(self) -> bool:
        """Whether a coin depends on where its round started."""
        return "ahead" in self.reading.columns

    @property
    def columns(self) -> Columns:
        """Those of the text and those of the reading."""
        return {**self.text.columns, **self.reading.columns}

    @property
    def n_tokens(self) -> int:
        return int(self.offsets[-1])

    @property
    def rows(self) -> Ints:
        """For each token, the index of its prompt."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def acceptance(self) -> NDArray[np.float64]:
        """The chance that a draft is accepted, token by token: where the target
        samples, before it has drawn, which spares the coin's luck.
        """
        known = self.columns
        drawn = not self.header.decoding.greedy and "overlap" in known
        return known["overlap" if drawn else "accept_prob"].astype(np.float64)

    @property
    def provenance(self) -> dict[str, Any]:
        """What the trace says of itself, in plain values."""
        reading = self.reading
        return asdict(self.header) | {
            "draft": reading.draft,
            "draft_fingerprint": reading.draft_fingerprint,
            "cost_ratio": reading.cost_ratio,
        }

    def per_prompt(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sums of a token column by prompt; a prompt without tokens has 0."""
        weights = values.astype(np.float64)
        sums = np.bincount(self.rows, weights=weights, minlength=len(self))
        return sums.astype(np.float64)  # without tokens bincount counts in integers

    def select(self, keep: NDArray[np.bool_] | Ints) -> "Trace":
        """The trace of some prompts only: those a mask marks, or those at these places
        in this order.
        """
        chosen = np.arange(len(self))[keep]
        tokens, read = self.text.tokens_of(chosen), self.reading.columns
        columns = {name: read[name][tokens] for name in read}
        return Trace(self.text.select(chosen), replace(self.reading, columns=columns))

    def relabelled(self, keep: Ints, prompts: tuple[Prompt, ...]) -> "Trace":
        """Likewise, with these prompts in place of those that stand there: the same
        texts in other groups.
        """
        some = self.select(keep)
        return replace(some, text=replace(some.text, prompts=prompts))

    @property
    def frame(self) -> "pd.DataFrame":
        """One row per token, with the prompt's labels: for pandas users and for
        plots.
        """
        import pandas as pd

        labels = {
            name: np.array([getattr(p, name) for p in self.prompts])[self.rows]
            for name in ("id", "group", "cluster", "template")
        }
        position = np.arange(self.n_tokens) - np.repeat(self.offsets[:-1], self.lengths)
        columns = {
            name: values for name, values in self.columns.items() if values.ndim == 1
        }
        return pd.DataFrame({**labels, "position": position, **columns})


def offsets_of(lengths: Ints) -> Ints:
    """Where each prompt's tokens begin, and where the last one's end."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def concatenate_texts(texts: Sequence[Text]) -> Text:
    """Texts of the same target and decoding, one after the other, without states."""
    known = all(text.inputs for text in texts)
    return replace(
        texts[0],
        prompts=tuple(p for text in texts for p in text.prompts),
        offsets=offsets_of(np.concatenate([text.lengths for text in texts])),
        columns=_behind([text.columns for text in texts]),
        inputs=tuple(ids for text in texts for ids in text.inputs if known),
        states=None,
    )


def concatenate(traces: Sequence[Trace]) -> Trace:
    """Traces of the same pair and decoding, one after the other."""
    columns = _behind([trace.reading.columns for trace in traces])
    return Trace(
        concatenate_texts([trace.text for trace in traces]),
        replace(traces[0].reading, columns=columns),
    )


def _behind(parts: Sequence[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
