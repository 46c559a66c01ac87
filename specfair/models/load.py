"""A pair from its files: models and tokenizers are loaded, checked, and put on their
device.

Knows how transformers loads and what can go wrong there; does not know decoding, traces
or groups. Remote code stays off.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from specfair.errors import ModelError
from specfair.models.devices import device_of, dtype_of, fits
from specfair.models.folders import Source, brief, fingerprint, locate, whole_json
from specfair.models.heads import open_head
from specfair.models.identity import Loading
from specfair.models.kinds import EARLY_EXIT, LOOKUPS, DraftKind, kind_of
from specfair.models.layers import first_layers
from specfair.models.pair import Pair, fingerprint_tokenizer, n_rows, text_config
from specfair.models.translating import Translated, translated

# assistants whose rounds are no function of where they start and of the depth
_LIVE = {"gemma4_assistant", "gemma4_unified_assistant"}
_ATTENTION = {"full_attention", "sliding_attention", "chunked_attention"}


def load(
    target: str,
    draft: str,
    *,
    device: str = "auto",
    dtype: str = "auto",
    loading: Loading | None = None,
) -> Pair:
    """Load both by folder, hub id ("name" or "name@revision") or "embedded"; every
    refusal is a ModelError.
    """
    loading = loading or Loading()
    where = device_of(device)
    precision = dtype_of(dtype, where)
    kind = kind_of(draft)
    names = (target, kind.place) if kind.place else (target,)
    sources = [Source(name, loading.allow_pickle) for name in names]
    folders = [
        locate(s, role) for s, role in zip(sources, ("target", "draft"), strict=False)
    ]
    own = list(zip(folders, sources, strict=True))[: 2 if kind.of_files else 1]
    _check_replayable(*own[-1])
    with quiet():
        tokenizers = [tokenizer_of(str(f), source.name) for f, source in own]
        models = [
            model_of(AutoModelForCausalLM, str(f), s, (where, precision), loading)
            for f, s in own
        ]
        drafting = _drafting(kind, models, folder=folders[-1], target=target)
    if len({json.dumps(t.get_vocab(), sort_keys=True) for t in tokenizers}) > 1:
        _check_cache(drafting, draft)
        drafting = translated(drafting, *reversed(tokenizers), names=(target, draft))
    prints = [
        fingerprint(folder, source)
        for folder, source in zip(folders, sources, strict=True)
    ]
    return _checked(
        Pair(
            target=models[0],
            draft=drafting,
            tokenizer=tokenizers[0],
            target_name=target,
            draft_name=draft,
            target_fingerprint=prints[0],
            draft_fingerprint=_draft_print(kind, prints, drafting),
            tokenizer_fingerprint=fingerprint_tokenizer(tokenizers[0]),
            truncate=loading.truncate,
            first_choice=loading.first_choice,
        )
    )


def _check_replayable(folder: Path, source: Source) -> None:
    kind = whole_json(folder / "config.json").get("model_type")
    if kind in _LIVE:
        raise ModelError(
            f"model {source.name!r} ({kind}) attends to the states of rejected tokens, "
            "so that its rounds do not follow from the target's text. Audit a server "
            "that runs it (--specfair-server), or choose another draft."
        )


def _drafting(
    kind: DraftKind, models: list[PreTrainedModel], *, folder: Path, target: str
) -> Any:
    """The draft of this kind, beside a target that is loaded."""
    if kind.of_files:
        return models[1]
    if kind.name == EARLY_EXIT:
        return first_layers(models[0], kind.numbers[0], target)
    return kind if kind.name in LOOKUPS else open_head(kind, folder, models[0])


def _draft_print(kind: DraftKind, prints: list[str], drafting: Any) -> str:
    """Of its weights, and of its tokenizer where that is its own."""
    found = [*prints, kind.fingerprint(prints[0])][1]
    if not isinstance(drafting, Translated):
        return found
    tokenizer = fingerprint_tokenizer(drafting.tokenizer)
    return hashlib.sha256(f"{found}{tokenizer}".encode()).hexdigest()


def assemble(
    target: PreTrainedModel,
    draft: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    target_name: str = "target",
    draft_name: str = "draft",
) -> Pair:
    """A pair of models that are already in memory; fingerprints are of their weights
    there.
    """
    return _checked(
        Pair(
            target=_frozen(target),
            draft=_frozen(draft),
            tokenizer=tokenizer,
            target_name=target_name,
            draft_name=draft_name,
            target_fingerprint=fingerprint_model(target),
            draft_fingerprint=fingerprint_model(draft),
            tokenizer_fingerprint=fingerprint_tokenizer(tokenizer),
        )
    )


def model_of(
    auto: Any,
    folder: str,
    source: Source,
    on: tuple[torch.device, torch.dtype],
    loading: Loading,
) -> PreTrainedModel:
    """One of transformers' Auto classes from a folder, whole and frozen."""
    device, dtype = on
    try:
        loaded: Any = auto.from_pretrained(
            folder,
            dtype=dtype,
            device_map=loading.device_map,
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=None if loading.allow_pickle else True,
        )
    # whatever a damaged file makes the libraries beneath raise
    except Exception as error:
        raise ModelError(
            f"model {source.name!r} cannot be loaded ({type(error).__name__}: "
            f"{brief(error)}). "
            "Check its files, or save it again with save_pretrained."
        ) from error
    model, info = loaded
    missing = sorted(info["missing_keys"]) + sorted(map(str, info["mismatched_keys"]))
    if missing:
        raise ModelError(
            f"model {source.name!r} has no usable weights for {missing[0]!r} "
            f"({len(missing)} tensors); "
            "they would be random. Save it again with save_pretrained."
        )
    placed: list[Any] = [model] if loading.device_map else []
    if not placed and not fits(lambda: placed.append(model.to(device))):
        raise ModelError(
            f"model {source.name!r} does not fit into the memory of {device}. "
            "Choose a smaller one, dtype bfloat16, a device_map or another device."
        )
    return _frozen(placed[0])


def _frozen(model: Any) -> PreTrainedModel:
    """Without dropout and gradients."""
    frozen: PreTrainedModel = model.eval().requires_grad_(False)
    return frozen


def tokenizer_of(folder: str, name: str) -> PreTrainedTokenizerBase:
    """A model's tokenizer, whose vocabulary can be read."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        tokenizer.get_vocab()
    except Exception as error:  # as above: the libraries beneath raise what they like
        raise ModelError(
            f"the tokenizer of {name!r} cannot be loaded ({type(error).__name__}: "
            f"{brief(error)}). "
            "Save the tokenizer's files beside the model."
        ) from error
    return tokenizer


def _checked(pair: Pair) -> Pair:
    names = (pair.target_name, pair.draft_name)
    for model, name in zip(pair.models, names, strict=False):
        _check_cache(model, name)
        largest = max(pair.tokenizer.get_vocab().values())
        if largest >= n_rows(model):
            raise ModelError(
                f"model {name!r} has {n_rows(model)} output rows but its tokenizer "
                "writes token "
                f"{largest}. Use the tokenizer it was trained with."
            )
    return pair


def _check_cache(model: PreTrainedModel, name: str) -> None:
    kinds = set(getattr(text_config(model), "layer_types", None) or []) - _ATTENTION
    if (
        getattr(model, "_is_stateful", False)
        or "past_key_values" not in signature(model.forward).parameters
        or kinds
    ):
        raise ModelError(
            f"model {name!r} ({model.config.model_type}) keeps a running state "
            "instead of a key/value "
            "cache, which cannot be taken back after a rejected token. Choose an "
            "attention-only model."
        )


def fingerprint_model(model: PreTrainedModel) -> str:
    """sha256 over the weights in memory."""
    digest = hashlib.sha256(model.config.model_type.encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(
            tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
        )
    return digest.hexdigest()


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no advice from the loaders: what matters is checked and said
    in one line.
    """
    said: Any = logging  # untyped functions
    level, bars = said.get_verbosity(), said.is_progress_bar_enabled()
    said.set_verbosity_error()
    said.disable_progress_bar()
    try:
        yield
    finally:
        said.set_verbosity(level)
        if bars:
            said.enable_progress_bar()
