"""Freshly initialised models of many architectures, small enough to build in
milliseconds, and a tokenizer for them.
"""

import itertools
import random
from collections.abc import Mapping
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from specfair.models import load
from specfair.models.pair import Pair
from specfair.texts.prompts import Prompt

N_VOCAB = 300
CONTEXT = 64
EOS = "<|endoftext|>"  # token 0

_GPT = {
    "vocab_size": N_VOCAB,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": CONTEXT,
    "initializer_range": 0.4,
}
_LLAMA = {
    "vocab_size": N_VOCAB,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.4,
}
_WINDOW = {"head_dim": 8, "sliding_window": 6}
_NEO = {key: value for key, value in _LLAMA.items() if key != "num_key_value_heads"}
_BERT = {
    "vocab_size": N_VOCAB,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.4,
}
ARCHITECTURES: Mapping[str, Mapping[str, Any]] = {
    "gpt2": _GPT,
    "gpt_neo": {
        "vocab_size": N_VOCAB,
        "hidden_size": 16,
        "num_layers": 2,
        "num_heads": 2,
        "window_size": 6,
        "attention_types": [[["global", "local"], 1]],
        "max_position_embeddings": CONTEXT,
        "initializer_range": 0.4,
    },
    "gpt_neox": _NEO,
    "llama": _LLAMA,
    "mistral": {**_LLAMA, **_WINDOW},
    "qwen2": _LLAMA,
    "qwen3": {**_LLAMA, "head_dim": 8},
    "gemma": {**_LLAMA, "head_dim": 8},
    "gemma3_text": {
        **_LLAMA,
        **_WINDOW,
        "layer_types": ["sliding_attention", "full_attention"],
    },
    "phi": {**_LLAMA, "num_key_value_heads": 2},
    "opt": {
        "vocab_size": N_VOCAB,
        "hidden_size": 16,
        "ffn_dim": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": CONTEXT,
        "word_embed_proj_dim": 16,
        "init_std": 0.4,
    },
    "bloom": {
        "vocab_size": N_VOCAB,
        "hidden_size": 16,
        "n_layer": 2,
        "n_head": 2,
        "initializer_range": 0.4,
    },
    "mpt": {
        "vocab_size": N_VOCAB,
        "d_model": 16,
        "n_layers": 2,
        "n_heads": 2,
        "max_seq_len": CONTEXT,
        "initializer_range": 0.4,
    },
}


def model(kind: str = "gpt2", seed: int = 0, **settings: Any) -> PreTrainedModel:
    """A random model; initialised widely enough that it does not repeat itself."""
    torch.manual_seed(seed)
    special = {"eos_token_id": 0, "bos_token_id": 0, "pad_token_id": 0}
    config = AutoConfig.for_model(
        kind, **{**special, **ARCHITECTURES[kind], **settings}
    )
    return AutoModelForCausalLM.from_config(config)


def judge(labels: tuple[str, ...], kind: str = "gpt2", **settings: Any) -> Any:
    """A random classifier of texts, initialised widely enough to have opinions."""
    torch.manual_seed(5)
    config = AutoConfig.for_model(
        kind,
        **{"pad_token_id": 0, **{**ARCHITECTURES, "bert": _BERT}[kind], **settings},
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    made = AutoModelForSequenceClassification.from_config(config)
    made.eval()
    return made


def saved(made: Any, folder: Any) -> str:
    """A model and its tokenizer in a folder, as users have them."""
    made.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return str(folder)


def relative(of: PreTrainedModel, noise: float = 0.05) -> PreTrainedModel:
    """A draft that agrees with its target most of the time: the same weights,
    disturbed.
    """
    draft = type(of)(of.config)
    draft.load_state_dict(of.state_dict())
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in draft.parameters():
            weight.add_(
                torch.randn_like(weight)
                * noise
                * (weight.std() if weight.numel() > 1 else 0.0)
            )
    return draft


def tokenizer(n_vocab: int = N_VOCAB) -> PreTrainedTokenizerFast:
    """Bytes, and as many pairs of letters as fit; the end of text is token 0."""
    vocabulary = {EOS: 0} | {
        c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()), start=1)
    }
    merges: list[Any] = list(
        itertools.islice(
            itertools.product("etaoinsr", repeat=2), n_vocab - len(vocabulary)
        )
    )
    vocabulary |= {a + b: i for i, (a, b) in enumerate(merges, start=len(vocabulary))}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token=EOS, pad_token=EOS
    )


def pair(kind: str = "gpt2", *, noise: float = 0.05, **settings: Any) -> Pair:
    target = model(kind, **settings)
    return load.assemble(target, relative(target, noise), tokenizer())


def prompts(n: int = 8, longest: int = 16) -> list[Prompt]:
    """Texts of many lengths, from a single token up, in two groups."""
    rng = random.Random(n)
    texts = [
        "x",
        *(
            "".join(rng.choices("bcdfgh jklm", k=rng.randint(2, longest)))
            for _ in range(n - 1)
        ),
    ]
    return [
        Prompt(f"p{i}", "ab"[i % 2], f"c{i}", "", text) for i, text in enumerate(texts)
    ]
