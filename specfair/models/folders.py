"""Where a model's files are (folder, hub cache, download), whether they are all there,
and their fingerprint.

Knows files and the hub's cache; does not know torch, nor what a model computes. Every
load happens from a folder on disk, so a warm cache causes no traffic at all.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specfair.errors import DataError, ModelError
from specfair.store import checksum
from specfair.texts.hub import unreachable
from specfair.texts.prompts import fixtures
from specfair.texts.reading import whole_text
from specfair.typed import json_of, typed
from specfair.vocabulary import EMBEDDED

_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
# the same weights again, in other formats
_NOT_NEEDED = ("onnx/*", "original/*", "consolidated*", "*/*")
_VOLATILE = {
    "_name_or_path",
    "transformers_version",
    "torch_dtype",
    "dtype",
    "use_cache",
}


@dataclass(frozen=True, slots=True)
class Source:
    """What the user asked for: a folder, or a hub id with an optional revision behind
    an @.
    """

    name: str
    allow_pickle: bool = False

    def __str__(self) -> str:
        return self.name


def locate(source: Source, role: str) -> Path:
    """The folder that holds the model; role is target or draft."""
    if source.name == EMBEDDED:
        return _complete(fixtures() / "pair" / role, source)
    folder = Path(os.path.expanduser(source.name))
    if os.path.isdir(folder):  # unlike Path.is_dir, whatever the name
        return _complete(folder, source)
    if source.name.startswith((".", "/", "~")) or source.name.count("/") > 1:
        raise ModelError(
            f"{role} {source.name!r} does not exist; a model is a folder or a "
            "hub id. Check the path."
        )
    return _from_hub(source, role)


def _from_hub(source: Source, role: str) -> Path:
    from huggingface_hub import constants

    name, _, revision = source.name.partition("@")
    try:
        return _complete(_snapshot(name, revision, source, offline=True), source)
    except (OSError, ValueError, ModelError) as error:
        if constants.HF_HUB_OFFLINE:
            raise ModelError(
                f"{role} {source.name!r} is not complete in the hub cache "
                f"({brief(error)}) and "
                "HF_HUB_OFFLINE is set. Unset it once to download, or give a folder."
            ) from error
    return _download(name, revision, source)


def _download(name: str, revision: str, source: Source) -> Path:
    from huggingface_hub.errors import HfHubHTTPError

    why = unreachable()
    if why:
        raise ModelError(
            f"model {source.name!r} cannot be fetched from the hub: {why}. "
            "Check the network, or give a folder."
        )
    try:
        return _complete(_snapshot(name, revision, source, offline=False), source)
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise ModelError(
            f"model {source.name!r} cannot be fetched from the hub: {brief(error)} "
            "Check the name, the revision and the network, or give a folder."
        ) from error


def _snapshot(name: str, revision: str, source: Source, *, offline: bool) -> Path:
    from huggingface_hub import snapshot_download

    files = (*_FILES, "*.bin") if source.allow_pickle else _FILES
    return Path(
        snapshot_download(
            name,
            revision=revision or None,
            allow_patterns=list(files),
            ignore_patterns=list(_NOT_NEEDED),
            local_files_only=offline,
        )
    )


def _complete(folder: Path, source: Source) -> Path:
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"model {source.name!r} has no config.json; a model folder needs config, "
            "weights and "
            "tokenizer. Save it with save_pretrained."
        )
    whole_json(folder / "config.json")
    missing = [
        name for name in _weights(folder, source) if not (folder / name).is_file()
    ]
    if missing:
        raise ModelError(
            f"model {source.name!r} lacks {missing[0]}; its index lists it. "
            "Copy or download it again."
        )
    return folder


def _weights(folder: Path, source: Source) -> list[str]:
    """Names of the weight files; safetensors, or pickles where the user allowed
    them.
    """
    stems = ["model.safetensors"]
    if source.allow_pickle:
        stems.append("pytorch_model.bin")
    for stem in stems:
        if (folder / stem).is_file():
            return [stem]
        index = folder / f"{stem}.index.json"
        if index.is_file():
            return _shards(whole_json(index), source)
    if any(folder.glob("*.bin")):
        raise ModelError(
            f"model {source.name!r} has only pickle weights; loading a pickle runs "
            "its code. Convert it "
            "with save_pretrained, or allow pickles (allow_pickle)."
        )
    raise ModelError(
        f"model {source.name!r} has no model.safetensors; weights are read "
        "from there. Save it with save_pretrained."
    )


def _shards(index: dict[str, Any], source: Source) -> list[str]:
    """The files an index names, which lie beside it."""
    try:
        names = sorted(set(typed(Mapping[str, str], index["weight_map"]).values()))
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"model {source.name!r} has an index without a weight_map of names "
            f"({brief(error)}). Copy it again."
        ) from error
    for name in names:
        if Path(name).name != name:
            raise ModelError(
                f"model {source.name!r} names weights outside its folder, "
                f"{name!r}. Do not trust it."
            )
    return names


def fingerprint(folder: Path, source: Source) -> str:
    """sha256 over the architecture and the weights' bytes. Says nothing of where they
    lie.
    """
    config = {
        key: value
        for key, value in whole_json(folder / "config.json").items()
        if key not in _VOLATILE
    }
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for name in _weights(folder, source):
        digest.update(f"{name}:{_content((folder / name).resolve())}".encode())
    return digest.hexdigest()


def described(folder: Path) -> dict[str, str]:
    """The sha256 of every small file that says how a model and its tokenizer are
    read.
    """
    names = {path.name for end in _FILES for path in folder.glob(end)}
    small = sorted(name for name in names if not name.endswith(".safetensors"))
    return {name: checksum(folder / name) for name in small}


def _content(path: Path) -> str:
    """sha256 of a file; the hub's cache names a large one by it."""
    return path.name if re.fullmatch(r"[0-9a-f]{64}", path.name) else checksum(path)


def whole_json(path: Path) -> dict[str, Any]:
    try:
        return dict(typed(Mapping[str, Any], json_of(whole_text(path))))
    except (ValueError, DataError) as error:
        raise ModelError(
            f"{path.name} of model {path.parent.name!r} is not a JSON object "
            f"({brief(error)}). Copy it again."
        ) from error


def brief(error: BaseException) -> str:
    """The first line of somebody else's error, short enough for one of ours."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
