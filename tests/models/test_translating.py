"""Twins: tokens that are written alike in two vocabularies."""

from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from specfair.errors import ModelError
from specfair.models.translating import translated
from tests import tiny_models


def sentencepiece(words: list[str]) -> PreTrainedTokenizerFast:
    """A word a token, with another mark of a space."""
    vocabulary = {word: number for number, word in enumerate(words)}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token=words[0]))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token=words[0])


def test_a_vocabulary_without_common_tokens_is_refused() -> None:
    draft: Any = tiny_models.model("llama")
    foreign = sentencepiece(["[?]", "▁цапля"])
    with pytest.raises(ModelError, match="have 0 tokens in common") as caught:
        translated(draft, foreign, tiny_models.tokenizer(), names=("T", "D"))
    assert "\n" not in str(caught.value)


def test_the_mark_of_a_space_is_no_difference() -> None:
    """The target writes a space as Ġ, the draft as ▁."""
    target = tiny_models.tokenizer()
    draft = translated(
        tiny_models.model("llama"),
        sentencepiece(["[?]", "▁", "x", "▁xyz"]),
        target,
        names=("T", "D"),
    )
    space, x = target.convert_tokens_to_ids(["Ġ", "x"])
    assert draft.twins == {space: 1, x: 2}
    assert draft.piece(x) == [2]
    unknown: Any = target.convert_tokens_to_ids("y")
    assert draft.piece(unknown) == [0]
    assert draft.piece(0) == [0]  # the end of a text has no text
    assert draft.aligned(target("xyz")["input_ids"]) == [[], [], [3]]
