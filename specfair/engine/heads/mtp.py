"""Multi-token prediction: the target's own further layers, one for each depth.

Layer j reads the token j + 1 places on beside what the layer before it made. Every
layer is causal, so one pass of each over the whole text gives all starts. Knows the
layers as transformers opens them; does not know architectures.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from specfair.engine.heads.seen import Seen


@dataclass(frozen=True, slots=True)
class Mtp:
    """The layers, as transformers' MtpModel holds them."""

    model: Any

    def passes(self, seen: Seen) -> Iterator[Tensor]:
        """As many as there are layers."""
        # newer than the oldest transformers that everything else works with
        from transformers.cache_utils import MtpCache

        cache = MtpCache(config=self.model.config)
        states, project = seen.hidden[-1], self.model._project_to_logits
        columns = torch.arange(states.shape[1], device=states.device)
        for depth in range(len(self.model.layers)):
            following = seen.ids[:, 1 + depth :]
            # a row's last tokens have none so far behind them, and nothing looks there
            states = states[:, : following.shape[1]]
            states = self.model.forward_layer(
                depth,
                states,
                (columns[: states.shape[1]] + 1 + depth)[None],
                cache,
                input_ids=following[:, : states.shape[1]],
            )
            yield project(seen.at(states))
