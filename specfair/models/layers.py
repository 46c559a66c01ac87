"""The first layers of a model as a model of its own, which shares their weights.

Knows decoders that run through a list called `layers`, as transformers' early exit
does. Does not know what it is for.
"""

import copy
from typing import Any

import torch
from transformers import PreTrainedModel

from specfair.errors import ModelError


def first_layers(model: PreTrainedModel, n: int, name: str) -> PreTrainedModel:
    """Nothing is copied but the modules that hold others."""
    config = copy.deepcopy(model.config)
    text = config.get_text_config(decoder=True)
    whole: Any = model  # whose methods are not typed
    inner = whole.get_decoder()
    layers = getattr(inner, "layers", None)
    plain = getattr(inner, "config", None) is model.config.get_text_config(decoder=True)
    if not (isinstance(layers, torch.nn.ModuleList) and plain):
        raise ModelError(
            f"target {name!r} ({model.config.model_type}) has no list of layers that "
            "may end early. Draft with a model, or with prompt-lookup:10."
        )
    if n >= len(layers):
        raise ModelError(
            f"early-exit:{n} leaves out none of the {len(layers)} layers of target "
            f"{name!r}. Take fewer, such as early-exit:{max(1, len(layers) // 2)}."
        )
    text.num_hidden_layers = n
    if getattr(text, "layer_types", None):
        text.layer_types = text.layer_types[:n]
    outer = _shallow(model)
    shortened = _shallow(inner)
    shortened.layers = layers[:n]
    outer.config, shortened.config = config, text
    for part, module in model.named_children():
        if module is inner:
            setattr(outer, part, shortened)
    return outer


def _shallow(module: PreTrainedModel) -> PreTrainedModel:
    """The same parts in a new holder."""
    made = copy.copy(module)
    made._modules = dict(module._modules)
    return made
