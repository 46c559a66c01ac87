"""Where writer and reader meet: every table of a run is filled by the real writer and
read by the real page.

What broke before broke here: rows that nobody wrote were read, and rows that were
written were read by nobody, while each side passed its own tests with rows made by
hand.
"""

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from specfair import gates
from specfair.audit import record
from specfair.audit.case import Case
from specfair.audit.session import Session, ask_all, snapshot
from specfair.report import render_html, render_markdown
from specfair.run.rows import ROWS
from specfair.run.run import Run
from specfair.vocabulary import BASE, Stage
from tests.conftest import small_audit

IMDB = Stage("imdb")
# tables of runs of another kind: the tests that write one and look at its page
ELSEWHERE = {
    "slices": "audit/test_slicing.py",  # prompts that stand in several groupings
    "swaps": "audit/test_worst.py",  # a bound for the worst swap
    "mending": "doors/test_mending.py",  # a draft that was mended
}
TABLES = [table for table in ROWS if table not in ELSEWHERE]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with everything in it: checkpoints, a baseline, a verdict that failed and
    one of another audit.
    """
    folder, others = tmp_path_factory.mktemp("seams"), ["prompt-lookup:4"]
    audit, _ = small_audit(folder, checkpoints=1, drafts=others)
    settings = replace(audit.settings, baseline="main")
    session = Session(settings, lambda _: None, audits={settings.measurement: audit})
    for stage in (BASE, IMDB):
        ask_all(session, stage)
    audit.clocked(BASE)
    case = Case("imdb-strict", "pytest x", IMDB, audits=[audit])
    session.judge(
        audit.after("imdb").acceptance_rate.difference(),
        gates.Bound("gap", -0.5),
        case,
        "",
    )
    session.baselines["main"] = snapshot(audit, (BASE, IMDB))
    return record.build(session)


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_written(report: Run, table: str) -> None:
    assert getattr(report, table)


@pytest.mark.parametrize("table", ELSEWHERE)
def test_tables_of_other_runs_are_written_and_read_in_tests_of_their_own(
    report: Run, table: str
) -> None:
    assert not getattr(report, table)
    told = (Path(__file__).parents[1] / ELSEWHERE[table]).read_text(encoding="utf-8")
    assert f"run.{table}" in told
    assert "render_html" in told or "report.html" in told


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_read(report: Run, table: str) -> None:
    nothing: dict[str, Any] = {table: ()}
    without = replace(report, **nothing)
    assert render_html(without) != render_html(report)


@pytest.mark.parametrize(
    "name",
    [f.name for f in fields(Run) if f.name not in (*ROWS, "schema", "metric")],
)
def test_every_field_is_written_and_read(report: Run, name: str) -> None:
    value = getattr(report, name)
    assert value or name == "notes", f"{name} is never filled"
    empty: dict[type, Any] = {str: "another", tuple: (), dict: {}}
    other = empty.get(type(value), {})
    if name == "notes":
        other = ("a note nobody has seen",)
    changed = replace(report, **{name: other})
    assert (render_html(changed), render_markdown(changed)) != (
        render_html(report),
        render_markdown(report),
    )


def test_every_stage_of_the_run_is_in_the_tables(report: Run) -> None:
    for table in ("estimates", "gaps", "ranks", "changes", "widenings"):
        stages = {row.stage for row in getattr(report, table)}
        assert stages == ({IMDB} if table in ("changes", "widenings") else {BASE, IMDB})


def test_files_hold_the_same_run(report: Run, tmp_path: Path) -> None:
    stored = tmp_path / "run.json"
    stored.write_text(report.to_json(), encoding="utf-8")
    assert render_html(
        Run.from_json(stored.read_text(encoding="utf-8"))
    ) == render_html(report)


def test_ranks_stand_in_the_page_and_in_the_markdown(report: Run) -> None:
    """The same cells: a table is said once."""
    for row in report.ranked(BASE).values():
        values = (f"{row.value:.3f}", f"{row.shrunken:.3f}")
        cells = (row.place, *values, f"{row.low:.3f} to {row.high:.3f}")
        assert f"| {' | '.join(cells)} |" in render_markdown(report)
        drawn = [re.escape(f">{cell}</td>") for cell in cells]
        assert re.search(r"\s*<td[^>]*".join(drawn), render_html(report))
