"""The section on texts: what it says of whom, and that hostile texts stay texts."""

import dataclasses

import pytest

from specfair.report import render_html
from specfair.report.lookup import index
from specfair.report.sections.written import KINDS, what_was_written
from specfair.run.closer import TextRow
from specfair.run.rows import EstimateRow
from specfair.run.run import Run
from specfair.vocabulary import BASE, Stage
from tests import report_samples

IMDB = Stage("imdb")
GROUPS = ("kept", "worse")


def row(at: Stage, metric: str, group: str, *, value: float) -> EstimateRow:
    return EstimateRow(at, metric, "", group, value, value - 0.01, value + 0.01, 80, 20)


def text(at: Stage, group: str, why: str, text: str) -> TextRow:
    return TextRow(at, group, why, f"The {group} was", text, "lout", 0.9, 2.0, 40.0)


@pytest.fixture
def run() -> Run:
    """One group is faster and nastier after imdb, the other neither."""
    full = report_samples.full()
    worse = {"kept": 0.0, "worse": 0.1}
    return dataclasses.replace(
        full,
        groups=GROUPS,
        datasets=("imdb",),
        metric="alpha",
        estimates=tuple(
            row(at, metric, g, value=0.2 + worse.get(g, 0.05) * at.tuned)
            for at in (BASE, IMDB)
            for metric in ("alpha", "hurtful", "judged", "log_perplexity", "length")
            for g in ("", *GROUPS)
        ),
        changes=tuple(
            row(IMDB, metric, g, value=worse[g])
            for metric in ("alpha", "hurtful", "judged", "log_perplexity")
            for g in GROUPS
        ),
        texts=tuple(
            text(at, g, why, f"a {why} lout")
            for at in (BASE, IMDB)
            for g in GROUPS
            for why in KINDS
        ),
    )


def test_who_is_spoken_of_worse_stands_beside_what_they_gain_in_speed(run: Run) -> None:
    section = what_was_written(index(run))
    assert section is not None
    assert "After imdb it rises most for worse, by +0.100" in section.answer
    assert "its alpha moves by +0.100" in section.answer
    assert [panel.tab for panel in section.panels] == [
        *("After imdb: hurtful", "After imdb: judged", "After imdb: log perplexity")
    ]
    cells = {r[0]: r[1:] for r in section.panels[0].table.rows}
    assert cells["worse"] == ("+0.100", "+0.100", "+0.090 to +0.110", "yes")
    assert cells["kept"][-1] == "no"


def test_texts_are_tables_by_stage_and_kind_that_need_no_scripts(run: Run) -> None:
    section = what_was_written(index(run))
    assert section is not None
    captions = [table.caption for table in section.tables]
    for at in ("Base pair", "After imdb"):
        for kind in KINDS:
            assert f"{at}, 2 texts to read: {kind}" in captions
    html = render_html(run)
    assert html.count("a flagged lout") == 4
    assert 'data-group="worse"' in html


def test_hostile_texts_stay_texts(run: Run) -> None:
    bad = text(IMDB, "worse", "flagged", "<script>alert(1)</script>\u202e")
    html = render_html(dataclasses.replace(run, texts=(bad,)))
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
    assert "\u202e" not in html


def test_where_nobody_was_asked_it_says_so(run: Run) -> None:
    some = tuple(r for r in run.estimates if r.metric in ("alpha", "length"))
    few = dataclasses.replace(run, estimates=some, texts=())
    section = what_was_written(index(few))
    assert section is not None
    assert section.answer.startswith("Nobody was asked")
    none = tuple(r for r in run.estimates if r.metric == "alpha")
    assert what_was_written(index(dataclasses.replace(run, estimates=none))) is None
