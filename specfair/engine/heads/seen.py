"""What a head sees: a text, the target's hidden states over it, and where rounds start.

A round that starts when t tokens are known has the target's hidden states up to the
last token but one, and that last token as well; it proposes what comes behind. As long
as its proposals are accepted they are the text, so the text itself may stand for them:
all starts of all depths come from passes over whole texts. Knows no head.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Seen:
    """Rows of text with padding on the right, where nothing before it can see it."""

    ids: Tensor  # (n_rows, width); what a start proposes is written behind its text
    hidden: Sequence[Tensor]  # embeddings and every layer: (n_rows, width, size)
    starts: Tensor  # (n_rows, n) the last position whose hidden states a round knows

    def at(self, states: Tensor) -> Tensor:
        """The states of the starts (n_rows, n, size)."""
        index = self.starts[:, :, None].expand(-1, -1, states.shape[-1])
        return states.gather(1, index)

    def token(self, depth: int) -> Tensor:
        """The token that precedes what a start proposes at this depth (n_rows, n)."""
        last = self.ids.shape[1] - 1
        return self.ids.gather(1, (self.starts + 1 + depth).clamp(max=last))


class Head(Protocol):
    """What proposes tokens from hidden states."""

    def passes(self, seen: Seen) -> Iterator[Tensor]:
        """Logits (n_rows, n_starts, vocabulary), depth by depth. Tokens behind a start
        are looked at no sooner than the depth that needs them is asked for.
        """


def look(
    target: PreTrainedModel, ids: Tensor, keep: Tensor
) -> tuple[Sequence[Tensor], Tensor]:
    """The target's hidden states over the rows, and its logits after the positions
    kept (n_rows, n).
    """
    read: Any = target(ids, use_cache=False, output_hidden_states=True)
    index = keep[:, :, None].expand(-1, -1, read.logits.shape[-1])
    return read.hidden_states, read.logits.gather(1, index)


def pad_right(rows: Sequence[Sequence[int]], room: int, device: torch.device) -> Tensor:
    """Tokens (n_rows, longest + room), each row's end repeated behind it."""
    width = max(map(len, rows)) + room
    padded = [pad(torch.tensor(r), (0, width - len(r)), value=r[-1]) for r in rows]
    return torch.stack(padded).to(device)
