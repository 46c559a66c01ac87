"""Heads from their files: drafts that read the target's hidden states, checked against
the target they were made for.

Knows formats and what they say of a target; does not know how a head proposes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModel, PreTrainedModel

from specfair.errors import ModelError
from specfair.models.folders import brief, whole_json
from specfair.models.kinds import DFLASH, EAGLE3, MEDUSA, MTP, DraftKind
from specfair.models.pair import n_rows, text_config


@dataclass(frozen=True, slots=True)
class HeadFiles:
    """A head as it lies in its folder, or as transformers opens it."""

    kind: str
    name: str
    settings: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    model: Any = None

    @property
    def reach(self) -> Collection[int] | None:
        """The target's tokens that it can propose; None where that is all."""
        if self.kind != EAGLE3:
            return None
        layer = self.settings["transformer_layer_config"]
        n_own = self.settings["draft_vocab_size"]
        if n_own == layer["vocab_size"]:
            return None
        apart = self.weights.get("d2t", torch.zeros(n_own, dtype=torch.long)).flatten()
        own: list[int] = (torch.arange(len(apart)) + apart).tolist()
        return own


def open_head(kind: DraftKind, folder: Path, target: PreTrainedModel) -> HeadFiles:
    """What is found there; every refusal is a ModelError."""
    name = kind.written
    if kind.name == MTP:
        return HeadFiles(MTP, name, {}, {}, _layers(target))
    settings = whole_json(folder / "config.json")
    checked = _CHECKS[kind.name](name, settings, target)
    if kind.name == DFLASH:
        return HeadFiles(DFLASH, name, checked, {}, _assistant(name, folder, target))
    return HeadFiles(kind.name, name, checked, _weights(name, folder))


def _layers(target: PreTrainedModel) -> Any:
    """The target's own layers for further tokens, from its checkpoint."""
    n = getattr(text_config(target), "num_mtp_layers", None) or 0
    name = target.config.name_or_path
    if not n:
        raise ModelError(
            f"model {name!r} ({target.config.model_type}) has 0 layers for multi-token "
            "prediction; draft 'mtp' is made of them. Choose another draft."
        )
    try:
        # newer than the oldest transformers that everything else works with
        from transformers.modeling_layers import MtpModel

        _ = MtpModel.forward_layer  # which some do not have yet
        opened: Any = MtpModel.from_pretrained(target)
    # whatever a checkpoint without them makes the library raise
    except Exception as error:
        raise ModelError(
            f"the multi-token prediction layers of {name!r} cannot be loaded "
            f"({type(error).__name__}: {brief(error)}). They need transformers 5.23 "
            "and their weights beside the model's."
        ) from error
    return opened.eval().requires_grad_(False)


def _assistant(name: str, folder: Path, target: PreTrainedModel) -> Any:
    try:
        opened = AutoModel.from_pretrained(
            folder,
            dtype=target.dtype,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
        )
    except Exception as error:  # as above
        raise ModelError(
            f"head {name!r} cannot be loaded ({type(error).__name__}: "
            f"{brief(error)}). Check its files."
        ) from error
    return opened.to(target.device).eval().requires_grad_(False)


def _weights(name: str, folder: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    found: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            found |= load_file(path)
        except Exception as error:  # a damaged file raises what it likes
            raise ModelError(
                f"head {name!r} has a file {path.name!r} that cannot be read "
                f"({brief(error)}). Copy it again."
            ) from error
    return found


def _eagle3(
    name: str, settings: Mapping[str, Any], target: PreTrainedModel
) -> Mapping[str, Any]:
    kind, layer = settings.get("speculators_model_type"), "transformer_layer_config"
    if kind != "eagle3" or not isinstance(settings.get(layer), Mapping):
        raise ModelError(
            f"head {name!r} has speculators_model_type {kind!r}; an EAGLE-3 head is "
            "read in the format of Speculators. Convert it to that."
        )
    inner = {"num_hidden_layers": 1, "model_type": "llama", **settings[layer]}
    said = {key: inner[key] for key in ("num_hidden_layers", "model_type")}
    said["fc_norm"] = settings.get("fc_norm") or False
    if said != {"num_hidden_layers": 1, "model_type": "llama", "fc_norm": False}:
        raise ModelError(
            f"head {name!r} has {', '.join(f'{k} {v!r}' for k, v in said.items())}; "
            "EAGLE-3 heads are read that have one Llama layer and no fc_norm. "
            "Choose another head."
        )
    size = settings.get("target_hidden_size") or inner.get("hidden_size")
    _fits(name, target, size, inner.get("vocab_size"))
    n = text_config(target).num_hidden_layers
    layers = settings.get("eagle_aux_hidden_state_layer_ids") or [2, n // 2, n - 3]
    if not all(isinstance(i, int) and 0 <= i < n for i in layers):
        raise ModelError(
            f"head {name!r} reads the layers {layers}; the target has {n}. "
            "Choose a head of this target."
        )
    return {
        **settings,
        layer: inner,
        "eagle_aux_hidden_state_layer_ids": layers,
        "draft_vocab_size": settings.get("draft_vocab_size") or inner["vocab_size"],
    }


def _medusa(
    name: str, settings: Mapping[str, Any], target: PreTrainedModel
) -> Mapping[str, Any]:
    asked = {
        key: settings.get(key) for key in ("medusa_num_heads", "medusa_num_layers")
    }
    if not all(isinstance(n, int) and n > 0 for n in asked.values()):
        raise ModelError(
            f"head {name!r} has {', '.join(f'{k} {v!r}' for k, v in asked.items())}; "
            "Medusa heads have at least 1 of each. Check its config.json."
        )
    rows = settings.get("vocab_size") or n_rows(target)
    _fits(name, target, settings.get("hidden_size") or _size(target), rows)
    return settings


def _dflash(
    name: str, settings: Mapping[str, Any], target: PreTrainedModel
) -> Mapping[str, Any]:
    keys = ("block_size", "mask_token_id", "target_layer_ids", "hidden_size")
    lacking = [key for key in keys if key not in settings]
    if lacking:
        raise ModelError(
            f"head {name!r} ({settings.get('model_type')}) has no {lacking[0]}; a "
            "DFlash assistant has one. Check its config.json."
        )
    _fits(name, target, settings["hidden_size"], n_rows(target))
    return settings


_CHECKS = {EAGLE3: _eagle3, MEDUSA: _medusa, DFLASH: _dflash}


def _size(target: PreTrainedModel) -> int:
    return int(text_config(target).hidden_size)


def _fits(name: str, target: PreTrainedModel, size: Any, rows: Any) -> None:
    if (size, rows) != (_size(target), n_rows(target)):
        raise ModelError(
            f"head {name!r} was made for a target of hidden size {size} and {rows} "
            f"tokens; this target has {_size(target)} and {n_rows(target)}. Choose a "
            "head of this target."
        )
