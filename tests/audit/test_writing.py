"""Files and lines of a run: what can be written is, whatever becomes of the rest."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from specfair import config, outputs
from specfair.audit import record, writing
from specfair.audit.session import Session
from specfair.errors import UsageError
from specfair.run.run import Run
from specfair.run.verdict import Verdict
from specfair.vocabulary import Stage
from tests import report_samples

ROOT = Path(__file__).parents[2]


def test_files_and_summary(session: Session, tmp_path: Path) -> None:
    settings = replace(session.settings, report=str(tmp_path / "deep" / "r.html"))
    written = writing.write_parts([record.part(session)], settings)
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == [
        "r.html",
        "r.json",
        "r.md",
    ]
    assert written.lines[0] == (
        "measured: embedded / embedded; 18 prompts of 3 groups, out of embedded: 1,680 "
        "synthetic sentence beginnings "
        "about 10 groups, every identity with the same 12 templates; greedy, at most "
        "8 new tokens; constant-5"
    )
    assert written.lines[1].startswith("verdicts: ")
    assert any(line.startswith("worst gap: ") for line in written.lines)
    assert not written.lost
    assert written.properties["specfair.groups"] == "female, male, queer"


def test_a_name_with_a_dot_is_a_name(session: Session, tmp_path: Path) -> None:
    """Finding 2: `run-v1.2` and `run-v1.3` are two runs, and the summary names a page
    that exists.
    """
    for name in ("run-v1.2", "run-v1.3"):
        written = writing.write_parts(
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
        "a selection of" in line for line in writing.write_parts([part], settings).lines
    )
    whole = (tmp_path / "r.json").read_bytes()
    said = writing.write_parts([part], settings, selection="-k imdb").lines
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
    writing.write_parts([part], settings, selection="-k imdb", chosen=True)
    assert (tmp_path / "r.json").read_bytes() != whole
    # what stands there is no whole run any more
    writing.write_parts([part], settings, selection="-k male")
    assert "-k male" in (tmp_path / "r.json").read_text()


def test_names_cannot_write_lines_of_their_own(report: Run, tmp_path: Path) -> None:
    """Finding 20: control characters of a group's name reach no terminal, and `::` no
    service's commands.
    """
    hostile = "x\n::error::pwned\x1b[31m"
    gaps = tuple(replace(g, lowest_group=hostile) for g in report.gaps)
    part = {"report": replace(report, gaps=gaps).to_json(), "ungated": "{}"}
    lines = writing.write_parts(
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
    mine = tmp_path / f"r{ending}" / "mine"
    mine.parent.mkdir()
    mine.touch()
    lost: list[str] = []
    files = [tmp_path / f"r{e}" for e in outputs.ENDINGS]
    place = writing.write_files(
        Run.from_json(part["report"]), outputs.Outputs(*files), lost
    )
    assert mine.exists()
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


STAGES = config.Settings(datasets=("imdb", "sst2"))
STANDARD = tuple(
    report_samples.verdict(
        metric="acceptance_rate",
        gate=gate,
        case=f"{stage}-{of}",
        stage=Stage(stage),
        of=of,
    )
    for gate in ("gain", "gap")
    for stage in STAGES.datasets
    for of in ("", "a", "b")
)


def chance(*more: Verdict, **settings: Any) -> float:
    run = Run(created="now", command="c", groups=(), verdicts=(*STANDARD, *more))
    found = writing.with_chance(run, replace(STAGES, **settings)).chance
    assert found[1] == pytest.approx(1 - 0.975 ** round(found[0] / 0.025))
    return found[0]


def test_a_run_knows_its_chance_of_failing_by_mistake() -> None:
    """Gain and gap, each of all groups together and by group: four questions, of each
    stage or of all as one.
    """
    assert chance() == pytest.approx(4 * 0.025)
    assert chance(family="stage") == pytest.approx(8 * 0.025)


def test_what_is_corrected_with_nothing_else_is_a_family_of_its_own() -> None:
    """Bounds that tests bring along, at any stage; a question asked twice; another
    audit's; a stage that is not configured.
    """
    own = [
        report_samples.verdict(gate="at_most", metric="", case="mine", stage=stage)
        for stage in (None, None, *map(Stage, STAGES.datasets))
    ]
    assert chance(*own) == pytest.approx(8 * 0.025)
    for other in (
        STANDARD[0],
        replace(STANDARD[0], about="another"),
        replace(STANDARD[0], stage=Stage("wikitext")),
        replace(STANDARD[0], metric="alpha"),
    ):
        assert chance(other) == pytest.approx(5 * 0.025)


def test_widening_errs_at_its_own_level() -> None:
    """Its lower limit is one-sided."""
    wider = (replace(STANDARD[0], gate="widening"),)
    run = Run(created="now", command="c", groups=(), verdicts=wider)
    assert writing.with_chance(run, STAGES).chance == pytest.approx((0.05, 0.05))


def test_what_is_no_chance_is_not_counted() -> None:
    exact = report_samples.verdict(gate="regression", scope="set")
    assert chance(exact) == chance()
    none = Run(created="now", command="c", groups=(), chance=(0.1, 0.1))
    assert writing.with_chance(none, STAGES).chance == ()


def test_the_chance_is_of_all_processes_together(
    session: Session, tmp_path: Path
) -> None:
    settings = replace(session.settings, report=str(tmp_path / "r.html"))
    part = record.part(session)
    first = Run.from_json(part["report"])
    verdict = report_samples.verdict(gate="gap", about=first.about)
    parts = [
        part | {"report": replace(first, verdicts=(v,)).to_json()}
        for v in (verdict, replace(verdict, gate="ratio"))
    ]
    lines = writing.write_parts(parts, settings).lines
    said = "chance of at most 0.05"
    assert any(line.endswith(said) for line in lines)
    assert said in (tmp_path / "r.html").read_text()
    assert said in (tmp_path / "r.md").read_text()
