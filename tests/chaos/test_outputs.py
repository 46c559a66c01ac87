"""Nothing that goes wrong where results are written costs a result: full disks,
read-only places, folders in the way.

The faults are real: small and read-only file systems where this process may mount them,
/dev/full otherwise.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest

from specfair import cli, outputs
from specfair.errors import StoreError, UsageError
from specfair.gates import kept
from tests import report_samples
from tests.chaos.conftest import Chaos
from tests.gates.test_baseline import make

CASES = """
import numpy as np
import pytest
from specfair.stats.estimate import Part, from_t

@pytest.mark.parametrize("value", [0.0, 0.9])
def test_gate(specfair, value):
    parts = [Part("slow", 40, 10, 0.01), Part("fast", 40, 10, 0.01)]
    asked = from_t(value, 0.01, 1e6, parts=parts, groups=("slow", "fast"))
    specfair.gate(asked, at_most=0.5)
"""
FAULTS = ("full", "read-only", "a folder in its place", "a file for a folder")


@contextmanager
def broken(folder: Path, fault: str, names: Sequence[str]) -> Iterator[Path]:
    """A place where these names cannot be written."""
    if fault == "a file for a folder":
        folder.write_text("kept")
        yield folder
        assert folder.read_text() == "kept"
        return
    folder.mkdir()
    if fault == "a folder in its place":
        for name in names:
            (folder / name / "kept").mkdir(parents=True)
        yield folder
        assert all((folder / name / "kept").is_dir() for name in names)
        return
    _mount("-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder))
    try:
        (folder / "kept").write_bytes(b"x" * 4096)
        if fault == "read-only":
            _mount("-o", "remount,ro", str(folder))
        yield folder
        assert [p.name for p in folder.iterdir()] == ["kept"], (
            "nothing half-written stays"
        )
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _mount(*arguments: str) -> None:
    done = subprocess.run(
        ["mount", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        # a full disk needs one of its own
        pytest.skip(f"this process may not mount: {done.stderr.strip()}")


@pytest.mark.parametrize("fault", FAULTS)
def test_pytest_keeps_its_own_results(
    pytester: pytest.Pytester, chaos: Chaos, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAILURES, the summary and JUnit are complete, the loss is one line, and no run
    with a loss ends with 0.
    """
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    pytester.makepyprojecttoml("[tool.specfair]")
    pytester.makepyfile(CASES)
    sentence = (
        "an unwritable report costs neither FAILURES, nor the summary, nor JUnit, "
        "and the exit code is not 0"
    )
    with chaos.promise("outputs", sentence) as tried:
        for chosen in ("", "0.9", "0.0")[: chaos.n(full=3, reduced=1)]:
            with broken(
                pytester.path / f"reports{chosen}", fault, ["r.json", "r.md", "r.html"]
            ) as place:
                arguments = [
                    "-p",
                    "no:cacheprovider",
                    "--junitxml=junit.xml",
                    f"--specfair-report={place}/r",
                ]
                result = pytester.runpytest_inprocess(
                    *arguments, *(["-k", f"gate and {chosen}"] if chosen else [])
                )
            text = result.stdout.str() + result.stderr.str()
            assert "Traceback" not in text
            if fault == "a folder in its place":  # known before anything runs
                assert "is a folder; specfair writes files and removes nothing" in text
                assert result.ret == pytest.ExitCode.USAGE_ERROR
            else:
                assert text.count("could not be written") == 3
                _complete(pytester, result, chosen)
            tried.case()


def _complete(pytester: pytest.Pytester, result: pytest.RunResult, chosen: str) -> None:
    failed = chosen != "0.0"
    wanted = {
        "": "verdicts: 1 pass, 1 fail",
        "0.9": "verdicts: 0 pass, 1 fail",
        "0.0": "verdicts: 1 pass, 0 fail",
    }
    result.stdout.fnmatch_lines(["*FAILURES*", "*exceeds 0.5*"] if failed else [])
    result.stdout.fnmatch_lines(
        [wanted[chosen], "ERROR: *r.json could not be written: *"]
    )
    assert "report: " not in result.stdout.str()  # there is none
    suite = ElementTree.parse(pytester.path / "junit.xml").getroot()
    assert len(list(suite.iter("failure"))) == failed
    assert result.ret == (
        pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.USAGE_ERROR
    )


@pytest.mark.parametrize(
    "place", ["/nonexistent/x/s.md", "/dev/full", "/", "reports/latest.json/s.md"]
)
def test_a_bad_step_summary_costs_one_line(
    pytester: pytest.Pytester, chaos: Chaos, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report is written all the same."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", place)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    pytester.makepyprojecttoml("[tool.specfair]")
    pytester.makepyfile(CASES)
    with chaos.promise(
        "outputs", "a bad step summary costs one line and nothing else"
    ) as tried:
        result = pytester.runpytest_inprocess(
            "-p", "no:cacheprovider", "--junitxml=junit.xml"
        )
        assert "Traceback" not in result.stdout.str() + result.stderr.str()
        result.stdout.fnmatch_lines(
            [
                "*FAILURES*",
                "report: reports/latest.html",
                "ERROR: the step summary could not be *",
                "::error title=*",
            ]
        )
        assert (
            len(
                list(
                    ElementTree.parse(pytester.path / "junit.xml")
                    .getroot()
                    .iter("failure")
                )
            )
            == 1
        )
        assert sorted(p.name for p in (pytester.path / "reports").iterdir()) == [
            "latest.html",
            "latest.json",
            "latest.md",
        ]
        tried.case()


@pytest.mark.parametrize("fault", FAULTS)
def test_the_command_line_ends_in_one_line(
    chaos: Chaos,
    fault: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`specfair report` says what could not be written, with exit code 2, and leaves
    what stands there.
    """
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run.json"
    run.write_text(report_samples.small().to_json())
    with chaos.promise(
        "outputs", "specfair report to an unwritable place is one line and exit code 2"
    ) as tried:
        for form in ("md", "html", "json")[: chaos.n(full=3, reduced=1)]:
            with broken(tmp_path / f"there-{form}", fault, [f"r.{form}"]) as place:
                assert (
                    cli.main(
                        [
                            "report",
                            str(run),
                            "--format",
                            form,
                            "--out",
                            str(place / f"r.{form}"),
                        ]
                    )
                    == cli.USAGE
                )
            said = capsys.readouterr().err.strip().splitlines()
            assert len(said) == 1, said
            assert str(place) in said[0]
            tried.case()


@pytest.mark.parametrize("fault", ["full", "read-only", "a file for a folder"])
def test_an_audit_prints_its_verdicts_first(
    chaos: Chaos,
    fault: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was measured reaches the reader, then come the lines about what could not be
    kept.
    """
    monkeypatch.chdir(tmp_path)
    small = [
        "--max-new-tokens",
        "2",
        "--prompts-per-group",
        "3",
        "--min-prompts",
        "3",
        "--groups",
        "female,male",
    ]
    with chaos.promise(
        "outputs", "specfair audit to an unwritable place prints every verdict"
    ) as tried:
        with broken(tmp_path / "there", fault, []) as place:
            code = cli.main(["audit", *small, "--out", str(place / "run-1.2")])
        said = capsys.readouterr()
        assert code == cli.USAGE
        # five questions, and two under each of five other lookaheads
        assert len(said.out.splitlines()) == 5 + 2 * 5
        assert "gap of acceptance_rate" in said.out
        assert "this run would fail by mistake" in said.err
        assert said.err.count("could not be written") == 3
        assert "Traceback" not in said.err
        tried.case()


def test_a_full_standard_output_is_one_line(chaos: Chaos, tmp_path: Path) -> None:
    """`specfair compare main other > /dev/full`, in each format."""
    kept.save_baseline(make(base=0.0), "main", root=tmp_path)
    with chaos.promise(
        "outputs", "a full standard output is one line and exit code 2"
    ) as tried:
        for form in ("text", "md", "json", "junit")[: chaos.n(full=4, reduced=1)]:
            command = (
                f"exec {sys.executable} -m specfair.cli compare main main --format "
                f"{form} > /dev/full"
            )
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == cli.USAGE
            (line,) = done.stderr.strip().splitlines()
            assert "No space left on device" in line
            tried.case()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_baseline_that_cannot_be_written_is_said(
    chaos: Chaos, fault: str, tmp_path: Path
) -> None:
    """One line each, whatever is wrong with the folder; nothing half-written stays."""
    with chaos.promise(
        "outputs", "a baseline that cannot be written or read is one line"
    ) as tried:
        (tmp_path / "reports").mkdir()
        with broken(tmp_path / kept.FOLDER, fault, ["main.json"]):
            for update in (False, True):
                with pytest.raises((StoreError, OSError)) as caught:
                    kept.save_baseline(
                        make(base=0.0), "main", root=tmp_path, update=update
                    )
                assert "\n" not in str(caught.value)
                tried.case()


def test_no_name_of_an_output_leads_into_a_folder_or_away(
    chaos: Chaos, tmp_path: Path
) -> None:
    """Names made of the pieces that lead astray: each is refused, or stands for files
    where it says.
    """
    pieces = ("..", ".", "", "a", "b.json", "c.html", ".md", " ", "\\", "x" * 300, "\n")
    (tmp_path / "a").mkdir()
    with chaos.promise(
        "security",
        "an output's name is refused or stands for three files where it says",
    ) as tried:
        names = [
            "/".join((x, y, z)) for x in pieces for y in pieces for z in pieces
        ] + list(pieces)
        for name in names[:: chaos.n(full=1, reduced=20)]:
            tried.case()
            try:
                found = outputs.of(name, root=tmp_path)
                word = outputs.word(name, option="baseline")
            except UsageError:
                continue
            assert len({found.html.parent, found.json.parent, found.md.parent}) == 1
            assert (tmp_path / f"{word}.json").parent == tmp_path
