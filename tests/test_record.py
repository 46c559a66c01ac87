"""A run is stored whole, without paths of the machine, and parts of several processes make one report."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from specfair import record
from specfair.audit import Audit
from specfair.errors import UsageError
from specfair.report import Report
from specfair.session import Session, standard

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def session(measured: Audit) -> Session:
    made = Session(measured.settings, lambda _: None, audits={measured.settings: measured})
    standard(made, "base")
    standard(made, "imdb")
    return made


@pytest.fixture(scope="module")
def report(session: Session) -> Report:
    return record.build(session)


def test_a_report_survives_being_stored(report: Report) -> None:
    text = report.to_json()
    assert Report.from_json(text).to_json() == text
    assert report.datasets == ("imdb",)
    assert report.groups == ("female", "male", "queer")
    assert "synthetic" in report.sources["imdb"]


def test_no_path_of_the_machine_is_stored(session: Session, report: Report) -> None:
    assert str(Path(session.settings.store).parent) not in report.to_json()


def test_parts_of_two_processes_make_the_report_of_one(report: Report) -> None:
    base_only = replace(report, datasets=(), sources={}, estimates=tuple(r for r in report.estimates if not r.dataset))
    empty = replace(report, groups=(), datasets=(), estimates=(), verdicts=())
    merged = record.merge([empty, base_only, report])
    assert merged.groups == report.groups
    assert merged.datasets == report.datasets
    assert sorted(map(repr, merged.estimates)) == sorted(map(repr, report.estimates))
    assert len(merged.verdicts) == len(report.verdicts)


def test_an_empty_session_is_an_empty_report(measured: Audit) -> None:
    found = record.build(Session(measured.settings, lambda _: None))
    assert (found.groups, found.verdicts, found.estimates) == ((), (), ())
    assert record.summary(found, "r.html", {}) == ["verdicts: 0 pass, 0 fail", "report: r.html"]
    assert "without a bound, so not judged: 3 improve; bounds" in record.summary(found, "r.html", {"improve": 3})[1]


def test_files_and_summary(session: Session, tmp_path: Path) -> None:
    settings = replace(session.settings, report=str(tmp_path / "deep" / "r.html"))
    lines = record.write([record.part(session)], settings)
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == ["r.html", "r.json", "r.md"]
    assert lines[0].startswith("verdicts: ")
    assert any(line.startswith("worst gap: ") for line in lines)


def test_without_the_libraries_for_charts_nothing_measured_is_lost(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; sys.modules['altair'] = None; from specfair import record"
    code += "; from tests import report_samples as r; print(*record.write_files(r.small(), Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(tmp_path / "r.html")]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.startswith(
        "no page was drawn: altair is not installed. Install it, or elsewhere: specfair report r.json"
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.json", "r.md"]


def test_a_baseline_of_what_was_measured(session: Session, tmp_path: Path) -> None:
    said = record.keep_baseline([record.part(session)], "main", root=tmp_path, update=False)
    assert said == ["baseline 'main' saved: 2 stages, 18 prompts"]
    with pytest.raises(UsageError, match="nothing was measured"):
        record.keep_baseline([], "other", root=tmp_path, update=False)
    with pytest.raises(UsageError, match="--specfair-baseline NAME"):
        record.keep_baseline([], "", root=tmp_path, update=True)
