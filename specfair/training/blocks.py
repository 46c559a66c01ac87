"""A corpus as blocks of tokens: documents in a random order, one after the other.

Knows tokens and blocks; does not know how a model learns from them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from specfair.errors import DataError
from specfair.models.pair import Pair
from specfair.texts.corpora import Corpus
from specfair.training.recipe import Recipe

_DOCUMENTS = 1000  # tokenised at a time


class Blocks(Dataset[dict[str, Tensor]]):
    """Blocks of tokens, each its own label."""

    def __init__(self, tokens: np.ndarray[Any, np.dtype[np.int32]]) -> None:
        self.tokens = tokens  # (n_blocks, block)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        block = torch.from_numpy(self.tokens[index].astype(np.int64))  # (block,)
        return {"input_ids": block, "labels": block}


def pack(
    pair: Pair, corpus: Corpus, recipe: Recipe
) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Documents in a random order, each ended by EOS, one after the other, cut into
    blocks.

    Blocks are no longer than the models' context; no more documents are read than the
    recipe's steps will use.
    """
    block = min(recipe.block, pair.context or recipe.block)
    wanted = recipe.max_steps * recipe.n_texts * block or None
    parts, n_tokens = [np.zeros(0, dtype=np.int32)], 0
    order = np.random.default_rng(recipe.seed).permutation(len(corpus.train))
    for chosen in np.split(order, range(_DOCUMENTS, len(order), _DOCUMENTS)):
        parts.append(_tokens(pair, [corpus.train[i] for i in chosen]))
        n_tokens += len(parts[-1])
        if wanted is not None and n_tokens >= wanted:
            break
    if n_tokens < block:
        raise DataError(
            f"corpus {corpus.name!r} has {n_tokens} tokens to train on; a block takes "
            f"{block}. "
            "Add documents or make the recipe's block smaller."
        )
    flat = np.concatenate(parts)[: n_tokens // block * block]
    return flat[:wanted].reshape(-1, block)


def _tokens(
    pair: Pair, documents: Sequence[str]
) -> np.ndarray[Any, np.dtype[np.int32]]:
    end = list(pair.eos[:1])
    encoded: list[list[int]] = pair.tokenizer(list(documents), verbose=False)[
        "input_ids"
    ]
    flat = [
        token for ids in encoded for token in (ids if ids[-1:] == end else ids + end)
    ]
    return np.array(flat, dtype=np.int32)
