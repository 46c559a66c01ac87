"""Token ids as text by a tokenizer's rules alone."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from specfair.errors import StoreError
from specfair.models import tokens
from specfair.models.folders import Source, locate
from tests import tiny_models


def test_rules_write_what_the_tokenizer_writes(tmp_path: Path) -> None:
    shipped = AutoTokenizer.from_pretrained(locate(Source("embedded"), "target"))
    for tokenizer in (shipped, tiny_models.tokenizer()):
        tokens.save(tokenizer, tmp_path / "rules")
        decode = tokens.load(tmp_path / "rules")
        assert decode is not None
        for ids in (
            list(range(300)),
            [0],
            [],
            tokenizer("Don't , ä 中 .")["input_ids"],
        ):
            assert decode(ids) == tokenizer.decode(ids)


def test_a_tokenizer_that_tidies_up_is_not_kept_as_rules_alone(tmp_path: Path) -> None:
    words = [
        "?",
        *[
            "It",
            "'s",
            "so",
            ",",
            "do",
            "n't",
            ".",
            "Is",
            "it",
            "I",
            "'m",
            ";",
            "we",
            "'ve",
            "(",
            "seen",
            ")",
            "!",
        ],
    ]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(words))}
    backend = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token=words[0]))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.decoder = decoders.WordPiece(cleanup=False)
    tidy = PreTrainedTokenizerFast(
        tokenizer_object=backend, clean_up_tokenization_spaces=True
    )
    tokens.save(tidy, tmp_path / "rules")
    assert tokens.load(tmp_path / "rules") is None


def test_damaged_rules_are_named(tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("{}")
    with pytest.raises(StoreError, match="tokenizer 'rules' cannot be read"):
        tokens.load(tmp_path / "rules")
