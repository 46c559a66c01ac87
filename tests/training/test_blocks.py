"""A corpus as blocks of tokens."""

from dataclasses import replace

import numpy as np
import pytest

from specfair.errors import DataError
from specfair.models import load
from specfair.models.pair import Pair
from specfair.texts.corpora import Corpus
from specfair.training.blocks import pack
from specfair.training.recipe import Recipe
from tests.training.conftest import RECIPE, tiny


def test_a_corpus_too_small_for_a_block_is_refused(pair: Pair, corpus: Corpus) -> None:
    with pytest.raises(
        DataError, match=r"'walks' has .* tokens to train on; a block takes 16"
    ):
        pack(pair, replace(corpus, train=["Short."]), RECIPE)


def test_blocks_are_the_documents_one_after_the_other(
    pair: Pair, corpus: Corpus
) -> None:
    blocks = pack(pair, corpus, Recipe(block=16))
    flat = blocks.flatten().tolist()
    ends = [i for i, token in enumerate(flat) if token == 0]
    documents = [
        pair.tokenizer.decode(flat[a + 1 : b])
        for a, b in zip([-1, *ends], ends, strict=False)
    ]
    assert len(documents) >= 118  # a last one may be cut off with the incomplete block
    assert set(documents) <= set(corpus.train)
    assert documents != list(corpus.train[: len(documents)])


def test_no_more_documents_are_read_than_steps_need(pair: Pair, corpus: Corpus) -> None:
    many = replace(corpus, train=list(corpus.train) * 30)
    few, everything = (
        pack(pair, many, RECIPE),
        pack(pair, many, replace(RECIPE, max_steps=0)),
    )
    assert few.shape == (24, 16)
    np.testing.assert_array_equal(few, everything[:24])


def test_blocks_fit_the_models(pair: Pair, corpus: Corpus) -> None:
    short = load.assemble(tiny(0, context=32), tiny(1), pair.tokenizer)
    assert pack(short, corpus, Recipe(block=512)).shape[1] == 32


def test_models_without_an_end_of_text_get_none(pair: Pair, corpus: Corpus) -> None:
    endless = load.assemble(tiny(0, eos=None), tiny(1, eos=None), pair.tokenizer)
    assert 0 not in pack(endless, corpus, Recipe(block=16))
