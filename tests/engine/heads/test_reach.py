"""What a reduced vocabulary can propose at all, from the files of a draft to the page,
the terminal and a gate.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from specfair import cli
from specfair.decoding import Decoding, Lookahead
from specfair.engine import tracer
from specfair.models import load
from specfair.texts import prompts
from specfair.traces.measured import Measured
from specfair.traces.stored import load_reading, save_reading
from tests.engine.heads.trained import School, pair_of

TARGET = str(prompts.fixtures() / "pair" / "target")
SAMPLED = Decoding(max_new_tokens=12, temperature=1.0)


def words(folder: str | Path) -> set[str]:
    return set(AutoTokenizer.from_pretrained(folder).get_vocab())


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_beyond_its_reach_a_draft_is_never_accepted(
    foreign: Path, tmp_path: Path, temperature: float
) -> None:
    """Both tokenizers write in bytes, so that twins are the words they share."""
    pair = load.load(TARGET, str(foreign), device="cpu")
    asked = replace(SAMPLED, temperature=temperature)
    trace = tracer.trace(pair, prompts.load("embedded")[::12], asked)
    shared = words(TARGET) & words(foreign)
    own = pair.tokenizer.convert_ids_to_tokens(trace["token"].tolist())
    reached = np.array([token in shared for token in own])
    assert pair.n_beyond == len(words(TARGET) - shared) > 0
    assert 0.5 < reached.mean() < 1
    np.testing.assert_array_equal(trace["reached"], reached)
    assert not trace["accept_prob"][~reached].any()
    measured = Measured(trace, Lookahead())
    rates = [
        measured.groups(name).overall.value
        for name in ("alpha", "reach", "alpha_within_reach")
    ]
    assert rates[1] == pytest.approx(reached.mean())
    assert rates[0] == pytest.approx(rates[1] * rates[2])
    save_reading(trace, tmp_path / "reading")
    again = load_reading(tmp_path / "reading")
    np.testing.assert_array_equal(again["reached"], reached)


def test_a_head_of_some_tokens(of: School, eagle3: Path) -> None:
    pair = pair_of(of, "eagle3", eagle3)
    trace = tracer.trace(pair, prompts.load("embedded")[::12], SAMPLED)
    assert pair.n_beyond == 2048 - 600
    assert 0.5 < trace["reached"].mean() < 1
    assert not trace["ahead"][~trace["reached"], 0].any()
    assert trace["accept_prob"][trace["reached"]].any()


def test_most_drafts_reach_everything(of: School, medusa: Path) -> None:
    for pair in (of.pair, pair_of(of, "medusa", medusa)):
        trace = tracer.trace(pair, prompts.load("embedded")[:2], SAMPLED)
        assert pair.n_beyond is None
        assert not Measured(trace, Lookahead()).tells("reach")


@pytest.mark.parametrize("kind", ["model", "head"])
def test_a_whole_audit_says_it(
    kind: str,
    eagle3: Path,
    foreign: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    pairs = {"model": (TARGET, str(foreign)), "head": (TARGET, f"eagle3:{eagle3}")}
    said = {
        "model": "of the target's tokens have no twin in the draft's",
        "head": "1,448 of the target's tokens are not in the draft's reduced",
    }[kind]
    target, draft = pairs[kind]
    status = cli.main(
        [
            *("audit", "--target", target, "--draft", draft, "--prompts", "embedded"),
            *("--max-new-tokens", "6", "--prompts-per-group", "15"),
            *("--temperature", "1", "--deployed-as", "vllm"),
            *("--gate", "reach.gap<=0", "--cost-ratio", "0.2"),
            *("--store", str(tmp_path / "store"), "--out", str(tmp_path / "run")),
        ]
    )
    assert status in (cli.OK, cli.FAILED, cli.UNDECIDED)
    stored = json.loads((tmp_path / "run.json").read_text())
    assert any(said in note for note in stored["notes"])
    gated = [v for v in stored["verdicts"] if v["metric"] == "reach"]
    assert gated
    assert not any(v["decision"] == "invalid" for v in gated)
    table = stored["estimates"]
    at = table["columns"].index("metric")
    assert {"reach", "alpha_within_reach"} <= {row[at] for row in table["rows"]}
    terminal = capsys.readouterr().err
    assert said in terminal
    assert "of the text, " in terminal
    page = (tmp_path / "run.html").read_text()
    assert "Alpha within reach, base pair" in page
    assert said in (tmp_path / "run.md").read_text()
