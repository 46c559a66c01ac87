"""The first layers of a model are the model that has no others."""

import copy

import pytest
import torch
from transformers import AutoModelForCausalLM

from specfair.errors import ModelError
from specfair.models import load
from specfair.models.layers import first_layers
from specfair.texts.prompts import fixtures
from tests import tiny_models

TARGET = fixtures() / "pair" / "target"


def test_a_truncated_copy_gives_the_same_bits() -> None:
    target = AutoModelForCausalLM.from_pretrained(TARGET).eval()
    config = copy.deepcopy(target.config)
    config.num_hidden_layers = 2
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:2]
    alone = AutoModelForCausalLM.from_pretrained(TARGET, config=config).eval()
    tokens = torch.arange(5, 25)[None]
    before = target(tokens).logits
    early = first_layers(target, 2, "target")
    assert torch.equal(early(tokens).logits, alone(tokens).logits)
    assert torch.equal(target(tokens).logits, before)
    assert early.model.layers[0] is target.model.layers[0]


def test_what_cannot_end_early_is_one_line() -> None:
    with pytest.raises(ModelError, match="leaves out none of the"):
        load.load("embedded", "early-exit:99", device="cpu")
    with pytest.raises(ModelError, match=r"'tiny' \(gpt2\) has no list of layers"):
        first_layers(tiny_models.pair().target, 1, "tiny")
