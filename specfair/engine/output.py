"""The target's output layer by itself.

What goes into it is all that the target's distributions need: kept while a text is
written, it gives them back in one product, bit for bit, and no other layer runs. A
product of fewer than four rows rounds otherwise than a larger one, so few rows are
filled up, writing as well as reading. Knows layers and hooks; does not know texts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import PreTrainedModel

_ROWS = 8  # of a product at least


@contextmanager
def overheard(model: PreTrainedModel) -> Iterator[list[Tensor]]:
    """While it lasts, what last went into the output layer stands in the list, and its
    products have rows enough.
    """
    layer = _layer(model)
    heard: list[Tensor] = []

    def fill(_: Any, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        heard[:] = given[:1]
        return (_filled(given[0].flatten(0, -2)), *given[1:])

    def cut(_: Any, __: Any, found: Tensor) -> Tensor:
        shape = heard[0].shape[:-1]
        return found[: shape.numel()].view(*shape, found.shape[-1])

    hooks = []
    if layer is not None:
        hooks = [
            layer.register_forward_pre_hook(fill),
            layer.register_forward_hook(cut),
        ]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()


def product(model: PreTrainedModel, states: Tensor) -> Tensor:
    """Logits (n, vocabulary) from what was overheard (n, size)."""
    layer = _layer(model)
    found: Tensor = layer(_filled(states.to(layer.weight.device)))[: len(states)]
    return found


@torch.inference_mode()
def size(model: PreTrainedModel) -> int:
    """Bytes that a token's state takes; 0 where logits are not that product alone, as
    in models that cap or scale them.
    """
    with overheard(model) as heard:
        token = torch.zeros((1, 1), dtype=torch.long, device=model.device)
        logits = model(token).logits[0]
    same = heard and torch.equal(product(model, heard[0][0]), logits)
    return heard[0].shape[-1] * heard[0].element_size() if same else 0


def as_bytes(states: Tensor) -> Tensor:
    """States (n, size) as what is stored of them."""
    return states.contiguous().view(torch.uint8)


def _layer(model: Any) -> Any:
    return model.get_output_embeddings()


def _filled(states: Tensor) -> Tensor:
    return pad(states, (0, 0, 0, max(0, _ROWS - len(states))))
