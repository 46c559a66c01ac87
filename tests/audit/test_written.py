"""What is found of a stage's texts, held to words counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from specfair import config
from specfair.audit import questions
from specfair.audit.audit import Audit
from specfair.audit.written import scores
from specfair.config import Settings
from specfair.errors import UsageError
from specfair.vocabulary import BASE, Stage

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
    assert scores(off, measured.base.trace.text, lambda: measured.tokens) == {}
    given = {"target": "t", "draft": "d"}
    assert config.override(Settings(), given).lexicon_place == ""
    with pytest.raises(UsageError, match="gate hurtful needs a lexicon"):
        questions.question("hurtful").where(off)
    assert questions.question("hurtful").where(measured.settings)
