"""Where models lie. Damage, the hub's cache and its absence are in test_pairs.py, seen
as a user sees them.
"""

import hashlib
import json
from pathlib import Path

import pytest

from specfair.errors import ModelError
from specfair.models.folders import Source, brief, fingerprint, locate


def folder(path: Path, weights: bytes = b"weights", **config: object) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"model_type": "gpt2"} | config))
    (path / "model.safetensors").write_bytes(weights)
    return path


def test_the_embedded_pair_is_there() -> None:
    for role in ("target", "draft"):
        assert (locate(Source("embedded"), role) / "model.safetensors").is_file()


def test_a_folder_is_its_own_place(tmp_path: Path) -> None:
    here = folder(tmp_path / "models" / "big@v2")
    assert locate(Source(str(here)), "target") == here


@pytest.mark.parametrize("name", ["./no", "/no/where", "~/nowhere/at/all", "a/b/c"])
def test_a_path_that_leads_nowhere(name: str) -> None:
    with pytest.raises(ModelError, match=f"draft '{name}' does not exist"):
        locate(Source(name), "draft")


def test_the_fingerprint_is_of_config_and_weights(tmp_path: Path) -> None:
    def of(name: str, weights: bytes = b"weights", **config: object) -> str:
        return fingerprint(folder(tmp_path / name, weights, **config), Source(name))

    first = of("a")
    assert first == of(
        "b", _name_or_path="elsewhere", transformers_version="9", use_cache=False
    )
    assert len({first, of("c", b"other"), of("d", n_layer=3)}) == 3


def test_a_large_file_of_the_hub_is_known_by_its_name(tmp_path: Path) -> None:
    """The cache calls it by its sha256, so that a name which is a digest stands for the
    file's content.
    """
    plain = fingerprint(folder(tmp_path / "plain", b"content"), Source("plain"))
    linked = folder(tmp_path / "linked")
    blob = tmp_path / hashlib.sha256(b"content").hexdigest()
    blob.write_bytes(b"not read at all")
    (linked / "model.safetensors").unlink()
    (linked / "model.safetensors").symlink_to(blob)
    assert fingerprint(linked, Source("linked")) == plain


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    here = folder(tmp_path / "a")
    before = fingerprint(here, Source("a"))
    (here / "model.safetensors").write_bytes(b"changed!")
    assert fingerprint(here, Source("a")) != before


def test_somebody_elses_error_in_brief() -> None:
    assert brief(ValueError("first\nsecond")) == "first"
    assert brief(KeyError()) == "KeyError"
    assert len(brief(ValueError("x" * 999))) == 200
    assert str(Source("a@b")) == "a@b"


@pytest.mark.parametrize(
    ("index", "why"),
    [
        ({}, "has an index without a weight_map"),
        ({"weight_map": ["a"]}, "has an index without a weight_map"),
        ({"weight_map": {"a": 1}}, "has an index without a weight_map"),
        (
            {"weight_map": {"a": "../b.safetensors"}},
            "names weights outside its folder, '../b.safetensors'",
        ),
        ({"weight_map": {"a": "b.safetensors"}}, "lacks b.safetensors"),
    ],
)
def test_an_index_names_files_beside_it(
    tmp_path: Path, index: object, why: str
) -> None:
    here = folder(tmp_path / "a")
    (here / "model.safetensors").unlink()
    (here / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=why):
        locate(Source(str(here)), "target")


@pytest.mark.parametrize(
    "text", ["[]", "{", "[" * 100_000, '{"a": ' + "[" * 60 + "]" * 60 + "}"]
)
def test_a_config_is_an_object(tmp_path: Path, text: str) -> None:
    here = folder(tmp_path / "a")
    (here / "config.json").write_text(text)
    with pytest.raises(
        ModelError, match=r"config.json of model 'a' is not a JSON object"
    ):
        locate(Source(str(here)), "target")


@pytest.mark.parametrize("name", ["~nobody-at-all/x", "x" * 300, "a\0b/c/d"])
def test_a_name_that_no_folder_can_have(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "specfair.models.folders.unreachable", lambda: "there is no network"
    )
    with pytest.raises(ModelError):
        locate(Source(name), "target")


def test_a_hub_that_is_not_there_is_not_asked_for_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(
        "specfair.models.folders.unreachable", lambda: "there is no network"
    )
    with pytest.raises(
        ModelError,
        match=(
            r"model 'gpt2' cannot be fetched from the hub: there is no network. "
            r"Check"
        ),
    ):
        locate(Source("gpt2"), "target")
