"""Drafts that look up what followed the last few tokens before: prompt lookup as
transformers does it, n-grams as vLLM does.

Knows token ids alone; no model is called. Two ways to one answer: `read` for all starts
of all texts at once, `propose` for one text as it stands, which live decoding uses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from specfair.engine.task import Task
from specfair.models.kinds import LOOKUP, DraftKind
from specfair.traces.counting import until
from specfair.traces.trace import Columns, Text

Ints = NDArray[np.int64]

_USUAL = 2  # tokens of an n-gram where transformers is told none


@dataclass(frozen=True, slots=True)
class Lookup:
    """Of the n-grams that end a text, longest first, the leftmost earlier place of the
    first that has one: what follows there is proposed.
    """

    n_ahead: int
    smallest: int
    largest: int
    n_vocab: int
    eos: tuple[int, ...] = ()  # a proposal ends before it
    only_beside: bool = False  # nothing is proposed where one token is left

    @classmethod
    def of(cls, kind: DraftKind, asked: Task) -> "Lookup":
        """As it was written."""
        n_ahead, *sizes = kind.numbers
        n_vocab = asked.pair.n_vocab
        if kind.name == LOOKUP:
            largest = sizes[0] if sizes else _USUAL
            return cls(n_ahead, 1, largest, n_vocab, asked.eos, only_beside=True)
        smallest, largest = sizes
        return cls(n_ahead, smallest, largest, n_vocab)

    def propose(self, text: Sequence[int]) -> list[int]:
        """What a round proposes after this text."""
        for size in range(min(self.largest, len(text) - 1), self.smallest - 1, -1):
            tail = text[len(text) - size :]
            for end in range(size, len(text)):
                if text[end - size : end] == tail:
                    found = list(text[end : end + self.n_ahead])
                    stops = [i for i, token in enumerate(found) if token in self.eos]
                    return found[: stops[0]] if stops else found
        return []

    def read(self, asked: Task, text: Text) -> Columns:
        """All starts at once: the leftmost place of each n-gram is found by its number
        among all n-grams of its size.
        """
        tokens, owner, at = _laid_out(asked.ids, text)
        source = self._sources(tokens, owner)[at - 1] + 1  # where what followed starts
        length = np.minimum(at - source, self.n_ahead) * (source > 0)
        ends = np.append(np.isin(tokens, self.eos), True)
        drafted = np.minimum(length, until(ends)[source])
        if self.only_beside:  # transformers' rule
            place = np.arange(len(at)) - np.repeat(text.offsets[:-1], text.lengths)
            drafted[place == asked.decoding.max_new_tokens - 1] = 0
        depth = np.arange(self.n_ahead)
        padded = np.append(tokens, np.full(self.n_ahead, -1))
        proposed = padded[source[:, None] + depth]
        # behind a text's end stands another prompt: nothing counts what is found there
        same = (proposed == padded[at[:, None] + depth]) & (depth < drafted[:, None])
        return {
            "ahead": same.astype(np.float32),
            "drafted": drafted.astype(np.int32),
            "accept_prob": same[:, 0].astype(np.float32),
            "proposal": np.where(drafted > 0, proposed[:, 0], -1).astype(np.int32),
            "accepted": same[:, 0],
        }

    def _sources(self, tokens: Ints, owner: Ints) -> Ints:
        """For each place the last token of the earlier n-gram like the one that ends
        there; -1 where there is none.
        """
        source = np.full(len(tokens), -1)
        # a number for each n-gram by its prompt and tokens, of one size after the other
        number = owner
        for size in range(1, self.largest + 1):
            ends = np.arange(size - 1, len(tokens))
            codes = number[: len(ends)] * self.n_vocab + tokens[ends]
            _, first, number = np.unique(codes, return_index=True, return_inverse=True)
            earlier = (first[number] < np.arange(len(ends))) & (
                owner[ends - size + 1] == owner[ends]
            )
            if size >= self.smallest:
                source[ends[earlier]] = ends[first[number]][earlier]
        return source

    def open(self, rows: Sequence[int]) -> "Looking":
        return Looking(self, len(rows))


class Looking:
    """A lookup in live decoding: a cursor over token ids. Mutable, as cursors are."""

    def __init__(self, lookup: Lookup, n_rows: int) -> None:
        self.lookup = lookup
        self.tokens = torch.zeros((n_rows, 0), dtype=torch.long)
        self.mask = torch.zeros((n_rows, 0), dtype=torch.bool)
        self.found: list[list[int]] = []
        self.place: int | None = None  # in the round; None before its first proposal

    def feed(
        self, tokens: Tensor, valid: Tensor | None = None, *, keep: int = 0
    ) -> Tensor:
        """Logits that leave one token, or none where nothing is proposed."""
        assert keep == 1
        valid = torch.ones_like(tokens, dtype=torch.bool) if valid is None else valid
        self.tokens = torch.cat([self.tokens, tokens.cpu()], dim=1)
        self.mask = torch.cat([self.mask, valid.cpu()], dim=1)
        if self.place is None:
            texts = zip(self.tokens, self.mask, strict=True)
            self.found = [self.lookup.propose(t[m].tolist()) for t, m in texts]
        self.place = 0 if self.place is None else self.place + 1
        logits = torch.full((len(tokens), 1, self.lookup.n_vocab), -torch.inf)
        for row, proposed in enumerate(self.found):
            if self.place < len(proposed):
                logits[row, 0, proposed[self.place]] = 0.0
        return logits.to(tokens.device)

    def take_back(self, kept: Tensor) -> None:
        n = kept.shape[1]
        last = self.mask[:, -n:] & kept.cpu()
        self.mask = torch.cat([self.mask[:, :-n], last], dim=1)

    def keep_rows(self, rows: Tensor) -> None:
        self.tokens, self.mask = self.tokens[rows.cpu()], self.mask[rows.cpu()]

    def make_room(self, _: int) -> None:
        """A round begins."""
        self.place = None

    def join(self, other: "Looking") -> None:
        width = max(self.tokens.shape[1], other.tokens.shape[1])
        for name in ("tokens", "mask"):
            both = [getattr(each, name) for each in (self, other)]
            wide = [pad(each, (width - each.shape[1], 0)) for each in both]
            setattr(self, name, torch.cat(wide))


def _laid_out(ids: list[list[int]], text: Text) -> tuple[Ints, Ints, Ints]:
    """All prompts with their texts in one row, whose each token is, and where those of
    the texts stand.
    """
    before = np.array([len(tokens) for tokens in ids], dtype=np.int64)
    owner = np.repeat(np.arange(len(ids)), before + text.lengths)
    own = np.arange(int(text.offsets[-1]))
    at = own + np.repeat(np.cumsum(before), text.lengths)
    tokens = np.empty(len(owner), dtype=np.int64)
    prompts = np.ones(len(owner), dtype=np.bool_)
    prompts[at] = False
    tokens[at] = text.columns["token"]
    tokens[prompts] = [token for prompt in ids for token in prompt]
    return tokens, owner, at
