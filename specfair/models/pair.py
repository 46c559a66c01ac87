"""A Pair: a target and a draft with one vocabulary, on one device, ready to be asked
for logits; and prompts as the tokens that it reads.

Knows what its models declare of themselves. Does not know how they are loaded, nor
decoding, traces or groups; it loads no library itself.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from specfair.errors import DataError
from specfair.models.identity import Identity
from specfair.texts.prompts import Prompt

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Pair:
    """A target and a draft that write the same tokens."""

    target: "PreTrainedModel"
    draft: Any  # a model, or what else `engine.drafts` knows to ask
    tokenizer: "PreTrainedTokenizerBase"
    target_name: str
    draft_name: str
    target_fingerprint: str
    draft_fingerprint: str
    tokenizer_fingerprint: str
    truncate: bool = False
    first_choice: bool = False  # whether the draft proposes that, also when sampling

    @property
    def device(self) -> "torch.device":
        device: torch.device = self.target.device
        return device

    @property
    def dtype(self) -> "torch.dtype":
        dtype: torch.dtype = self.target.dtype
        return dtype

    @property
    def eos(self) -> tuple[int, ...]:
        """Tokens that end the target's text; none where it declares none."""
        value = getattr(self.target.generation_config, "eos_token_id", None)
        if value is None:
            value = getattr(self.target.config, "eos_token_id", None)
        if value is None:
            return ()
        return (value,) if isinstance(value, int) else tuple(value)

    @property
    def models(self) -> tuple[Any, ...]:
        """Those of the two that are language models by themselves."""
        drafts = hasattr(self.draft, "get_output_embeddings")
        return (self.target, self.draft) if drafts else (self.target,)

    @property
    def n_vocab(self) -> int:
        """Rows all models have: embeddings padded beyond the vocabulary by one of them
        are left out.
        """
        return min(map(n_rows, self.models))

    @property
    def reach(self) -> Collection[int] | None:
        """The target's tokens that the draft can propose; None where that is all."""
        reach: Collection[int] | None = getattr(self.draft, "reach", None)
        return reach

    @property
    def n_beyond(self) -> int | None:
        """How many the tokenizer writes that the draft cannot propose."""
        written = set(self.tokenizer.get_vocab().values())
        return None if self.reach is None else len(written.difference(self.reach))

    @property
    def context(self) -> int | None:
        """The longest text both can read; None where neither has a limit."""
        limits = [
            getattr(text_config(m), "max_position_embeddings", None)
            for m in (self.target, getattr(self.draft, "model", None) or self.draft)
            if hasattr(m, "config")
        ]
        return min((n for n in limits if n), default=None)

    @property
    def identity(self) -> Identity:
        """What it is, for those who need no weights."""
        return Identity(
            target_name=self.target_name,
            draft_name=self.draft_name,
            target_fingerprint=self.target_fingerprint,
            draft_fingerprint=self.draft_fingerprint,
            tokenizer_fingerprint=self.tokenizer_fingerprint,
            truncate=self.truncate,
            first_choice=self.first_choice,
            n_beyond=self.n_beyond,
            eos=self.eos,
            n_vocab=self.n_vocab,
            context=self.context,
            dtype=str(self.dtype),
            device=self.device.type,
        )


def encode(
    pair: Pair,
    prompts: Sequence[Prompt],
    max_new_tokens: int,
    *,
    known: Sequence[list[int]] = (),
) -> tuple[list[list[int]], int]:
    """Token ids of every prompt, and how many prompts had to be cut to leave room for
    the new tokens. `known` are those ids, where they were kept.

    An empty text starts from the tokenizer's beginning-of-text token, or its
    end-of-text token where there is none.
    """
    if not prompts:
        return [], 0
    texts = [prompt.text for prompt in prompts]
    encoded = known or pair.tokenizer(texts, verbose=False)["input_ids"]
    ids = [
        tokens or _start(pair, prompt)
        for tokens, prompt in zip(encoded, prompts, strict=True)
    ]
    room = None if pair.context is None else pair.context - max_new_tokens
    if room is None or max(map(len, ids)) <= room:
        return ids, 0
    long = [i for i, tokens in enumerate(ids) if len(tokens) > room]
    if not pair.truncate or room < 1:
        raise DataError(
            f"prompt {prompts[long[0]].id!r} has {len(ids[long[0]])} tokens; the "
            f"context of {pair.context} "
            f"leaves {room} beside {max_new_tokens} new tokens ({len(long)} such "
            "prompts). Shorten them, "
            "or allow truncation from the left (truncate = true)."
        )
    return [tokens[-room:] for tokens in ids], len(long)


def _start(pair: Pair, prompt: Prompt) -> list[int]:
    for token in (pair.tokenizer.bos_token_id, pair.tokenizer.eos_token_id):
        if token is not None:
            return [token]
    raise DataError(
        f"prompt {prompt.id!r} is empty and the tokenizer has no token to "
        "begin a text with. Give it a text."
    )


def text_config(model: "PreTrainedModel") -> Any:
    return model.config.get_text_config(decoder=True)


def n_rows(model: Any) -> int:
    output = model.get_output_embeddings()
    return int(
        text_config(model).vocab_size if output is None else output.weight.shape[0]
    )


def fingerprint_tokenizer(tokenizer: "PreTrainedTokenizerBase") -> str:
    """sha256 over what decides how a text becomes tokens; padding and truncation, which
    we set ourselves, do not.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    rules = json.loads(backend.to_str()) if backend is not None else {}
    rules = {
        key: value
        for key, value in rules.items()
        if key not in ("padding", "truncation")
    }
    return hashlib.sha256(
        json.dumps([rules, tokenizer.get_vocab()], sort_keys=True).encode()
    ).hexdigest()
