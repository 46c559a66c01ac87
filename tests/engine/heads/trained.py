"""Tiny heads that have learnt the embedded target: each takes seconds, and is accepted
neither always nor never.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import MuseGlimmerAssistantConfig, MuseGlimmerAssistantModel

from specfair.decoding import Decoding
from specfair.engine import tracer
from specfair.engine.heads.dflash import DFlash
from specfair.engine.heads.eagle3 import Eagle3
from specfair.engine.heads.medusa import Medusa
from specfair.engine.heads.seen import Head, Seen, look, pad_right
from specfair.models import load
from specfair.models.heads import open_head
from specfair.models.kinds import DraftKind
from specfair.models.pair import Pair, encode
from specfair.texts import prompts
from specfair.texts.prompts import Prompt
from specfair.traces.trace import Trace

N_NEW = 24
ROOM = 4
N_STARTS = 6  # of each text, at a time


@dataclass(frozen=True)
class School:
    """What the target wrote after the embedded prompts, and its hidden states."""

    pair: Pair
    ids: Tensor  # (n_texts, width)
    hidden: tuple[Tensor, ...]
    starts: Tensor  # (n_texts, n)


def school(n_texts: int = 512) -> School:
    """Sampled texts: none of those that greedy decoding writes."""
    pair = load.load("embedded", "embedded", device="cpu")
    asked = Decoding(max_new_tokens=N_NEW, temperature=1.0, seed=7, ignore_eos=True)
    chosen = prompts.load("embedded")[:n_texts]
    begun = encode(pair, chosen, N_NEW)[0]
    made = tracer.generate(pair, chosen, asked)
    texts = [[*a, *b.tolist()] for a, b in zip(begun, made, strict=True)]
    ids = pad_right(texts, ROOM, torch.device("cpu"))
    first = torch.tensor([len(each) - 1 for each in begun])[:, None]
    with torch.no_grad():
        hidden, _ = look(pair.target, ids, first)
    return School(pair, ids, tuple(hidden), first + torch.arange(N_NEW - ROOM))


def learn(
    head: Head, weights: Iterable[nn.Parameter], of: School, *, n_steps: int, depth: int
) -> None:
    """Predict the texts from some of their starts, at every depth."""
    optimizer = torch.optim.Adam(weights, lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(n_steps):
        rows = torch.randint(len(of.ids), (16,), generator=generator)
        chosen = torch.rand(of.starts[rows].shape, generator=generator).argsort(1)
        starts = of.starts[rows].gather(1, chosen[:, :N_STARTS])
        seen = Seen(of.ids[rows], [h[rows] for h in of.hidden], starts)
        loss = torch.stack(list(_losses(head, seen, depth))).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _losses(head: Head, seen: Seen, n_depths: int) -> Iterator[Tensor]:
    for depth, logits in enumerate(islice(head.passes(seen), n_depths)):
        floor = logits.clamp(min=-100.0)  # what it cannot propose is lost in any case
        yield cross_entropy(floor.flatten(0, 1), seen.token(depth + 1).flatten())


def _saved(head: nn.Module, settings: dict[str, Any], folder: Path) -> Path:
    folder.mkdir()
    weights = {k: v.contiguous() for k, v in head.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(settings))
    return folder


def _learning(head: nn.Module) -> list[nn.Parameter]:
    return [p for p in head.parameters() if p.requires_grad]


def eagle3(of: School, folder: Path, *, n_steps: int = 80) -> Path:
    """A head of 600 of the 2,048 tokens, in the format of Speculators."""
    target: Any = of.pair.target
    settings = {
        "speculators_model_type": "eagle3",
        "transformer_layer_config": {**target.config.to_dict(), "num_hidden_layers": 1},
        "draft_vocab_size": 600,
        "eagle_aux_hidden_state_layer_ids": [0, 1, 2],
        "norm_before_residual": True,
    }
    torch.manual_seed(1)
    head = Eagle3(settings, target.get_input_embeddings())
    frequent = torch.bincount(of.ids.flatten(), minlength=2048)
    kept = frequent.argsort(descending=True, stable=True)[:600].sort().values
    head.d2t.copy_(kept - torch.arange(600))
    head.norm.load_state_dict(target.model.norm.state_dict())
    head.lm_head.weight.data.copy_(target.lm_head.weight[kept])
    learn(head, _learning(head), of, n_steps=n_steps, depth=3)
    del head.embed_tokens  # the target's
    return _saved(head, settings, folder)


def medusa(of: School, folder: Path, *, n_steps: int = 100) -> Path:
    """Three heads of one block each, which begin as the target's own."""
    target: Any = of.pair.target
    size, n_vocab = target.config.hidden_size, target.config.vocab_size
    torch.manual_seed(1)
    head = Medusa(n_heads=3, n_layers=1, size=size, n_vocab=n_vocab)
    for one in head:
        last: Any = list(one.children())[-1]
        last.weight.data.copy_(target.lm_head.weight)
    learn(head, _learning(head), of, n_steps=n_steps, depth=3)
    return _saved(head, {"medusa_num_heads": 3, "medusa_num_layers": 1}, folder)


def dflash(of: School, folder: Path, *, n_steps: int = 200) -> Path:
    """Blocks of five: four proposals."""
    target: Any = of.pair.target
    config = MuseGlimmerAssistantConfig(
        hidden_size=target.config.hidden_size,
        intermediate_size=320,
        num_hidden_layers=2,
        num_attention_heads=5,
        num_key_value_heads=5,
        head_dim=32,
        layer_types=["full_attention"] * 2,
        target_layer_ids=[0, 1, 2],
        mask_token_id=1,
        block_size=5,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )
    torch.manual_seed(1)
    model = MuseGlimmerAssistantModel(config)
    learn(DFlash(model, target), _learning(model), of, n_steps=n_steps, depth=4)
    model.save_pretrained(folder)
    return folder


def traced(
    of: School, kind: str, folder: Path, chosen: Sequence[Prompt], decoding: Decoding
) -> Trace:
    """What the head in this folder makes of the target's texts."""
    return tracer.trace(pair_of(of, kind, folder), chosen, decoding)


def pair_of(of: School, kind: str, folder: Path) -> Pair:
    """The embedded target with the head in this folder."""
    files = open_head(DraftKind(kind, f"{kind}:{folder.name}"), folder, of.pair.target)
    return replace(of.pair, draft=files, draft_name=files.name)
