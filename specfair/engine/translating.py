"""A draft with a tokenizer of its own reads along: the target's tokens one by one, each
as one or several of the draft's, its logits spread over the target's vocabulary.

So its coin at a position is the same in whichever round it is tossed: what it has read
follows from the text. Knows cells of columns; does not know how tokens are twinned.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from specfair.engine.cursor import Cursor
from specfair.models.pair import n_rows
from specfair.models.translating import Translated


@dataclass(frozen=True, slots=True)
class TranslatedDraft:
    """The draft, and the prompts it is asked about as the target's tokens."""

    draft: Translated
    ids: Sequence[Sequence[int]]
    n_vocab: int

    def open(self, rows: Sequence[int]) -> "Translating":
        prompts = [self.draft.aligned(self.ids[i]) for i in rows]
        return Translating(self.draft, prompts, self.n_vocab)


class Translating:
    """A cursor over the draft. Mutable, as cursors are."""

    def __init__(
        self, draft: Translated, prompts: list[list[list[int]]], n_vocab: int
    ) -> None:
        self.draft, self.n_vocab = draft, n_vocab
        self.cursor = Cursor(draft.model, len(prompts), n_rows(draft.model))
        self.prompts = prompts  # what stands for each of their tokens still to be read
        # since the round began: the draft's columns for each of the target's, and what
        # was read of prompts, by row and column
        self.widths: list[int] = []
        self.begun: dict[tuple[int, int], list[int]] = {}

    def feed(
        self, tokens: Tensor, valid: Tensor | None = None, *, keep: int = 0
    ) -> Tensor:
        """Logits over the target's vocabulary after the last `keep` of its tokens."""
        valid = torch.ones_like(tokens, dtype=torch.bool) if valid is None else valid
        texts = zip(tokens.tolist(), valid.tolist(), strict=True)
        cells = [self._row(row, *text) for row, text in enumerate(texts)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        widths[-1] = max(1, widths[-1])  # nothing, in the midst of prompts
        self.widths += widths
        read, seen = _padded(cells, widths)
        last = widths[-keep:]
        drafted = self.cursor.feed(
            read.to(tokens.device), seen.to(tokens.device), keep=sum(last)
        )
        ends = (torch.tensor(last).cumsum(0) - 1).clamp(min=0)
        own, theirs = zip(*self.draft.twins.items(), strict=True)
        spread = drafted.new_full((len(cells), keep, self.n_vocab), -torch.inf)
        spread[..., list(own)] = drafted[:, ends][..., list(theirs)]
        return spread

    def _row(self, row: int, tokens: list[int], valid: list[bool]) -> list[list[int]]:
        ahead, found = self.prompts[row], []
        for column, (token, ok) in enumerate(zip(tokens, valid, strict=True)):
            cell: list[int] = []
            if ok and ahead:
                cell = self.begun[row, len(self.widths) + column] = ahead.pop(0)
            elif ok:
                cell = self.draft.piece(token)
            found.append(cell)
        return found

    def take_back(self, kept: Tensor) -> None:
        """Of the last tokens, forget those where `kept` is False: they are read again,
        a prompt's last one as well.
        """
        n, first = kept.shape[1], len(self.widths) - kept.shape[1]
        widths = torch.tensor(self.widths[-n:], device=kept.device)
        self.cursor.take_back(kept.repeat_interleave(widths, dim=1))
        for (row, column), cell in self.begun.items():
            if column >= first and not kept[row, column - first]:
                self.prompts[row].insert(0, cell)

    def keep_rows(self, rows: Tensor) -> None:
        """Only these rows stay."""
        self.cursor.keep_rows(rows)
        self.prompts = [self.prompts[i] for i in rows.tolist()]

    def make_room(self, n: int) -> None:
        """Before n more tokens."""
        self.cursor.make_room(n * max([2, *self.widths[-n:]]))
        self.widths, self.begun = [], {}

    def join(self, other: "Translating") -> None:
        """The other's rows enter, below its own."""
        self.cursor.join(other.cursor)
        self.prompts += other.prompts


def _padded(cells: list[list[list[int]]], widths: list[int]) -> tuple[Tensor, Tensor]:
    """Every cell as wide as its column, padded on its left: tokens and validity."""
    tokens, valid = [], []
    for row in cells:
        pads = [width - len(cell) for cell, width in zip(row, widths, strict=True)]
        some = next((cell[0] for cell in row if cell), 0)
        apart = list(zip(row, pads, strict=True))
        tokens.append([t for cell, n in apart for t in [some] * n + cell])
        valid.append([o for cell, n in apart for o in [False] * n + [True] * len(cell)])
    return torch.tensor(tokens), torch.tensor(valid)
