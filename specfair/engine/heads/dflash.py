"""DFlash: a whole block at once, from some of the target's layers.

A block is the last token and as many masks as are proposed. It attends to the features
before it and to itself, both ways, so blocks of all starts lie side by side in one pass
under a mask. Knows the assistant as transformers opens it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from specfair.engine.heads.seen import Seen


@dataclass(frozen=True, slots=True)
class DFlash:
    """The assistant, and the target whose embeddings and output layer it shares."""

    model: Any
    target: Any

    def passes(self, seen: Seen) -> Iterator[Tensor]:
        """One fewer than a block is long, all from one pass."""
        config = self.model.config
        context = torch.cat([seen.hidden[i + 1] for i in config.target_layer_ids], -1)
        n_starts, size = seen.starts.shape[1], config.block_size
        block = torch.arange(size, device=context.device)
        columns = torch.arange(context.shape[1], device=context.device)
        tokens = seen.token(0)[:, :, None].expand(-1, -1, size)
        noise = torch.where(block > 0, config.mask_token_id, tokens).flatten(1)
        places = (seen.starts[:, :, None] + 1 + block).flatten(1)
        before = columns <= seen.starts.repeat_interleave(size, 1)[:, :, None]
        start = torch.arange(n_starts, device=block.device).repeat_interleave(size)
        own = (start[:, None] == start).expand(len(noise), -1, -1)
        seen_by = torch.cat([before, own], dim=-1)[:, None]
        mask = torch.zeros_like(seen_by, dtype=context.dtype)
        mask = mask.masked_fill(~seen_by, torch.finfo(context.dtype).min)
        made = self.model(
            noise_embeds=self.target.get_input_embeddings()(noise),
            context_hidden_states=context,
            attention_mask={"full_attention": mask, "sliding_attention": mask},
            position_ids=torch.cat([columns.expand(len(noise), -1), places], dim=1),
            use_cache=False,
        ).last_hidden_state.unflatten(1, (n_starts, size))
        project = self.target.get_output_embeddings()
        for depth in range(1, size):
            yield project(made[:, :, depth])
