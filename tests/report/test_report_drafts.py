"""Which draft serves everyone best, as the page says and draws it."""

from dataclasses import replace

import pytest

from specfair.report.lead import lead
from specfair.report.lookup import index
from specfair.report.render import render_html
from specfair.report.sections.drafts import which_draft
from specfair.run.run import Run
from tests.report_samples import draft_row, recorded


@pytest.fixture
def run() -> Run:
    rows = [
        draft_row("quick", "", 1.5),
        draft_row("quick", "male", 2.0),
        draft_row("quick", "queer", 0.9),
    ]
    rows += [
        draft_row("even <b>", "", 1.3, more=-0.2),
        draft_row("even <b>", "male", 1.3, more=-0.7),
    ]
    rows += [draft_row("even <b>", "queer", 1.2, more=0.3)]
    return replace(recorded(), drafts=tuple(rows))


def test_the_best_is_the_one_whose_slowest_group_is_fastest(run: Run) -> None:
    section = which_draft(index(run))
    assert section is not None
    said = (
        "Of these drafts even <b> is best: its slowest group, queer, is predicted to "
    )
    said += "be served 1.20 times as fast as by the target alone."
    assert section.answer.startswith(said)
    assert said in lead(index(run))
    assert "With quick, speculation is slower than none for queer." in section.answer
    assert section.answer.count("slower than none") == 1
    assert len(section.panels[0].table.rows) == 6


def test_it_is_on_the_page_and_harmless(run: Run) -> None:
    page = render_html(run)
    assert "Which draft serves everyone best?" in page
    assert "even <b>" not in page
    assert "Which draft serves everyone best?" not in render_html(recorded())


def test_it_survives_the_stored_form(run: Run) -> None:
    again = Run.from_json(run.to_json())
    assert [r.draft for r in again.drafts] == [r.draft for r in run.drafts]
    assert render_html(again) == render_html(run)
