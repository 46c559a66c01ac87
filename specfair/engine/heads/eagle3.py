"""EAGLE-3: one small layer, again and again, over three of the target's layers.

A round's first proposal comes from a row over the target's features, each further one
from a row over the head's own output; after a round the rows of accepted tokens are
written anew from the target's features. So depth j of a start attends to the feature
rows up to the start, and to its own j rows: K passes give every start and depth. Knows
the layer; does not know files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaMLP,
    LlamaRMSNorm,
    LlamaRotaryEmbedding,
    apply_rotary_pos_emb,
    repeat_kv,
)

from specfair.engine.heads.seen import Seen

FLAGS = ("norm_before_residual", "norm_before_fc", "norm_output")


class Layer(nn.Module):
    """A Llama layer whose attention reads the token and the features side by side."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        size, eps = config.hidden_size, config.rms_norm_eps
        self.self_attn: Any = LlamaAttention(config, 0)
        for name in ("q_proj", "k_proj", "v_proj"):
            old = getattr(self.self_attn, name)
            wider = nn.Linear(2 * size, old.out_features, bias=old.bias is not None)
            setattr(self.self_attn, name, wider)
        self.input_layernorm = LlamaRMSNorm(size, eps)
        self.hidden_norm = LlamaRMSNorm(size, eps)
        self.post_attention_layernorm = LlamaRMSNorm(size, eps)
        make_mlp: Any = LlamaMLP  # the library is only partly typed
        self.mlp = make_mlp(config)

    def heads(self, name: str, rows: Tensor) -> Tensor:
        """One of the three projections, by attention head (n_rows, heads, n, size)."""
        projected = getattr(self.self_attn, name)(rows)
        apart: Tensor = projected.unflatten(-1, (-1, self.self_attn.head_dim))
        return apart.transpose(1, 2)


@dataclass(slots=True)
class _Own:
    """The rows a start has made of its own proposals: it alone attends to them."""

    keys: list[Tensor] = field(default_factory=list)  # (n_rows, heads, n_starts, size)
    values: list[Tensor] = field(default_factory=list)

    def add(self, keys: Tensor, values: Tensor) -> None:
        self.keys.append(keys)
        self.values.append(values)


@dataclass(frozen=True, slots=True)
class _Shared:
    """The rows over the target's features, and which of them a start may see."""

    keys: Tensor  # (n_rows, heads, width, size)
    values: Tensor
    visible: Tensor  # (n_rows, 1, n_starts, width)

    def attend(self, query: Tensor, own: _Own, scaling: float) -> Tensor:
        """(n_rows, n_starts, heads x size)"""
        scores = (query @ self.keys.mT).masked_fill(~self.visible, -torch.inf)
        more = [(query * key).sum(-1, keepdim=True) for key in own.keys]
        weights = torch.softmax(torch.cat([scores, *more], dim=-1) * scaling, dim=-1)
        width = self.keys.shape[2]
        mixed = weights[..., :width] @ self.values
        for at, value in enumerate(own.values, start=width):
            mixed = mixed + weights[..., at : at + 1] * value
        return mixed.transpose(1, 2).flatten(2)


class Eagle3(nn.Module):
    """A head in the format of Speculators; parameters are named as in its files."""

    d2t: Tensor  # what to add to a token of the head's to have the target's

    def __init__(self, settings: Mapping[str, Any], embed: nn.Embedding) -> None:
        super().__init__()
        config = LlamaConfig(**settings["transformer_layer_config"])
        size, eps = config.hidden_size, config.rms_norm_eps
        self.aux = tuple(settings["eagle_aux_hidden_state_layer_ids"])
        self.flags = {name: bool(settings.get(name)) for name in FLAGS}
        n_features = len(self.aux) * (settings.get("target_hidden_size") or size)
        self.fc = nn.Linear(n_features, size, bias=False)
        if self.flags["norm_before_fc"]:
            self.input_norm = LlamaRMSNorm(n_features, eps)
        self.layers = nn.ModuleList([Layer(config)])
        self.norm = LlamaRMSNorm(size, eps)
        n_drafted, self.n_vocab = settings["draft_vocab_size"], config.vocab_size
        self.lm_head = nn.Linear(size, n_drafted, bias=False)
        self.register_buffer("d2t", torch.zeros(n_drafted, dtype=torch.long))
        self.embed_tokens = embed
        self.rotary = LlamaRotaryEmbedding(config)

    def passes(self, seen: Seen) -> Iterator[Tensor]:
        """Endless: the head can go on from its own output as far as is asked."""
        layer: Any = self.layers[0]
        features, own = self._features(seen), _Own()
        shared, state = self._shared(seen, features), seen.at(features)
        for depth in count():
            row, residual = self._row(seen.token(depth), state)
            where = seen.starts + depth
            if depth:
                own.add(*self._memory(row, where))
            query = self._turned(layer.heads("q_proj", row), where)
            mixed = shared.attend(query, own, layer.self_attn.scaling)
            state = residual + layer.self_attn.o_proj(mixed)
            state = state + layer.mlp(layer.post_attention_layernorm(state))
            normed = self.norm(state)
            yield self._spread(self.lm_head(normed))
            state = normed if self.flags["norm_output"] else state

    def _features(self, seen: Seen) -> Tensor:
        states = torch.cat([seen.hidden[layer] for layer in self.aux], dim=-1)
        if self.flags["norm_before_fc"]:
            states = self.input_norm(states)
        combined: Tensor = self.fc(states)
        return combined

    def _shared(self, seen: Seen, features: Tensor) -> _Shared:
        """A row for every token, over the features of the one before it."""
        n_known = features.shape[1]
        following = seen.ids[:, 1 : n_known + 1]
        rows, _ = self._row(following, features[:, : following.shape[1]])
        columns = torch.arange(rows.shape[1], device=rows.device)
        keys, values = self._memory(rows, columns.expand(len(rows), -1))
        visible = columns <= seen.starts[:, :, None]
        return _Shared(keys, values, visible[:, None])

    def _row(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """What the attention reads, and what its outcome is added to."""
        layer: Any = self.layers[0]
        normed = layer.hidden_norm(state)
        read = torch.cat([layer.input_layernorm(self.embed_tokens(tokens)), normed], -1)
        return read, normed if self.flags["norm_before_residual"] else state

    def _memory(self, rows: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values, one for each head of the queries."""
        layer: Any = self.layers[0]
        groups = layer.self_attn.num_key_value_groups
        keys = self._turned(layer.heads("k_proj", rows), where)
        return repeat_kv(keys, groups), repeat_kv(layer.heads("v_proj", rows), groups)

    def _turned(self, states: Tensor, where: Tensor) -> Tensor:
        angles = self.rotary(states, where)
        turned: Tensor = apply_rotary_pos_emb(states, states, *angles)[0]
        return turned

    def _spread(self, logits: Tensor) -> Tensor:
        """Over the target's vocabulary; what the head cannot propose has no chance."""
        reached = torch.arange(len(self.d2t), device=logits.device) + self.d2t
        spread = logits.new_full((*logits.shape[:-1], self.n_vocab), -torch.inf)
        spread[..., reached] = logits
        return spread
