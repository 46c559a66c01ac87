"""A head in live decoding: it follows the texts of its rows, and the target reads each
anew where a round begins, without a cache.

Knows texts, and what is taken back of them; does not know how a head proposes. It is a
check, slow by design: all it shares with the passes over whole texts is the head.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from specfair.engine.heads.seen import Head, Seen, look, pad_right


class Following:
    """The rows a head is reading. Mutable, as cursors are."""

    def __init__(self, head: Head, most: int, target: Any, n_rows: int) -> None:
        self.head, self.most, self.target = head, most, target
        self.tokens = torch.zeros((n_rows, 0), dtype=torch.long, device=target.device)
        self.mask = torch.zeros_like(self.tokens, dtype=torch.bool)
        # the first is the pass over the prompt, which drafts nothing
        self.n_rounds = torch.zeros(n_rows, dtype=torch.long, device=target.device)
        self.begun: tuple[Seen, Iterator[Tensor]] | None = None
        self.place: int | None = None  # in the round; None outside of one

    def feed(
        self, tokens: Tensor, valid: Tensor | None = None, *, keep: int = 0
    ) -> Tensor:
        """Logits for the next token; without any hope where nothing is proposed."""
        assert keep == 1
        valid = torch.ones_like(tokens, dtype=torch.bool) if valid is None else valid
        self.tokens = torch.cat([self.tokens, tokens], dim=1)
        self.mask = torch.cat([self.mask, valid], dim=1)
        nothing = torch.full((len(tokens), 1, self._n_vocab), -torch.inf)
        if self.place is None or self.place == self.most:
            return nothing.to(tokens.device)
        if self.place == 0:
            self.begun = self._begin()
        assert self.begun is not None
        seen, passes = self.begun
        if self.place:
            behind = (seen.starts + 1 + self.place, tokens[:, -1:])
            seen.ids.scatter_(1, *behind)
        self.place += 1
        silent = (self.n_rounds == 1)[:, None, None]
        return next(passes).float().masked_fill(silent, -torch.inf)

    @property
    def _n_vocab(self) -> int:
        return int(self.target.get_output_embeddings().weight.shape[0])

    def _begin(self) -> tuple[Seen, Iterator[Tensor]]:
        rows = zip(self.tokens, self.mask, strict=True)
        texts = [tokens[mask].tolist() for tokens, mask in rows]
        ids = pad_right(texts, self.most, self.tokens.device)
        lengths = self.mask.sum(1)
        hidden, _ = look(self.target, ids, lengths[:, None] - 1)
        seen = Seen(ids, hidden, (lengths[:, None] - 2).clamp(min=0))
        return seen, self.head.passes(seen)

    def take_back(self, kept: Tensor) -> None:
        """Of the last columns, hide those where `kept` is False."""
        n = kept.shape[1]
        self.mask = torch.cat([self.mask[:, :-n], self.mask[:, -n:] & kept], dim=1)

    def keep_rows(self, rows: Tensor) -> None:
        """Only these rows stay."""
        self.tokens, self.mask = self.tokens[rows], self.mask[rows]
        self.n_rounds = self.n_rounds[rows]

    def make_room(self, _: int) -> None:
        """A round begins."""
        self.place, self.n_rounds = 0, self.n_rounds + 1

    def join(self, other: "Following") -> None:
        """The other's rows enter, below its own."""
        width = max(self.tokens.shape[1], other.tokens.shape[1])
        for name in ("tokens", "mask"):
            both = [getattr(each, name) for each in (self, other)]
            wide = [pad(each, (width - each.shape[1], 0)) for each in both]
            setattr(self, name, torch.cat(wide))
        self.n_rounds = torch.cat([self.n_rounds, other.n_rounds])
