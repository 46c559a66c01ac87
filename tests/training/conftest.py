"""A pair of a few thousand weights and a corpus of a hundred sentences."""

import random
from collections.abc import Iterator

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from specfair.models import load
from specfair.models.folders import Source, locate
from specfair.models.pair import Pair
from specfair.texts.corpora import Corpus
from specfair.training.recipe import Recipe

RECIPE = Recipe(max_steps=6, batch_size=4, accumulation=1, block=16, learning_rate=1e-2)
WORDS = ("north", "south", "house", "letter", "river", "garden", "window", "morning")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tiny(seed: int, *, eos: int | None = 0, context: int = 64) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=2048,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=context,
            bos_token_id=None,
            eos_token_id=eos,
            pad_token_id=0,
            tie_word_embeddings=True,
        )
    )


@pytest.fixture
def pair() -> Pair:
    tokenizer = AutoTokenizer.from_pretrained(locate(Source("embedded"), "target"))
    return load.assemble(
        tiny(0), tiny(1), tokenizer, target_name="big", draft_name="small"
    )


@pytest.fixture
def corpus() -> Corpus:
    rng = random.Random(3)
    documents = [
        (
            f"The {rng.choice(WORDS)} and the {rng.choice(WORDS)} of the "
            f"{rng.choice(WORDS)}."
        )
        for _ in range(120)
    ]
    return Corpus(
        "walks",
        "walks, made up",
        synthetic=True,
        train=documents,
        heldout=documents[:2],
    )
