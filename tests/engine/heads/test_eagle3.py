"""EAGLE-3 against decoding step by step, as servers do: one text, a cache that is cut
back after every round, transformers' own layer and attention.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import DynamicCache, LlamaConfig
from transformers.models.llama.modeling_llama import (
    LlamaDecoderLayer,
    LlamaRMSNorm,
    LlamaRotaryEmbedding,
)

from specfair.decoding import Decoding, Lookahead
from specfair.models.pair import encode
from specfair.texts import prompts
from specfair.traces.counting import CANONICAL
from specfair.traces.replay import replay
from tests.engine.heads.trained import School, traced

N_NEW = 24
N_DRAFTED = 5


@dataclass
class Stepwise:
    """The head of a folder, one token at a time."""

    folder: Path
    target: Any
    cache: Any = None
    weights: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.weights = load_file(self.folder / "model.safetensors")
        size, n_kept = self.target.config.hidden_size, self.weights["d2t"].shape[0]
        config = LlamaConfig(**{**self.target.config.to_dict(), "num_hidden_layers": 1})
        config._attn_implementation = "eager"
        self.layer: Any = LlamaDecoderLayer(config, 0)
        for name in ("q_proj", "k_proj", "v_proj"):
            setattr(self.layer.self_attn, name, nn.Linear(2 * size, size, bias=False))
        self.layer.hidden_norm = LlamaRMSNorm(size, config.rms_norm_eps)
        self.norm = LlamaRMSNorm(size, config.rms_norm_eps)
        self.norm.weight.data = self.weights["norm.weight"]
        layer = {
            name.removeprefix("layers.0."): values
            for name, values in self.weights.items()
            if name.startswith("layers.0.")
        }
        self.layer.load_state_dict(layer)
        self.rotary = LlamaRotaryEmbedding(config)
        self.config, self.ids = config, torch.arange(n_kept) + self.weights["d2t"]

    def begin(self) -> None:
        self.cache = DynamicCache(config=self.config)

    def read(self, tokens: Tensor, states: Tensor) -> tuple[Tensor, int]:
        """Rows (n, size) behind those in the cache; the last one's state, and what it
        proposes.
        """
        seen, n = self.cache.get_seq_length(), len(tokens)
        normed = self.layer.hidden_norm(states)
        embedded = self.target.get_input_embeddings()(tokens)
        row = torch.cat([self.layer.input_layernorm(embedded), normed], -1)[None]
        where = torch.arange(seen, seen + n)[None]
        mask = torch.full((n, seen + n), -torch.inf).triu(seen + 1)[None, None]
        mixed, _ = self.layer.self_attn(
            hidden_states=row,
            position_embeddings=self.rotary(row, where),
            attention_mask=mask,
            past_key_values=self.cache,
        )
        # norm_before_residual: what the normed features are added to
        state = normed + mixed[0]
        state = state + self.layer.mlp(self.layer.post_attention_layernorm(state))
        logits = self.norm(state[-1]) @ self.weights["lm_head.weight"].T
        return state[-1:], int(self.ids[logits.argmax()])


@torch.inference_mode()
def decode(step: Stepwise, ids: list[int], eos: int) -> list[tuple[int, int]]:
    """Rounds of (drafted, accepted): the pass over the prompt, then drafts."""
    step.begin()
    prompt, n_read, rounds = len(ids), 0, []
    text, features, token = list(ids), *_target(step, ids)
    text, rounds = [*text, token[-1]], [(0, 0)]
    while text[-1] != eos and len(text) < prompt + N_NEW:
        own_rows = step.cache.get_seq_length() - n_read
        if own_rows:  # of the head's own states: they are written anew
            step.cache.crop(-own_rows)
        last = len(text) - 1
        state, proposal = step.read(
            torch.tensor(text[n_read + 1 :]), features[n_read:last]
        )
        n_read, drafts = last, [proposal]
        room = min(N_DRAFTED, prompt + N_NEW - len(text) - 1)
        while len(drafts) < room:
            state, proposal = step.read(torch.tensor(drafts[-1:]), state)
            drafts.append(proposal)
        drafts = drafts[:room]
        features, own = _target(step, [*text, *drafts])
        own = own[len(text) - 1 :]
        n = 0
        while n < room and drafts[n] == own[n] and own[n] != eos:
            n += 1
        text = [*text, *own[: n + 1]]
        rounds.append((room, n))
    return rounds


def _target(step: Stepwise, ids: list[int]) -> tuple[Tensor, list[int]]:
    read = step.target(torch.tensor([ids]), output_hidden_states=True)
    states = torch.cat([read.hidden_states[i] for i in (0, 1, 2)], dim=-1)[0]
    return states @ step.weights["fc.weight"].T, read.logits[0].argmax(-1).tolist()


def test_greedy_rounds_are_those_of_decoding_step_by_step(
    of: School, eagle3: Path
) -> None:
    chosen = prompts.load("embedded")[::9]
    trace = traced(of, "eagle3", eagle3, chosen, Decoding(max_new_tokens=N_NEW))
    counts = replay(trace, Lookahead(N_DRAFTED), counting=CANONICAL)
    step = Stepwise(eagle3, of.pair.target)
    ids, _ = encode(of.pair, chosen, N_NEW)
    found = [decode(step, each, of.pair.eos[0]) for each in ids]
    assert len(chosen) >= 100
    assert counts.n_rounds.tolist() == [len(rounds) for rounds in found]
    accepted = [sum(n for _, n in rounds) for rounds in found]
    assert counts.n_accepted.tolist() == accepted
    rate = np.sum(accepted) / counts.n_tested.sum()
    assert 0.2 < rate < 0.95
