"""Where writer and reader meet: every table of a run is filled by the real writer and
read by the real page.

What broke before broke here: rows that nobody wrote were read, and rows that were
written were read by nobody, while each side passed its own tests with rows made by
hand.
"""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from specfair import gates
from specfair.audit import record
from specfair.audit.session import Case, Session, ask_all, snapshot
from specfair.report import Report, render_html, render_markdown
from specfair.report.page import ROWS
from specfair.report.tables import VERDICT
from specfair.vocabulary import BASE, Stage
from tests.conftest import small_audit

IMDB = Stage("imdb")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A run with everything in it: checkpoints, a baseline, a verdict that failed and
    one of another audit.
    """
    audit, _ = small_audit(tmp_path_factory.mktemp("seams"), checkpoints=1)
    settings = replace(audit.settings, baseline="main")
    session = Session(settings, lambda _: None, audits={settings.measurement: audit})
    for stage in (BASE, IMDB):
        ask_all(session, stage)
    case = Case("imdb-strict", "pytest x", IMDB, audits=[audit])
    session.judge(
        audit.after("imdb").acceptance_rate.difference(),
        gates.Bound("gap", -0.5),
        case,
        "",
    )
    session.baselines["main"] = snapshot(audit, (BASE, IMDB))
    return Report.from_json(record.build(session).to_json())


@pytest.mark.parametrize("table", ROWS)
def test_every_table_is_written(report: Report, table: str) -> None:
    assert getattr(report, table)


@pytest.mark.parametrize("table", ROWS)
def test_every_table_is_read(report: Report, table: str) -> None:
    nothing: dict[str, Any] = {table: ()}
    without = replace(report, **nothing)
    assert render_html(without) != render_html(report)


@pytest.mark.parametrize(
    "name",
    [f.name for f in fields(Report) if f.name not in (*ROWS, "schema", "metric")],
)
def test_every_field_is_written_and_read(report: Report, name: str) -> None:
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


def test_every_key_of_a_verdict_that_the_page_reads_is_written(report: Report) -> None:
    for verdict in report.verdicts:
        assert not VERDICT.keys() - verdict.keys()


def test_every_stage_of_the_run_is_in_the_tables(report: Report) -> None:
    for table in ("estimates", "gaps"):
        stages = {(row.dataset, row.stage) for row in getattr(report, table)}
        assert stages == {("", "before"), ("imdb", "after"), ("imdb", "change")}


def test_files_hold_the_same_run(report: Report, tmp_path: Path) -> None:
    stored = tmp_path / "run.json"
    stored.write_text(report.to_json(), encoding="utf-8")
    assert render_html(
        Report.from_json(stored.read_text(encoding="utf-8"))
    ) == render_html(report)
