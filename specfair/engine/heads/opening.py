"""From a head's files to what proposes: its layers, filled with its weights.

Knows which kind is which class; does not know what they compute.
"""

from typing import Any, TypeVar

import torch
from torch import nn
from transformers import PreTrainedModel

from specfair.engine.heads.dflash import DFlash
from specfair.engine.heads.eagle3 import Eagle3
from specfair.engine.heads.medusa import Medusa
from specfair.engine.heads.mtp import Mtp
from specfair.engine.heads.reading import HeadDraft
from specfair.errors import ModelError
from specfair.models.heads import HeadFiles
from specfair.models.kinds import DFLASH, EAGLE3, MTP
from specfair.models.pair import n_rows, text_config

DEPTH = 8  # tokens that EAGLE-3, which could go on for ever, proposes at most
# of the files of a head, what the target or training has instead
_BESIDE = ("t2d", "verifier_norm.weight", "verifier_lm_head.weight")
_Head = TypeVar("_Head", Eagle3, Medusa)


def head_draft(files: HeadFiles, target: PreTrainedModel) -> HeadDraft:
    """The head, ready to read texts of this target."""
    if files.kind == MTP:
        n = len(files.model.layers)
        return HeadDraft(Mtp(files.model), target, most=n, least=n)
    if files.kind == DFLASH:
        n = files.model.config.block_size - 1
        return HeadDraft(DFlash(files.model, target), target, most=n, beside=True)
    if files.kind == EAGLE3:
        return HeadDraft(_eagle3(files, target), target, most=DEPTH)
    n = files.settings["medusa_num_heads"]
    return HeadDraft(_medusa(files, target), target, most=n)


def _eagle3(files: HeadFiles, target: PreTrainedModel) -> Eagle3:
    weights = {k: v for k, v in files.weights.items() if k not in _BESIDE}
    embed: Any = target.get_input_embeddings()
    if "embed_tokens.weight" in weights:
        embed = nn.Embedding(*weights["embed_tokens.weight"].shape)
    else:
        weights["embed_tokens.weight"] = embed.weight
    head = Eagle3(files.settings, embed)
    # where the vocabulary is the target's whole one, no map is needed
    weights.setdefault("d2t", torch.zeros_like(head.d2t))
    return _filled(head, weights, files.name, target)


def _medusa(files: HeadFiles, target: PreTrainedModel) -> Medusa:
    head = Medusa(
        n_heads=files.settings["medusa_num_heads"],
        n_layers=files.settings["medusa_num_layers"],
        size=text_config(target).hidden_size,
        n_vocab=n_rows(target),
    )
    weights = {k.removeprefix("medusa_head."): v for k, v in files.weights.items()}
    return _filled(head, weights, files.name, target)


def _filled(
    head: _Head, weights: dict[str, Any], name: str, target: PreTrainedModel
) -> _Head:
    try:
        head.load_state_dict(weights)
    except RuntimeError as error:  # names and shapes, all of them in one message
        lines = str(error).splitlines()
        raise ModelError(
            f"head {name!r} has no usable weights ({lines[-1].strip()[:160]}). "
            "Check its files."
        ) from error
    return head.to(target.device, target.dtype).eval().requires_grad_(False)
