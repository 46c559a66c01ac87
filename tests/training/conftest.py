"""A pair of a few thousand weights and a corpus of a hundred sentences."""

import random
from collections.abc import Iterator

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from specfair.decoding import Decoding
from specfair.engine import tracer
from specfair.models import load
from specfair.models.folders import Source, locate
from specfair.models.pair import Pair
from specfair.texts.corpora import Corpus
from specfair.texts.prompts import Prompt
from specfair.traces.trace import Trace
from specfair.training.pool import Pool
from specfair.training.recipe import Recipe
from specfair.training.teacher import taught

RECIPE = Recipe(max_steps=6, batch_size=4, accumulation=1, block=16, learning_rate=1e-2)
SAMPLED = Decoding(6, temperature=1.0)
WORDS = ("north", "south", "house", "letter", "river", "garden", "window", "morning")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tiny(seed: int, *, eos: int | None = 0, context: int = 64) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
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
    with torch.no_grad():  # tokens are to differ, as they do for trained models
        model.model.embed_tokens.weight.mul_(25)
    return model


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


def prompts() -> list[Prompt]:
    words = ("the house", "a river and the letter", "south")
    made = [
        Prompt(f"{group}{i}", group, f"{group} {i}", "", f"{group} {text}")
        for group in ("ours", "theirs")
        for i, text in enumerate(words)
    ]
    return [*made, Prompt("none", "", "", "", "")]


@pytest.fixture
def trace(pair: Pair) -> Trace:
    return tracer.trace(pair, prompts(), SAMPLED)


@pytest.fixture
def pool(pair: Pair, trace: Trace) -> Pool:
    return taught(pair, trace, trace.prompts)
