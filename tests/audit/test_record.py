"""A run is stored whole, without paths of the machine, and parts of several processes
make one report.
"""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from specfair import config, gates, outputs, stats
from specfair.audit import record
from specfair.audit.audit import Audit
from specfair.audit.session import Case, Session, ask_all, snapshot
from specfair.errors import StoreError, UsageError
from specfair.gates import baseline
from specfair.report import render_html, render_markdown
from specfair.run.run import Run, merge
from specfair.vocabulary import BASE, Stage

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def session(measured: Audit) -> Session:
    made = Session(
        measured.settings,
        lambda _: None,
        audits={measured.settings.measurement: measured},
    )
    ask_all(made, BASE)
    ask_all(made, Stage("imdb"))
    return made


@pytest.fixture(scope="module")
def report(session: Session) -> Run:
    return record.build(session)


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
    assert record.summary(found, "r.html", {}) == [
        "verdicts: 0 pass, 0 fail",
        "report: r.html",
    ]
    assert (
        "without a bound, so not judged: 3 improve; bounds"
        in record.summary(found, "r.html", {"improve": 3})[1]
    )


def test_files_and_summary(session: Session, tmp_path: Path) -> None:
    settings = replace(session.settings, report=str(tmp_path / "deep" / "r.html"))
    written = record.write([record.part(session)], settings)
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == [
        "r.html",
        "r.json",
        "r.md",
    ]
    assert written.lines[0] == (
        "measured: embedded / embedded; 18 prompts of 3 groups, out of embedded: 996 "
        "synthetic sentence beginnings "
        "about 10 groups, every identity with the same 12 templates; greedy, at most "
        "8 new tokens; constant-5"
    )
    assert written.lines[1].startswith("verdicts: ")
    assert any(line.startswith("worst gap: ") for line in written.lines)
    assert not written.lost
    assert record.properties(written.report)["specfair.groups"] == "female, male, queer"


def test_a_name_with_a_dot_is_a_name(session: Session, tmp_path: Path) -> None:
    """Finding 2: `run-v1.2` and `run-v1.3` are two runs, and the summary names a page
    that exists.
    """
    for name in ("run-v1.2", "run-v1.3"):
        written = record.write(
            [record.part(session)],
            replace(session.settings, report=str(tmp_path / name)),
        )
        (place,) = [
            line.removeprefix("report: ")
            for line in written.lines
            if line.startswith("report: ")
        ]
        assert Path(place).name == f"{name}.html"
        assert Path(place).is_file()
    assert len(list(tmp_path.iterdir())) == 6


def test_a_selection_of_cases_leaves_the_report_of_the_whole_run(
    session: Session, tmp_path: Path
) -> None:
    settings, part = (
        replace(session.settings, report=str(tmp_path / "r.html")),
        record.part(session),
    )
    assert not any(
        "a selection of" in line for line in record.write([part], settings).lines
    )
    whole = (tmp_path / "r.json").read_bytes()
    said = record.write([part], settings, selection="-k imdb").lines
    assert any(
        "a selection of the cases (-k imdb)" in line
        and "still shows the whole run" in line
        for line in said
    )
    assert any(
        line.startswith("report: ") and line.endswith("r-part.html") for line in said
    )
    assert (tmp_path / "r.json").read_bytes() == whole
    assert (
        "a selection of the cases: -k imdb"
        in Run.from_json((tmp_path / "r-part.json").read_text()).notes
    )
    record.write([part], settings, selection="-k imdb", chosen=True)
    assert (tmp_path / "r.json").read_bytes() != whole
    # what stands there is no whole run any more
    record.write([part], settings, selection="-k male")
    assert "-k male" in (tmp_path / "r.json").read_text()


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
    (line,) = [
        line for line in record.summary(report, "", {}) if "another audit" in line
    ]
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


def test_a_gap_that_is_no_number_is_said_in_words(report: Run) -> None:
    """Finding 36."""
    broken = tuple(
        replace(g, gap=math.nan, lowest_group="", highest_group="")
        for g in report.gaps
        if not g.stage.tuned
    )
    lines = record.summary(replace(report, gaps=broken), "", {})
    assert (
        "no gap: acceptance_rate before fine-tuning is not a number for every group"
        in lines
    )
    assert "nan" not in " ".join(lines)


def test_names_cannot_write_lines_of_their_own(report: Run, tmp_path: Path) -> None:
    """Finding 20: control characters of a group's name reach no terminal, and `::` no
    service's commands.
    """
    hostile = "x\n::error::pwned\x1b[31m"
    gaps = tuple(replace(g, lowest_group=hostile) for g in report.gaps)
    part = {"report": replace(report, gaps=gaps).to_json(), "ungated": "{}"}
    lines = record.write(
        [part], replace(config.Settings(), report=str(tmp_path / "r"))
    ).lines
    assert any("pwned" in line for line in lines)
    assert not [c for line in lines for c in line if not c.isprintable()]
    assert not [line for line in lines if line.lstrip().startswith("::")]


@pytest.mark.parametrize("ending", outputs.ENDINGS)
def test_what_can_be_written_is_written(
    session: Session, tmp_path: Path, ending: str
) -> None:
    """Finding 4: a folder came to stand in the place of one output while the run went
    on.
    """
    settings, part = (
        replace(session.settings, report=str(tmp_path / "r")),
        record.part(session),
    )
    kept = tmp_path / f"r{ending}" / "kept"
    kept.parent.mkdir()
    kept.touch()
    lost: list[str] = []
    files = [tmp_path / f"r{e}" for e in outputs.ENDINGS]
    place = record.write_files(
        Run.from_json(part["report"]), outputs.Outputs(*files), lost
    )
    assert kept.exists()
    assert len(lost) == 1
    assert f"r{ending} could not be written" in lost[0]
    assert Path(place).name == ("r.json" if ending == ".html" else "r.html")
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == sorted(
        f.name for f in files if f.is_file()
    )
    assert len([f for f in files if f.is_file()]) == 2
    with pytest.raises(
        UsageError, match="is a folder; specfair writes files and removes nothing"
    ):
        outputs.of(settings.report)


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
    kept = baseline.read("main", tmp_path)
    # what is written is what is read
    assert kept == snapshot(session.audit(), [BASE, Stage("imdb")])
    with pytest.raises(UsageError, match="nothing was measured"):
        record.keep_baseline([], "other", root=tmp_path, update=False)


def test_a_run_in_doubt_leaves_the_baseline_alone(
    session: Session, tmp_path: Path
) -> None:
    """Finding 3: what was judged invalid is not stored."""
    record.keep_baseline([record.part(session)], "main", root=tmp_path, update=False)
    before = baseline.path_of("main", tmp_path).read_bytes()
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
    assert baseline.path_of("main", tmp_path).read_bytes() == before
