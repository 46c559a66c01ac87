"""Loading pairs: what fits, and a table of what does not, each a one-line error with a
way out.
"""

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from transformers import MambaConfig, MambaForCausalLM

from specfair.errors import ModelError, SpecfairError, UsageError
from specfair.models import load
from specfair.models.identity import Loading
from specfair.models.pair import fingerprint_tokenizer
from specfair.models.translating import Translated
from tests import tiny_models


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders target and draft, each with config, weights and tokenizer."""
    root = tmp_path_factory.mktemp("models")
    for seed, role in enumerate(("target", "draft")):
        tiny_models.model("llama", seed).save_pretrained(root / role)
        tiny_models.tokenizer().save_pretrained(root / role)
    return root


@pytest.fixture
def broken(saved: Path, tmp_path: Path) -> Path:
    """A copy of the draft to be damaged."""
    return Path(shutil.copytree(saved / "draft", tmp_path / "draft"))


def test_a_saved_pair_loads(saved: Path) -> None:
    pair = load.load(str(saved / "target"), str(saved / "draft"), device="cpu")
    assert (pair.device.type, pair.dtype, pair.eos) == ("cpu", torch.float32, (0,))
    assert (pair.n_vocab, pair.context) == (tiny_models.N_VOCAB, tiny_models.CONTEXT)
    assert not pair.target.training
    assert not any(p.requires_grad for p in pair.draft.parameters())
    assert pair.tokenizer_fingerprint == fingerprint_tokenizer(tiny_models.tokenizer())


def test_fingerprints_follow_the_content_not_the_place(
    saved: Path, broken: Path
) -> None:
    target = str(saved / "target")
    first, moved = (
        load.load(target, str(saved / "draft")),
        load.load(target, str(broken)),
    )
    assert (
        first.draft_fingerprint == moved.draft_fingerprint != first.target_fingerprint
    )
    tiny_models.model("llama", 7).save_pretrained(broken)
    assert load.load(target, str(broken)).draft_fingerprint != first.draft_fingerprint


def test_dtype_and_sharded_weights(saved: Path, broken: Path) -> None:
    weights = load_file(broken / "model.safetensors")
    (broken / "model.safetensors").unlink()
    place = {name: f"model-{i % 2 + 1}.safetensors" for i, name in enumerate(weights)}
    for file in set(place.values()):
        save_file(
            {n: w for n, w in weights.items() if place[n] == file},
            broken / file,
            metadata={"format": "pt"},
        )
    (broken / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": place})
    )
    pair = load.load(
        str(saved / "target"),
        str(broken),
        dtype="bfloat16",
        loading=Loading(device_map="cpu"),
    )
    assert pair.dtype == pair.draft.dtype == torch.bfloat16
    (broken / "model-2.safetensors").unlink()
    with pytest.raises(
        ModelError, match=r"lacks model-2.safetensors; its index lists it"
    ):
        load.load(str(saved / "target"), str(broken))


def cut_weights(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(4000)


def drop_tensor(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights.pop("model.layers.0.mlp.down_proj.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def pickle_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save(tiny_models.model("llama", 1).state_dict(), folder / "pytorch_model.bin")


def remote_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "homemade",
        "auto_map": {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text("raise SystemExit('remote code ran')")


def no_tokenizer(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()


NO_TOKENIZER = r"the tokenizer of .* cannot be loaded"
if transformers.__version__.startswith("5.0."):  # it makes one that has no tokens
    NO_TOKENIZER = "have 0 tokens in common"

DAMAGE: list[tuple[Callable[[Path], object], str]] = [
    (cut_weights, r"cannot be loaded \(SafetensorError"),
    (
        drop_tensor,
        r"no usable weights for 'model.layers.0.mlp.down_proj.weight' \(1 tensors\)",
    ),
    (pickle_weights, r"only pickle weights.*allow_pickle"),
    (lambda f: (f / "model.safetensors").unlink(), r"has no model.safetensors"),
    (lambda f: (f / "config.json").unlink(), r"has no config.json"),
    (
        lambda f: (f / "config.json").write_text("{"),
        r"config.json of model 'draft' is not a JSON object",
    ),
    (
        lambda f: (f / "config.json").write_text('{"model_type": "gemma4_assistant"}'),
        r"\(gemma4_assistant\) attends to the states of rejected tokens",
    ),
    (remote_code, r"cannot be loaded"),
    (no_tokenizer, NO_TOKENIZER),
]


@pytest.mark.parametrize(("damage", "says"), DAMAGE)
def test_a_damaged_model_is_refused(
    saved: Path, broken: Path, damage: Callable[[Path], object], says: str
) -> None:
    damage(broken)
    with pytest.raises(ModelError, match=says) as caught:
        load.load(str(saved / "target"), str(broken))
    assert "\n" not in str(caught.value)


def test_pickles_load_where_allowed(saved: Path, broken: Path) -> None:
    pickle_weights(broken)
    pair = load.load(
        str(saved / "target"), str(broken), loading=Loading(allow_pickle=True)
    )
    assert torch.equal(
        pair.draft.lm_head.weight, tiny_models.model("llama", 1).lm_head.weight
    )


@pytest.mark.parametrize(
    ("target", "options", "kind", "says"),
    [
        ("./nowhere", {}, ModelError, r"target './nowhere' does not exist"),
        ("{saved}/target", {"device": "cdua"}, UsageError, r"Did you mean 'cuda'"),
        (
            "{saved}/target",
            {"device": "mps"},
            UsageError,
            r"device 'mps' is not available",
        ),
        ("{saved}/target", {"dtype": "fp32"}, UsageError, r"unknown dtype 'fp32'"),
    ],
)
def test_wrong_options(
    saved: Path,
    target: str,
    options: dict[str, Any],
    kind: type[SpecfairError],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(kind, match=says):
        load.load(target.format(saved=saved), str(saved / "draft"), **options)


def test_a_state_space_model_is_refused() -> None:
    mamba = MambaForCausalLM(
        MambaConfig(vocab_size=300, hidden_size=8, num_hidden_layers=1, state_size=2)
    )
    with pytest.raises(ModelError, match=r"'draft' \(mamba\) keeps a running state"):
        load.assemble(tiny_models.model(), mamba, tiny_models.tokenizer())


def test_a_tokenizer_too_large_for_its_model_is_refused() -> None:
    with pytest.raises(
        ModelError, match=r"300 output rows but its tokenizer writes token 310"
    ):
        load.assemble(
            tiny_models.model(), tiny_models.model(seed=1), tiny_models.tokenizer(311)
        )


def in_hub_cache(folder: Path, repo: Path, ref: str) -> None:
    """Lay a model out as the hub's cache does: blobs, a snapshot that links to them,
    refs.
    """
    snapshot = repo / "snapshots" / ("a" * 40)
    shutil.copytree(folder, snapshot)
    (repo / "blobs").mkdir()
    # a large file is named by its sha256; here it only has to be taken at its word
    blob = repo / "blobs" / ("f" * 64)
    (snapshot / "model.safetensors").rename(blob)
    (snapshot / "model.safetensors").symlink_to(blob)
    (repo / "refs").mkdir()
    (repo / "refs" / ref).write_text("a" * 40)


def test_a_warm_hub_cache_causes_no_traffic(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was used")

    for role, ref in (("target", "main"), ("draft", "v1")):
        in_hub_cache(saved / role, tmp_path / f"models--someone--{role}", ref)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    pair = load.load("someone/target", "someone/draft@v1", device="cpu")
    assert (pair.target_name, pair.draft_name) == ("someone/target", "someone/draft@v1")
    # same architecture, and blobs of the same name
    assert pair.target_fingerprint == pair.draft_fingerprint
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        ModelError,
        match=(
            r"'someone/draft' is not complete in the hub cache .* HF_HUB_OFFLINE "
            r"is set"
        ),
    ):
        load.load("someone/target", "someone/draft")


def test_an_unreachable_hub_is_one_line(
    saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        ModelError, match=r"model 'not a/name' cannot be fetched from the hub"
    ):
        load.load("not a/name", str(saved / "draft"))


def test_a_draft_with_another_tokenizer_is_translated(
    saved: Path, broken: Path
) -> None:
    """And is another draft than the same weights with the target's tokenizer."""
    same = load.load(str(saved / "target"), str(broken), device="cpu")
    tiny_models.tokenizer(297).save_pretrained(broken)
    pair = load.load(str(saved / "target"), str(broken), device="cpu")
    assert isinstance(pair.draft, Translated)
    assert len(pair.draft.twins) == 297
    assert pair.n_vocab == 300
    assert pair.draft_fingerprint != same.draft_fingerprint
