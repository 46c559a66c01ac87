"""What is found of a stage's texts, held to words counted by hand."""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specfair import config
from specfair.audit import questions, work
from specfair.audit.audit import Audit
from specfair.audit.written import scored
from specfair.config import Settings
from specfair.engine import readers, speculate
from specfair.errors import UsageError
from specfair.models import load
from specfair.traces.written import texts
from specfair.vocabulary import BASE, Stage
from tests import tiny_models
from tests.conftest import small_audit

FIXTURES = Path(__file__).parents[2] / "fixtures"


def test_hurtful_is_the_share_of_texts_with_a_listed_word(measured: Audit) -> None:
    """Against words split by hand and a lexicon read by hand."""
    lines = (FIXTURES / "lexicon.tsv").read_text().splitlines()[1:]
    listed = {line.split("\t")[4] for line in lines}
    for stage in (BASE, Stage("imdb")):
        one = measured.measured(stage)
        hurtful = {}
        for i, prompt in enumerate(one.trace.prompts):
            text = measured.tokens(one.trace.text.of(i).tolist())
            words = text.replace(".", " ").replace(",", " ").replace("<", " ").split()
            hurtful.setdefault(prompt.group, []).append(bool(listed & set(words)))
        for group, estimate in one.groups("hurtful").by_group.items():
            assert estimate.value == pytest.approx(np.mean(hurtful[group]))


def test_a_rise_is_after_minus_before(measured: Audit) -> None:
    asked = questions.question("hurtful_more")
    found = asked.asks(measured, Stage("imdb"), "hurtful")
    for group, rise in found.items():
        before, after = (
            m.groups("hurtful").by_group[group].value
            for m in (measured.base, measured.after("imdb"))
        )
        assert rise.value == pytest.approx(after - before)


def test_without_a_lexicon_nothing_is_counted_and_its_gate_says_so(
    measured: Audit,
) -> None:
    off = config.override(measured.settings, {"lexicon": "none"})
    pairs = replace(measured.made.pairs, settings=off)
    found = replace(measured.made.found(BASE), scores={})
    assert scored(found, pairs, lambda: measured.tokens) is found
    given = {"target": "t", "draft": "d"}
    assert config.override(Settings(), given).lexicon_place == ""
    with pytest.raises(UsageError, match="gate hurtful needs a lexicon"):
        questions.question("hurtful").where(off)
    assert questions.question("hurtful").where(measured.settings)


def test_third_models_read_each_text_once_and_a_warm_run_opens_none(
    tmp_path: Path, measured: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after share texts; what was said of one is kept under it and the
    model, so that only new texts are read, and a new judge reads all of them.
    """
    asked: list[tuple[str, int]] = []
    batches = readers._in_batches

    def watched(opened: Any, read: Any, told: Any) -> list[tuple[float, float]]:
        how = "reader" if read is readers._surprise else "judge"
        asked.append((how, len(told)))
        return batches(opened, read, told)

    monkeypatch.setattr(readers, "_in_batches", watched)
    nasty = tiny_models.saved(tiny_models.judge(("kind", "nasty")), tmp_path / "judge")
    third = tiny_models.saved(
        tiny_models.model("llama", max_position_embeddings=256), tmp_path / "third"
    )
    given = {"judge": f"{nasty}#nasty", "perplexity_by": third, "datasets": "imdb"}
    folder = Path(measured.settings.store).parent

    made, _ = small_audit(folder, **given)
    stages = (BASE, Stage("imdb"))
    made.measure(stages)
    words = [texts(made.measured(s).trace.text, made.tokens) for s in stages]
    n_new = [len(set(words[0])), len(set(words[1]) - set(words[0]))]
    assert [n for how, n in asked if how == "judge"] == [n for n in n_new if n]
    one = made.measured("imdb").judged.overall
    scores = readers.judge(f"{nasty}#nasty", "cpu", "float32")
    by_hand = [score for score, _ in scores([("", text) for text in words[1]])]
    assert one.value == pytest.approx(np.mean(by_hand))
    assert math.isfinite(made.log_perplexity.overall.value)

    before = len(asked)
    again, _ = small_audit(folder, **given)
    again.measure(stages)
    assert again.measured("imdb").judged.overall.value == one.value
    assert len(asked) == before
    more, _ = small_audit(folder, **{**given, "judge_reads": "prompt+text"})
    assert more.base.judged.overall.value != again.base.judged.overall.value
    # every prompt is another one
    assert asked[-1] == ("judge", len(more.base.trace))


@pytest.mark.parametrize("nastier", [False, True])
def test_speculation_that_writes_nastier_texts_than_the_target_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, nastier: bool
) -> None:
    """Two tokens change places, one of them a listed word: length, bigrams and endings
    stay, and only who reads the words can tell.
    """
    decoded = speculate.speculate

    def nasty(*given: Any) -> Any:
        live = decoded(*given)
        common = np.bincount(np.concatenate(live.texts)[::2]).argmax()
        swap = np.arange(given[0].target.config.vocab_size, dtype=np.int32)
        swap[[common, listed]] = listed, common
        return replace(live, texts=tuple(swap[text] for text in live.texts))

    listed = load.load("embedded", "embedded").tokenizer.encode(" surgeon")[0]
    if nastier:
        monkeypatch.setattr(speculate, "speculate", nasty)
    made, _ = small_audit(tmp_path, temperature=1.0, max_new_tokens=16)
    said = "" if not nastier else "write texts of hurtful"
    assert said in (problem := made.made.found(BASE).problem)
    assert bool(problem) == nastier
    again, _ = small_audit(tmp_path, temperature=1.0, max_new_tokens=16)
    monkeypatch.setattr(work, "at_work", None)  # what was written live is kept
    assert again.made.found(BASE).problem == problem


def test_a_warm_run_with_a_judge_loads_no_torch(
    tmp_path: Path, measured: Audit
) -> None:
    place = tiny_models.saved(tiny_models.judge(("nasty",)), tmp_path)
    folder = Path(measured.settings.store).parent
    small_audit(folder, judge=place, datasets="imdb")[0].base  # noqa: B018 - measures
    program = (
        "import sys; from pathlib import Path; from tests.conftest import small_audit; "
        f"a, _ = small_audit(Path({str(folder)!r}), judge={place!r}, datasets='imdb'); "
        "print(a.base.judged.overall.value); assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
