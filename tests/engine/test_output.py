"""The output layer by itself: what is overheard gives the logits back, to the bit."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from specfair.decoding import Decoding
from specfair.engine import output, tracer
from specfair.models import load
from tests import tiny_models
from tests.engine.test_tracer import DECODINGS

EMBEDDED = load.load("embedded", "embedded", device="cpu")


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 3), (7, 1), (40, 5)])
def test_logits_do_not_depend_on_how_many_rows_there_are(
    shape: tuple[int, int],
) -> None:
    """Not even one row by itself, which a processor multiplies in another way."""
    model = EMBEDDED.target
    tokens = torch.arange(shape[0] * shape[1]).view(shape) + 5
    with torch.inference_mode(), output.overheard(model) as heard:
        logits = model(tokens).logits
        states = heard[0].flatten(0, 1).clone()
        assert torch.equal(output.product(model, states).view(logits.shape), logits)
        for state, row in zip(states, logits.flatten(0, 1), strict=True):
            assert torch.equal(output.product(model, state[None])[0], row)
    assert not model.lm_head._forward_hooks
    assert not model.lm_head._forward_pre_hooks


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
def test_a_draft_that_reads_later_finds_the_same_bits(decoding: Decoding) -> None:
    """Rows leave in between, down to the last writer of a batch."""
    pair = tiny_models.pair(noise=0.3)
    pair.target.generation_config.eos_token_id = list(range(0, 300, 12))
    size = output.size(pair.target)
    assert size == 16 * 4
    prompts = tiny_models.prompts(30)
    (along,) = tracer.trace_drafts([pair], prompts, decoding, keep=size)
    assert along.text.states is not None
    assert along.text.states.shape == (along.n_tokens, size)
    (later,) = tracer.reread([pair], along.text)
    for name, column in along.reading.columns.items():
        assert np.array_equal(later[name], column, equal_nan=True), name


def _scaled(model: torch.nn.Module) -> None:
    model.register_forward_hook(lambda _, __, found: _halved(found))


def _halved(found: dict) -> dict:
    found["logits"] = found["logits"] / 2
    return found


@pytest.mark.parametrize(
    "change",
    [_scaled, lambda model: setattr(model, "get_output_embeddings", lambda: None)],
)
def test_logits_that_are_more_than_the_product_are_not_recalled(
    change: Callable[[torch.nn.Module], object],
) -> None:
    """Those of a model that caps or scales them, and of one that has no such layer."""
    pair = tiny_models.pair()
    assert output.size(pair.target) > 0
    change(pair.target)
    assert output.size(pair.target) == 0


def test_half_precision_is_kept_as_it_is() -> None:
    made = tiny_models.pair()
    for model in (made.target, made.draft):
        torch.nn.Module.to(model, torch.bfloat16)
    size = output.size(made.target)
    assert size == 16 * 2
    (along,) = tracer.trace_drafts(
        [made], tiny_models.prompts(9), Decoding(8), keep=size
    )
    (later,) = tracer.reread([made], along.text)
    for name, column in along.reading.columns.items():
        assert np.array_equal(later[name], column), name
