"""What a pair says of itself, and prompts as its tokens."""

import dataclasses

import pytest

from specfair.errors import DataError
from specfair.models import load
from specfair.models.pair import encode
from specfair.texts.prompts import Prompt
from tests import tiny_models


def test_embeddings_padded_by_one_model_are_left_out() -> None:
    target, draft = (
        tiny_models.model(),
        tiny_models.model(vocab_size=tiny_models.N_VOCAB + 20),
    )
    assert (
        load.assemble(target, draft, tiny_models.tokenizer()).n_vocab
        == tiny_models.N_VOCAB
    )


def test_end_of_text_tokens_come_from_either_config() -> None:
    pair = tiny_models.pair()
    pair.target.generation_config.eos_token_id = [3, 0]
    found = [pair.eos]
    pair.target.generation_config.eos_token_id = None
    found.append(pair.eos)
    pair.target.config.eos_token_id = None
    found.append(pair.eos)
    assert found == [(3, 0), (0,), ()]


def test_empty_prompts_begin_somewhere() -> None:
    pair = tiny_models.pair()
    empty = [Prompt("e", "g", "c", "", ""), Prompt("b", "g", "c", "", "b")]
    assert encode(pair, empty, 4)[0][0] == [0]
    pair.tokenizer.eos_token = None
    with pytest.raises(DataError, match="prompt 'e' is empty"):
        encode(pair, empty, 4)
    assert encode(pair, [], 4) == ([], 0)


def test_long_prompts_are_refused_or_cut_from_the_left() -> None:
    pair = tiny_models.pair()
    long = [
        Prompt("long", "g", "c", "", "xyz" * 30),
        Prompt("short", "g", "c", "", "xyz"),
    ]
    with pytest.raises(
        DataError,
        match=(
            r"prompt 'long' has 90 tokens; the context of 64 leaves 44 beside 20 "
            r"new tokens"
        ),
    ):
        encode(pair, long, 20)
    whole = pair.tokenizer(long[0].text)["input_ids"]
    ids, n_cut = encode(dataclasses.replace(pair, truncate=True), long, 20)
    assert (n_cut, ids[0], len(ids[1])) == (1, whole[-44:], 3)
    with pytest.raises(DataError, match="leaves -6"):
        encode(dataclasses.replace(pair, truncate=True), long, 70)
