"""Asking is not doing: what is stored is read without torch, what is missing is measured
with few models in memory, and nobody who judges or writes opens a pair.
"""

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from specfair.audit import lending, record
from specfair.audit.audit import Audit
from specfair.audit.session import Session, ask_all
from specfair.audit.work import Work
from specfair.decoding import Lookahead
from specfair.engine import tracer
from specfair.errors import StoreError, UsageError
from specfair.models import load
from specfair.models.identity import Choice
from specfair.models.pair import Pair
from specfair.traces import adaptive
from specfair.vocabulary import BASE, DATASETS, Stage
from tests.conftest import small_audit

IMDB = Stage("imdb")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pairs that were opened, by the target's name."""
    seen: list[str] = []
    door = lending.open_pair

    def watched(choice: Choice, *, tiny: bool) -> AbstractContextManager[Work]:
        seen.append(choice.names[0])
        return door(choice, tiny=tiny)

    monkeypatch.setattr(lending, "open_pair", watched)
    return seen


@pytest.fixture
def live_models(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many models that were loaded are in memory at most, so far."""
    alive: weakref.WeakSet[torch.nn.Module] = weakref.WeakSet()
    most = [0]
    loading = load.model_of

    def counted(*asked: Any) -> Any:
        model = loading(*asked)
        alive.add(model)
        most[0] = max(most[0], len(alive))
        return model

    def at_most() -> int:
        gc.collect()
        assert len(alive) == 0, "a model outlived what it was opened for"
        return most[0]

    monkeypatch.setattr(load, "model_of", counted)
    return at_most


def run_of_tests(made: Audit) -> Session:
    return Session(made.settings, made.say, audits={made.settings.measurement: made})


def test_five_datasets_hold_one_pair_at_a_time(
    tmp_path: Path, live_models: Callable[[], int]
) -> None:
    """The base pair is closed before the tuned one is opened, checkpoints too."""
    made, _ = small_audit(tmp_path, datasets="", checkpoints=1, max_new_tokens=4)
    made.measure(made.settings.stages)
    assert len(made.stages) == 1 + len(DATASETS)
    assert live_models() == 2
    assert len(made.training("imdb")) == 3


def test_models_that_are_kept_would_be_counted(
    live_models: Callable[[], int],
) -> None:
    """The counter can fail: two pairs that are held are four models."""
    held = [load.load("embedded", "embedded", device="cpu") for _ in range(2)]
    with pytest.raises(AssertionError, match="outlived"):
        live_models()
    held.clear()
    assert live_models() == 4


def test_what_is_stored_opens_no_pair(measured: Audit, opened: list[str]) -> None:
    again, said = small_audit(Path(measured.settings.store).parent)
    again.measure(again.settings.stages)
    assert (opened, said) == ([], [])
    assert again.made.plan(again.settings.stages) == ()
    assert again.tokens([5, 6, 7]) == measured.tokens([5, 6, 7])
    assert again.identity(IMDB) == measured.identity(IMDB)


def test_a_plan_opens_nothing_and_names_what_is_missing(
    tmp_path: Path, opened: list[str]
) -> None:
    first, _ = small_audit(tmp_path)
    assert first.made.plan((BASE, IMDB)) == (BASE, IMDB)
    assert opened == []
    _ = first.base
    again, said = small_audit(tmp_path)
    assert again.made.plan((BASE, IMDB)) == (IMDB,)
    assert said == []
    n_opened = len(opened)
    again.measure((BASE, IMDB))
    assert "embedded + imdb" in opened[n_opened:]
    whole, said = small_audit(tmp_path, groups="")
    assert whole.made.plan((BASE, IMDB)) == (BASE, IMDB)  # more groups, more prompts
    whole.measure((BASE, IMDB))
    assert said[0] == "to be measured: base, imdb"


@pytest.mark.parametrize("engine", ["replay", "live"])
def test_judging_and_writing_open_no_pair(
    tmp_path: Path, opened: list[str], engine: str
) -> None:
    """With checkpoints, cut prompts and either engine: all of it is measured when a
    stage is.
    """
    made, _ = small_audit(tmp_path, engine=engine, checkpoints=1, truncate=True)
    made.measure(made.settings.stages)
    assert opened
    opened.clear()
    session = run_of_tests(made)
    for stage in made.settings.stages:
        ask_all(session, stage)
    run = record.build(session)
    assert {row.stage.step for row in run.training} == {0, 1, 2}
    assert run.mistakes
    assert len(run.verdicts) > 10
    assert "baseline" in record.part(session)
    assert opened == []


def test_a_test_that_asks_measures_in_its_own_call(
    tmp_path: Path, opened: list[str]
) -> None:
    """Without a plan, as under pytest: the record of what was asked opens nothing."""
    made, _ = small_audit(tmp_path, checkpoints=1)
    session = run_of_tests(made)
    _ = made.gain("imdb")
    assert opened
    opened.clear()
    assert record.build(session).training
    assert opened == []


def test_a_pair_that_changed_meanwhile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the store remembers is held against the pair whenever one is opened."""
    _ = small_audit(tmp_path)[0].base
    loading = load.load

    def other(*asked: Any, **how: Any) -> Pair:
        return replace(loading(*asked, **how), tokenizer_fingerprint="another")

    monkeypatch.setattr(load, "load", other)
    more, _ = small_audit(tmp_path, max_new_tokens=4)
    with pytest.raises(StoreError, match="has tokenizer_fingerprint 'another'; the st"):
        _ = more.base


def _heavy(
    code: str, folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """A process of its own that tells which heavy libraries it has loaded at its
    end.
    """
    told = "print('HEAVY', sorted({'torch', 'transformers'} & {*sys.modules}))"
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; {told}", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(root)},
        check=False,
    )


OPTIONS = {
    "max-new-tokens": "4",
    "prompts-per-group": "6",
    "min-prompts": "6",
    "groups": "female,male,queer",
}


def test_a_warm_run_of_tests_loads_no_torch(tmp_path: Path) -> None:
    """The evals of one stage, their report, a baseline: all from the store."""
    code = "import pytest; code = pytest.main(sys.argv[1:])"
    asked = [f"--specfair-{name}={value}" for name, value in OPTIONS.items()]
    asked += [
        "-p",
        "no:cacheprovider",
        "-q",
        "-k",
        "base",
        "--pyargs",
        "specfair.evals",
    ]
    cold = _heavy(code, tmp_path, *asked)
    assert "HEAVY ['torch', 'transformers']" in cold.stdout, cold.stdout + cold.stderr
    warm = _heavy(code, tmp_path, *asked, "--specfair-save-baseline=one")
    assert "HEAVY []" in warm.stdout, warm.stdout + warm.stderr
    assert "measured: embedded" in warm.stdout
    assert (tmp_path / "reports" / "latest.html").stat().st_size > 10_000
    assert (tmp_path / "reports" / "baselines" / "one.json").is_file()


def test_a_warm_audit_loads_no_torch(tmp_path: Path) -> None:
    """Before and after fine-tuning, and the page about it."""
    code = "from specfair import cli; cli.main(sys.argv[1:])"
    asked = ["audit", "--store", str(tmp_path / "store"), "--datasets", "imdb"]
    asked += [v for n, value in OPTIONS.items() for v in (f"--{n}", value)]
    asked += ["--recipe", "max_steps=2"]
    cold = _heavy(code, tmp_path, *asked)
    assert "HEAVY ['torch', 'transformers']" in cold.stdout, cold.stdout + cold.stderr
    warm = _heavy(code, tmp_path, *asked, "--out", "run")
    assert "HEAVY []" in warm.stdout, warm.stdout + warm.stderr
    verdicts = [line for line in cold.stdout.splitlines() if "HEAVY" not in line]
    assert [
        line for line in warm.stdout.splitlines() if "HEAVY" not in line
    ] == verdicts
    assert (tmp_path / "run.html").is_file()


def test_a_lookup_needs_no_draft_and_reads_a_text_that_is_there(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pair is opened once, to check the replay live; nothing is written again and no
    layer of the target reads the text.
    """
    base, _ = small_audit(tmp_path)
    base.measure([BASE])
    before = base.base.trace
    passes: list[str] = []
    monkeypatch.setattr(tracer, "run_pass", lambda *_: passes.append("pass"))
    looking, _ = small_audit(tmp_path, draft="prompt-lookup:4")
    found = looking.base
    assert np.array_equal(found.trace["token"], before["token"])
    assert found.trace.reading.cost_ratio == 0.0
    assert not passes
    assert looking.doubt(BASE) == ""
    assert found.lookahead == Lookahead(4)
    assert 0 <= found.acceptance_rate.overall.value <= 1
    with pytest.raises(UsageError, match="gives no probabilities"):
        _ = found.kl.overall
    assert opened == ["embedded", "embedded"]


def test_first_choices_of_the_target_s_own_layers_under_sampling(
    tmp_path: Path,
) -> None:
    asked = {"draft": "early-exit:2", "deployed_as": "vllm", "temperature": 1.0}
    found, _ = small_audit(tmp_path, **asked, scope="prompts")
    assert set(found.base.trace["accept_prob"].tolist()) == {0.0, 1.0}
    assert found.doubt(BASE) == ""


@pytest.mark.parametrize("lookahead", ["confidence-8@0.4", "adaptive-8@0.4"])
def test_stops_at_doubts_are_checked_live(tmp_path: Path, lookahead: str) -> None:
    audit, _ = small_audit(tmp_path, lookahead=lookahead)
    assert audit.doubt(BASE) == ""
    assert str(audit.base.lookahead) == lookahead
    assert audit.acceptance_rate.overall.value > 0.3


def test_a_threshold_that_moves_otherwise_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers moves it by its own rule; a replay after which nothing is sure enough
    is invalid.
    """
    pytest.importorskip("sklearn", reason="it is what makes transformers move it")
    monkeypatch.setattr(adaptive, "best_threshold", lambda *_: 2.0)
    audit, _ = small_audit(tmp_path, lookahead="adaptive-8@0.4", max_new_tokens=40)
    assert "count differently" in audit.doubt(BASE)
