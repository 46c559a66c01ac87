"""What is asked of a draft, whichever kind it is: one of two small interfaces.

A `Draft` reads along position by position and gives logits: its coin at a position is
the same in whichever round it is tossed. A draft that is a model is a cursor over it.
An `Ahead` answers for all starts of a text at once: a lookup from token ids alone, a
head from the target's hidden states, which it computes from `asked.pair` or finds kept.
Knows what the loops ask; does not know how a draft proposes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

from torch import Tensor
from transformers import PreTrainedModel

from specfair.engine.cursor import Cursor
from specfair.engine.heads.opening import head_draft
from specfair.engine.heads.reading import HeadDraft
from specfair.engine.lookups import Lookup
from specfair.engine.task import Task
from specfair.engine.translating import TranslatedDraft
from specfair.models.heads import HeadFiles
from specfair.models.kinds import DraftKind
from specfair.models.pair import Pair
from specfair.models.translating import Translated
from specfair.traces.trace import Columns, Text


class Opened(Protocol):
    """A draft and the rows it is reading."""

    def feed(
        self, tokens: Tensor, valid: Tensor | None = None, *, keep: int = 0
    ) -> Tensor:
        """Read tokens and return logits after the last `keep` of them."""

    def take_back(self, kept: Tensor) -> None:
        """Of the last tokens, forget those where `kept` is False."""

    def keep_rows(self, rows: Tensor) -> None:
        """Only these rows stay."""

    def make_room(self, n: int) -> None:
        """Before n more tokens."""

    def join(self, other: Self) -> None:
        """The other's rows enter, below its own."""


class Draft(Protocol):
    """What proposes tokens."""

    def open(self, rows: Sequence[int]) -> Opened:
        """Ready to read these of the prompts from their beginnings."""


@runtime_checkable
class Ahead(Protocol):
    """What proposes tokens that depend on where the round starts, and on its depth. In
    live decoding it is opened as any draft is: `make_room` begins a round there, and
    logits that are all minus infinity propose nothing.
    """

    def read(self, asked: Task, text: Text) -> Columns:
        """The columns of its reading of a text: BY_START, accept_prob, proposal and
        accepted of a round that starts at each token, and of READING what it has.

        Prompt i is asked.ids[i] as tokens, its text the rows offsets[i]:offsets[i + 1].
        ahead[t, j] is the coin of token t + j for a round that starts at t: as deployed
        [proposal == token], or min(1, draft / target) where proposals are drawn. It is
        0 from drafted[t] on; nothing need be right behind the text's end. Where nothing
        can be drafted at a prompt's first token, as by what needs the target's states
        of the text, `drafted` is 0 there.
        """


@dataclass(frozen=True, slots=True)
class ModelDraft:
    """A model of the target's vocabulary."""

    model: PreTrainedModel
    n_vocab: int

    def open(self, rows: Sequence[int]) -> Opened:
        return Cursor(self.model, len(rows), self.n_vocab)


def reads_along(pair: Pair) -> bool:
    """Whether its draft does; otherwise it answers for all starts at once."""
    return not isinstance(pair.draft, DraftKind | HeadFiles)


def ahead_of(asked: Task) -> Lookup | HeadDraft:
    """The draft of a pair that does not read along."""
    draft = asked.pair.draft
    if isinstance(draft, DraftKind):
        return Lookup.of(draft, asked)
    return head_draft(draft, asked.pair.target)


def draft_of(asked: Task) -> Draft:
    """The draft of the pair that is asked."""
    draft, n_vocab = asked.pair.draft, asked.pair.n_vocab
    if not reads_along(asked.pair):
        return ahead_of(asked)
    if isinstance(draft, Translated):
        return TranslatedDraft(draft, asked.ids, n_vocab)
    return ModelDraft(draft, n_vocab)
