"""A run is stored whole, without paths of the machine, and parts of several processes
make one report.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from specfair import gates, stats
from specfair.audit import record
from specfair.audit.audit import Audit
from specfair.audit.case import Case
from specfair.audit.session import Session, snapshot
from specfair.errors import StoreError, UsageError
from specfair.gates import kept
from specfair.report import render_html, render_markdown
from specfair.run.run import Run, merge
from specfair.run.summary import summary
from specfair.vocabulary import BASE, Stage

ROOT = Path(__file__).parents[2]


def test_a_report_survives_being_stored(report: Run) -> None:
    text = report.to_json()
    assert Run.from_json(text).to_json() == text
    assert report.datasets == ("imdb",)
    assert report.groups == ("female", "male", "queer")
    assert "synthetic" in report.sources["imdb"]


def test_no_path_of_the_machine_is_stored(session: Session, report: Run) -> None:
    assert str(Path(session.settings.store).parent) not in report.to_json()


def test_parts_of_two_processes_make_the_report_of_one(report: Run) -> None:
    base_only = replace(
        report,
        datasets=(),
        sources={},
        estimates=tuple(r for r in report.estimates if not r.stage.tuned),
    )
    empty = replace(report, groups=(), datasets=(), estimates=(), verdicts=())
    merged = merge([empty, base_only, report])
    assert merged.groups == report.groups
    assert merged.datasets == report.datasets
    assert sorted(map(repr, merged.estimates)) == sorted(map(repr, report.estimates))
    assert len(merged.verdicts) == len(report.verdicts)


def test_an_empty_session_is_an_empty_report(measured: Audit) -> None:
    found = record.build(Session(measured.settings, lambda _: None))
    assert (found.groups, found.verdicts, found.estimates) == ((), (), ())
    assert summary(found, "r.html", {}) == [
        "verdicts: 0 pass, 0 fail",
        "report: r.html",
    ]
    assert (
        "without a bound, so not judged: 3 improve; bounds"
        in summary(found, "r.html", {"improve": 3})[1]
    )


def test_verdicts_of_another_audit_say_so(measured: Audit) -> None:
    """Finding 16: who reads the report of one pair must not take another's verdicts for
    its own.
    """
    made = Session(
        measured.settings,
        lambda _: None,
        audits={measured.settings.measurement: measured},
    )
    other = Audit(
        replace(
            measured.settings, draft="my-draft", target="my-target", prompts="embedded"
        )
    )
    for name, audit in (("own", measured), ("other", other)):
        made.judge(
            stats.Estimate(0.0, -1.0, 1.0),
            gates.Bound("gap", 0.1),
            Case(name, name, audits=[audit]),
            "",
        )
    made.audits[other.settings] = other
    report = record.build(made)
    assert [bool(report.elsewhere(v)) for v in report.verdicts] == [False, True]
    (line,) = [line for line in summary(report, "", {}) if "another audit" in line]
    assert line.startswith(
        "of these, 1 about another audit: my-target / my-draft; 18 prompts of "
        "3 groups, out of "
    )
    markdown = render_markdown(report)
    assert "| own |" in markdown
    assert "| other (my-target / my-draft; 18 prompts" in markdown
    html = render_html(report)
    assert html.count("Measured on something else than this report") == 1


def test_rows_of_another_audit_do_not_pass_for_this_one(report: Run) -> None:
    """Two processes may have measured two pairs: the tables are of one, the verdicts of
    both.
    """
    other = replace(
        report, settings={**report.settings, "draft": "other"}, draft="other"
    )
    moved = replace(
        other, estimates=tuple(replace(row, value=0.123) for row in report.estimates)
    )
    merged = merge([report, moved])
    assert merged.estimates == report.estimates


def test_tables_that_cannot_be_made_cost_no_verdict(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a mistake of ours comes after the results, with its traceback, not in their
    place.
    """
    monkeypatch.setattr(record, "build", lambda _: 1 / 0)
    part = record.part(session)
    assert len(Run.from_json(part["report"]).verdicts) == len(session.verdicts) > 0
    assert "ZeroDivisionError" in part["lost"]


def test_a_baseline_of_what_was_measured(session: Session, tmp_path: Path) -> None:
    said = record.keep_baseline(
        [record.part(session)], "main", root=tmp_path, update=False
    )
    assert said == ["baseline 'main' saved: 2 stages, 18 prompts"]
    # what is written is what is read
    now = snapshot(session.audit(), [BASE, Stage("imdb")])
    assert kept.read_baseline("main", tmp_path) == now
    with pytest.raises(UsageError, match="nothing was measured"):
        record.keep_baseline([], "other", root=tmp_path, update=False)


def test_a_run_in_doubt_leaves_the_baseline_alone(
    session: Session, tmp_path: Path
) -> None:
    """Finding 3: what was judged invalid is not stored."""
    record.keep_baseline([record.part(session)], "main", root=tmp_path, update=False)
    before = kept.path_of("main", tmp_path).read_bytes()
    doubtful = replace(
        session,
        doubts={
            (
                session.settings,
                Stage("imdb"),
            ): "replay and live decoding count differently"
        },
    )
    with pytest.raises(
        StoreError,
        match="'main' is not written: replay and live decoding count differently",
    ):
        record.keep_baseline(
            [record.part(doubtful)], "main", root=tmp_path, update=True
        )
    assert kept.path_of("main", tmp_path).read_bytes() == before
