"""Medusa: heads side by side on the target's last hidden state, one for each depth.

They propose without seeing one another. Knows the heads; does not know files.
"""

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.functional import silu

from specfair.engine.heads.seen import Seen


class _Residual(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, size)

    def forward(self, states: Tensor) -> Tensor:
        changed: Tensor = states + silu(self.linear(states))
        return changed


class Medusa(nn.ModuleList):
    """The heads, named as in their files: number of the head, number of the block."""

    def __init__(self, *, n_heads: int, n_layers: int, size: int, n_vocab: int) -> None:
        super().__init__()
        for _ in range(n_heads):
            blocks = [_Residual(size) for _ in range(n_layers)]
            self.append(nn.Sequential(*blocks, nn.Linear(size, n_vocab, bias=False)))

    def passes(self, seen: Seen) -> Iterator[Tensor]:
        """As many as there are heads."""
        state = seen.at(seen.hidden[-1])
        for head in self:
            yield head(state)
