"""Token ids as text by a tokenizer's rules alone."""

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from specfair.models import tokens
from specfair.models.folders import Source, locate
from tests import tiny_models


def test_rules_write_what_the_tokenizer_writes(tmp_path: Path) -> None:
    shipped = AutoTokenizer.from_pretrained(locate(Source("embedded"), "target"))
    for tokenizer in (shipped, tiny_models.tokenizer()):
        decode = tokens.decoder(tokens.rules(tokenizer), tmp_path / "nowhere")
        for ids in (
            list(range(300)),
            [0],
            [],
            tokenizer("Don't , ä 中 .")["input_ids"],
        ):
            assert decode(ids) == tokenizer.decode(ids)


def test_a_tokenizer_that_tidies_up_is_asked_itself(tmp_path: Path) -> None:
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
    tidy.save_pretrained(tmp_path)
    assert tokens.rules(tidy) == ""
    decode = tokens.decoder("", tmp_path)
    assert decode([1, 2, 3, 4]) == tidy.decode([1, 2, 3, 4]) == "It's so,"
