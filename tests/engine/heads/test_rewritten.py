"""A greedy draft with another tokenizer as transformers decodes it: its text is written
anew in the target's tokens, which no replay knows. Counted by its own generate.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from specfair import cli
from specfair.decoding import Decoding, Lookahead
from specfair.engine import tracer
from specfair.engine.assisted import assisted
from specfair.models import load
from specfair.models.pair import Pair, encode
from specfair.texts import prompts
from specfair.traces.replay import replay
from tests.engine.heads.generated import generated

TARGET = str(prompts.fixtures() / "pair" / "target")
ASKED, AHEAD = Decoding(max_new_tokens=12), Lookahead(4)
COUNTS = ("n_new_tokens", "n_rounds", "n_drafted", "n_tested", "n_accepted")


@pytest.fixture(scope="module")
def pair(foreign: Path) -> Pair:
    return load.load(TARGET, str(foreign), device="cpu")


def test_counts_are_generates_and_the_text_is_the_targets(
    pair: Pair, foreign: Path
) -> None:
    """The other side opens the files anew and is watched by the tests' own watcher. That
    the counts are not those of the tokens both have is what the label is for.
    """
    chosen = prompts.load("embedded")[::14]
    text, tally = assisted(pair, chosen, ASKED, AHEAD)
    trace = tracer.trace(pair, chosen, ASKED)
    np.testing.assert_array_equal(text.columns["token"], trace["token"])
    assistant = AutoModelForCausalLM.from_pretrained(foreign)
    assistant.generation_config.update(
        num_assistant_tokens=AHEAD.n,
        num_assistant_tokens_schedule="constant",
        assistant_confidence_threshold=0.0,
    )
    expected = generated(
        pair.target,
        encode(pair, chosen, 12)[0],
        ASKED,
        assistant_model=assistant,
        tokenizer=pair.tokenizer,
        assistant_tokenizer=AutoTokenizer.from_pretrained(foreign),
    )
    found = np.stack([getattr(tally, name) for name in COUNTS], axis=1)
    assert len(chosen) >= 100
    np.testing.assert_array_equal(found, expected)
    assert 0.2 < tally.n_accepted.sum() / tally.n_tested.sum() < 0.95
    assert (replay(trace, AHEAD).n_rounds != tally.n_rounds).any()


@pytest.mark.parametrize("engine", ["live", "replay"])
def test_a_whole_audit_says_which_counts_it_has(
    pair: Pair,
    foreign: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for where in ("config.settings.LOOKAHEADS", "audit.rows.LOOKAHEADS"):
        monkeypatch.setattr(f"specfair.{where}", ())  # only the deployed one
    arguments = ["audit", "--target", TARGET, "--draft", str(foreign)]
    arguments += ["--prompts", "embedded", "--max-new-tokens", "12"]
    arguments += ["--prompts-per-group", "10", "--cost-ratio", "0.2"]
    arguments += ["--engine", engine, "--lookahead", "constant-4"]
    arguments += ["--store", str(tmp_path / "store"), "--out", str(tmp_path / "run")]
    assert cli.main(arguments) != cli.USAGE
    stored = json.loads((tmp_path / "run.json").read_text())
    said = {
        "live": "those of its own generate",
        "replay": "engine = 'live' has its own",
    }
    anew = [note for note in stored["notes"] if "writes the draft's text anew" in note]
    assert [said[engine] in note for note in anew] == [True]
    chosen = prompts.load("embedded").limit(10)
    if engine == "live":
        counts = assisted(pair, chosen, ASKED, AHEAD)[1]
    else:
        counts = replay(tracer.trace(pair, chosen, ASKED), AHEAD)
    table = stored["estimates"]
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    rate = next(
        row["value"]
        for row in rows
        if (row["metric"], row["group"], row["lookahead"])
        == ("acceptance_rate", "", "constant-4")
    )
    assert rate == pytest.approx(
        counts.n_accepted.sum() / counts.n_tested.sum(), rel=1e-4
    )
