"""The pairs that are measured: the embedded one, and larger ones with fresh weights, as
fast as trained ones.

Knows architectures and sizes. Fresh weights accept little, so such pairs stand only in
measurements whose time does not depend on acceptance, save the deep one: its draft
shares the layers that decide.
"""

import copy
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from specfair.models import load
from specfair.models.devices import device_of, dtype_of
from specfair.models.pair import Pair

# of the layers which the deep pair's draft lacks: about five tokens in six are then
# accepted
DAMPING = 0.2


def pair(name: str, device: str) -> Pair:
    """`embedded`, `study` (GPT-2 of 5.3 M and 1.1 M parameters) or `deep` (Llama of 24
    and 2 layers of width 1024).
    """
    if name == "embedded":
        return load.load("embedded", "embedded", device=device)
    tokenizer = load.load("embedded", "embedded", device="cpu").tokenizer
    torch.manual_seed(0)
    target, draft = _study(len(tokenizer)) if name == "study" else _deep(len(tokenizer))
    where = device_of(device)
    for model in (target, draft):
        torch.nn.Module.to(model, where, dtype_of("auto", where))
    return load.assemble(
        target,
        draft,
        tokenizer,
        target_name=f"{name} target",
        draft_name=f"{name} draft",
    )


def _study(n_vocab: int) -> tuple[GPT2LMHeadModel, GPT2LMHeadModel]:
    shared: dict[str, Any] = {
        "vocab_size": n_vocab,
        "n_positions": 512,
        "n_head": 4,
        "eos_token_id": 0,
        "bos_token_id": 0,
    }
    target, draft = (
        GPT2LMHeadModel(GPT2Config(n_embd=w, n_layer=n, **shared))
        for w, n in ((256, 6), (128, 4))
    )
    return target, draft


def _deep(
    n_vocab: int, width: int = 1024, n_layers: int = 24, n_shared: int = 2
) -> tuple[LlamaForCausalLM, LlamaForCausalLM]:
    """The draft is the target's first layers; the target's others only nudge what those
    say.
    """
    config = LlamaConfig(
        vocab_size=n_vocab,
        hidden_size=width,
        intermediate_size=width * 11 // 4,
        num_hidden_layers=n_layers,
        num_attention_heads=width // 64,
        eos_token_id=0,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    target = LlamaForCausalLM(config)
    with torch.no_grad():
        for layer in target.model.layers[n_shared:]:
            layer.self_attn.o_proj.weight *= DAMPING
            layer.mlp.down_proj.weight *= DAMPING
    shallow = copy.deepcopy(config)
    shallow.num_hidden_layers = n_shared
    draft = LlamaForCausalLM(shallow)
    draft.load_state_dict(target.state_dict(), strict=False)
    return target, draft
