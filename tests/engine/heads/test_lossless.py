"""A deployed method that does not keep the target's law makes verdicts invalid: a draft
with another tokenizer in transformers, where it samples.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from transformers.generation import candidate_generator

from specfair import cli
from specfair.audit.work import Work
from specfair.decoding import Decoding, Lookahead
from specfair.engine import tracer
from specfair.models import load
from specfair.models.pair import Pair
from specfair.models.translating import translated
from specfair.texts import prompts
from tests import tiny_models
from tests.conftest import small_audit

TARGET = str(prompts.fixtures() / "pair" / "target")
SAMPLED = Decoding(max_new_tokens=8, temperature=1.0)
DEPLOYED = [("transformers", True), ("vllm", False)]


@pytest.fixture(scope="module")
def pair(foreign: Path) -> Pair:
    return load.load(TARGET, str(foreign), device="cpu")


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_as_shipped_transformers_is_lossy(pair: Pair, temperature: float) -> None:
    asked = replace(SAMPLED, temperature=temperature)
    trace = tracer.trace(pair, prompts.load("embedded")[::14], asked)
    problem, said = Work(pair).fidelity(trace, Lookahead(3))
    assert "were expected: it is lossy" in problem
    assert problem.startswith(said)


def test_with_its_output_layer_whole_it_is_not(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """False alarms: one in 10,000, and the seed is fixed."""
    whole = candidate_generator.AssistantToTargetTranslator
    monkeypatch.setattr(
        candidate_generator.AssistantVocabTranslatorCache,
        "get_translator",
        lambda own, theirs, size, **_: whole(own, theirs, size),
    )
    trace = tracer.trace(pair, prompts.load("embedded")[::14], SAMPLED)
    assert Work(pair).fidelity(trace, Lookahead(3))[0] == ""


def test_what_the_library_raises_is_said() -> None:
    """With a draft whose vocabulary is a part of the target's it asks for a map that it
    made of others only.
    """
    target = tiny_models.model("llama")
    own, fewer = tiny_models.tokenizer(), tiny_models.tokenizer(280)
    pair = load.assemble(target, tiny_models.relative(target), own)
    names = ("target", "draft")
    draft = tiny_models.model("llama", vocab_size=280).eval()
    pair = replace(pair, draft=translated(draft, fewer, own, names=names))
    assert pair.n_beyond == 20
    trace = tracer.trace(pair, tiny_models.prompts(4), SAMPLED)
    problem, said = Work(pair).fidelity(trace, Lookahead(3))
    assert problem == said
    assert "raises AttributeError" in problem
    assert "\n" not in problem


@pytest.mark.parametrize(("deployed_as", "lossy"), DEPLOYED)
def test_verdicts_of_a_lossy_deployment_are_invalid(
    foreign: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    deployed_as: str,
    lossy: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["audit", "--target", TARGET, "--draft", str(foreign)]
    arguments += ["--prompts", "embedded", "--max-new-tokens", "6"]
    arguments += ["--prompts-per-group", "10", "--temperature", "1"]
    arguments += ["--cost-ratio", "0.2", "--deployed-as", deployed_as]
    arguments += ["--store", str(tmp_path / "store"), "--out", str(tmp_path / "run")]
    cli.main(arguments)
    stored = json.loads((tmp_path / "run.json").read_text())
    said = [v["sentence"] for v in stored["verdicts"] if v["decision"] == "invalid"]
    assert bool(said) == lossy
    assert any("writes texts of" in note for note in stored["notes"]) == lossy
    if lossy:
        assert len(said) == len(stored["verdicts"])
        assert all("where" in one and "lossy" in one for one in said)


def test_nothing_is_written_where_the_law_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded draft has its target's tokenizer."""
    monkeypatch.setattr(Work, "fidelity", None)
    audit, _ = small_audit(tmp_path, temperature=1.0)
    assert audit.doubt("base") == ""
