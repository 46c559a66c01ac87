"""How a draft is opened, whichever kind it is: the one interface that the loops know.

A draft that is a model is a cursor over it. Knows what the loops ask of a draft; does
not know how one proposes.
"""

from dataclasses import dataclass
from typing import Protocol, Self

from torch import Tensor
from transformers import PreTrainedModel

from specfair.engine.cursor import Cursor
from specfair.models.pair import Pair


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

    def open(self, n_rows: int) -> Opened:
        """Ready to read that many rows from their beginnings."""


@dataclass(frozen=True, slots=True)
class ModelDraft:
    """A model of the target's vocabulary."""

    model: PreTrainedModel
    n_vocab: int

    def open(self, n_rows: int) -> Opened:
        return Cursor(self.model, n_rows, self.n_vocab)


def draft_of(pair: Pair) -> Draft:
    return ModelDraft(pair.draft, pair.n_vocab)
