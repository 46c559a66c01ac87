"""Multi-token prediction against transformers' generate(use_mtp=True), round by round.

The target is the embedded one under the name of an architecture that has such layers:
dense, and turned as a Llama is, it computes the same to the bit.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import Glm4MoeConfig, Glm4MoeForCausalLM
from transformers.modeling_layers import MtpModel

from specfair import cli
from specfair.decoding import Decoding, Lookahead
from specfair.engine.heads.mtp import Mtp
from specfair.errors import DataError, ModelError
from specfair.models.heads import open_head
from specfair.models.kinds import MTP, DraftKind
from specfair.models.pair import encode
from specfair.texts import prompts
from specfair.texts.prompts import Prompt
from tests.engine.heads.generated import generated, replayed
from tests.engine.heads.trained import N_NEW, School, learn, traced

N_LAYERS = 2


def as_glm(of: School) -> Any:
    """The embedded target, and room for further layers."""
    config = Glm4MoeConfig(
        **{
            **of.pair.target.config.to_diff_dict(),
            "model_type": "glm4_moe",
            "first_k_dense_replace": of.pair.target.config.num_hidden_layers,
            "moe_intermediate_size": 160,
            "n_routed_experts": 2,
            "num_experts_per_tok": 1,
            "num_mtp_layers": N_LAYERS,
            "head_dim": 32,
            "partial_rotary_factor": 1.0,
        }
    )
    turned: Any = config.rope_parameters
    turned["partial_rotary_factor"] = 1.0
    made = Glm4MoeForCausalLM(config).eval().requires_grad_(False)
    made.load_state_dict(of.pair.target.state_dict())
    made.generation_config = of.pair.target.generation_config
    return made


def named(weights: dict[str, Tensor], n_layers: int) -> Iterator[tuple[str, Tensor]]:
    """As checkpoints have them: numbered on, and every expert by itself."""
    for name, values in weights.items():
        head, _, rest = name.partition(".mtp_block.")
        _, number, *tail = head.split(".")
        at = f"model.layers.{n_layers + int(number)}."
        own = ".".join(tail).replace("post_norm", "shared_head.norm")
        if rest.endswith("gate_up_proj"):
            for i, both in enumerate(values):
                for part, half in zip(("gate", "up"), both.chunk(2), strict=True):
                    yield f"{at}mlp.experts.{i}.{part}_proj.weight", half
        elif rest.endswith("experts.down_proj"):
            for i, each in enumerate(values):
                yield f"{at}mlp.experts.{i}.down_proj.weight", each
        else:
            yield at + (rest or own), values


@pytest.fixture(scope="module")
def glm(of: School, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with both, whose layers have learnt their target."""
    folder = tmp_path_factory.mktemp("glm")
    target = as_glm(of)
    torch.manual_seed(1)
    layers = MtpModel(target, N_LAYERS)
    own = list(layers.layers.parameters())
    for weights in (p for p in own if p.dim() > 1):
        torch.nn.init.normal_(weights, std=0.05)  # the library leaves experts as found
    learn(Mtp(layers), own, of, n_steps=60, depth=N_LAYERS)
    target.save_pretrained(folder)
    of.pair.tokenizer.save_pretrained(folder)
    made = {f"layers.{k}": v for k, v in layers.layers.state_dict().items()}
    n = target.config.num_hidden_layers
    extra = {k: v.contiguous() for k, v in named(made, n)}
    path = folder / "model.safetensors"
    save_file({**load_file(path), **extra}, path, {"format": "pt"})
    with pytest.MonkeyPatch.context() as patch:
        # the library knows the numbers of the layers of published checkpoints only
        published = "_keys_to_ignore_on_load_unexpected"
        further = "|".join(str(n + i) for i in range(N_LAYERS))
        patch.setattr(Glm4MoeForCausalLM, published, [rf"model\.layers\.({further})\."])
        yield folder


def at_home(of: School, folder: Path) -> School:
    """The school with the target of this folder."""
    target = Glm4MoeForCausalLM.from_pretrained(folder).eval()
    return replace(of, pair=replace(of.pair, target=target))


def test_greedy_counts_are_generates(of: School, glm: Path) -> None:
    home, asked = at_home(of, glm), Decoding(max_new_tokens=N_NEW)
    chosen = prompts.load("embedded")[::9]
    counts = replayed(traced(home, "mtp", glm, chosen, asked), Lookahead(N_LAYERS))
    ids, _ = encode(home.pair, chosen, N_NEW)
    expected = generated(home.pair.target, ids, asked, use_mtp=True)
    assert len(chosen) >= 100
    np.testing.assert_array_equal(counts, expected)
    assert 0.2 < expected[:, 4].sum() / expected[:, 3].sum() < 0.95


def test_sampled_counts_have_the_law_of_generate(of: School, glm: Path) -> None:
    """The mean of 156 differences, five standard errors, of rounds, tested and accepted
    tokens: a false alarm in a million. Rounds that are a tenth off are found.
    """
    home = at_home(of, glm)
    asked = Decoding(max_new_tokens=N_NEW, temperature=1.0, ignore_eos=True)
    chosen = prompts.load("embedded")[::9]
    trace = traced(home, "mtp", glm, chosen, asked)
    counts = replayed(trace, Lookahead(N_LAYERS))
    ids, _ = encode(home.pair, chosen, N_NEW)
    torch.manual_seed(5)
    how = {"use_mtp": True, "top_k": 0, "eos_token_id": None}
    expected = generated(home.pair.target, ids, asked, **how)
    for place in (1, 3, 4):
        difference = counts[:, place] - expected[:, place]
        error = difference.std() / np.sqrt(len(chosen))
        assert abs(difference.mean()) < 5 * error
        if place == 1:
            assert 5 * error < 0.1 * expected[:, place].mean()
    assert 0.2 < expected[:, 4].sum() / expected[:, 3].sum() < 0.95


@pytest.mark.parametrize("temperature", ["0", "1"])
def test_a_whole_audit(
    glm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temperature: str
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["audit", "--target", str(glm), "--draft", "mtp"]
    arguments += ["--prompts", "embedded", "--prompts-per-group", "12"]
    arguments += ["--max-new-tokens", "8", "--cost-ratio", "0.2"]
    arguments += ["--temperature", temperature, "--lookahead", f"constant-{N_LAYERS}"]
    arguments += ["--store", str(tmp_path / "store"), "--out", str(tmp_path / "run")]
    assert cli.main(arguments) != cli.USAGE
    stored = json.loads((tmp_path / "run.json").read_text())
    assert stored["draft"] == "mtp"
    decisions = {v["decision"] for v in stored["verdicts"]}
    assert decisions
    assert "invalid" not in decisions


def test_a_target_without_such_layers_is_refused(of: School, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has 0 layers for multi-token"):
        open_head(DraftKind(MTP, MTP), tmp_path, of.pair.target)


def test_a_library_that_cannot_ask_them_one_by_one_is_one_line(
    of: School, glm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As transformers 5.17, which has the layers, yet not this."""
    monkeypatch.delattr(MtpModel, "forward_layer")
    with pytest.raises(ModelError, match=r"They need transformers 5\.23 and"):
        open_head(DraftKind(MTP, MTP), tmp_path, at_home(of, glm).pair.target)


def test_prompts_shorter_than_the_layers_are_refused(of: School, glm: Path) -> None:
    """transformers raises in the midst of them."""
    short = [Prompt("p", "g", "c", "", "a")]
    with pytest.raises(DataError, match=r"'p' has 1 tokens; the draft's 2 layers"):
        traced(at_home(of, glm), "mtp", glm, short, Decoding(max_new_tokens=4))
