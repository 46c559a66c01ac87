"""The cursor over a cache: rows of different lengths, tokens taken back, holes closed,
rows leaving and entering.
"""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from specfair.engine.cursor import Cursor, pad_left
from specfair.errors import ModelError
from tests import tiny_models

TEXTS = [[5], [7, 8, 9, 10, 11], [12, 13, 14]]
CPU = torch.device("cpu")


@pytest.fixture(params=["gpt2", "gpt_neo", "llama", "bloom"])
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return tiny_models.model(request.param).eval()


def alone(model: PreTrainedModel, text: list[int]) -> Tensor:
    return model(torch.tensor([text])).logits[0]


@torch.inference_mode()
def test_left_padding_changes_nothing(model: PreTrainedModel) -> None:
    cursor = Cursor(model, 3, 300)
    logits = cursor.feed(*pad_left(TEXTS, CPU))
    assert cursor.lengths.tolist() == [1, 5, 3]
    for row, text in enumerate(TEXTS):
        assert torch.allclose(logits[row, -len(text) :], alone(model, text), atol=1e-4)


@torch.inference_mode()
def test_tokens_taken_back_leave_no_trace(model: PreTrainedModel) -> None:
    """Each row keeps another number of four tokens; the next logits are those of the
    text without the others.
    """
    for squeezed in (False, True):
        cursor = Cursor(model, 3, 300)
        cursor.feed(*pad_left(TEXTS, CPU), keep=1)
        cursor.feed(torch.tensor([[20, 21, 22, 23]] * 3), keep=1)
        cursor.take_back(
            torch.tensor(
                [[True, False, False, False], [True, True, True, True], [False] * 4]
            )
        )
        assert cursor.lengths.tolist() == [2, 9, 3]
        # whose window counts columns
        if squeezed or model.config.model_type == "gpt_neo":
            cursor.squeeze(9)
            assert cursor.mask.shape[1] == 9
        logits = cursor.feed(torch.tensor([[30]] * 3), keep=1)[:, 0]
        kept = ([20], [20, 21, 22, 23], [])
        for row, text in enumerate(TEXTS):
            assert torch.allclose(
                logits[row], alone(model, [*text, *kept[row], 30])[-1], atol=1e-4
            )


@torch.inference_mode()
def test_rows_leave_and_enter(model: PreTrainedModel) -> None:
    for first, later in ((TEXTS, [[40, 41]]), ([[40, 41]], TEXTS)):
        cursor, other = (
            Cursor(model, len(first), 300),
            Cursor(model, len(later), 300),
        )
        cursor.feed(*pad_left(first, CPU), keep=1)
        other.feed(*pad_left(later, CPU), keep=1)
        cursor.join(other)
        cursor.keep_rows(torch.tensor([3, 0, 1]))
        texts = [[*first, *later][i] for i in (3, 0, 1)]
        logits = cursor.feed(torch.tensor([[50]] * 3), keep=1)[:, 0]
        for row, text in enumerate(texts):
            assert torch.allclose(logits[row], alone(model, [*text, 50])[-1], atol=1e-4)


@torch.inference_mode()
def test_room_is_made_only_where_holes_cost_something() -> None:
    cursor = Cursor(tiny_models.model("llama").eval(), 1, 300)
    cursor.feed(torch.tensor([[5, 6, 7]]), keep=1)
    for _ in range(12):
        cursor.make_room(3)
        cursor.feed(torch.tensor([[1, 2, 3]]), keep=1)
        cursor.take_back(torch.zeros(1, 3, dtype=torch.bool))
    assert cursor.mask.shape[1] == 39
    cursor.make_room(3)  # 39 columns for 3 tokens: more than half as much again and 32
    assert cursor.mask.shape[1] == 3
    cursor.make_room(100)  # nothing to close
    assert cursor.mask.shape[1] == 3


def test_empty_rows_are_all_padding() -> None:
    # with nothing of another row
    assert pad_left([[7, 8], [9]], CPU)[0].tolist() == [[7, 8], [9, 9]]
    assert pad_left([[], [9]], CPU, of=[[7], [9]])[0].tolist() == [[7], [9]]
    tokens, valid = pad_left([[], []], CPU)
    assert tokens.shape == (2, 1)
    assert not valid.any()


class Forgetful(torch.nn.Module):
    """Accepts a cache and never writes to it."""

    device = CPU
    config = SimpleNamespace(model_type="forgetful")

    def forward(
        self, input_ids: Tensor, past_key_values: object, **_: object
    ) -> SimpleNamespace:
        return SimpleNamespace(
            logits=torch.zeros(*input_ids.shape, 300), past=past_key_values
        )


def test_a_model_that_does_not_fill_its_cache_is_refused() -> None:
    with pytest.raises(
        ModelError, match="'forgetful' does not keep one cache column per token"
    ):
        Cursor(Forgetful(), 1, 300).feed(torch.tensor([[1, 2]]))  # type: ignore[arg-type]  # not a model, on purpose
