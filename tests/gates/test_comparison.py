"""specfair compare: verdicts by stage and group, four formats, exit codes."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from specfair import gates, stats
from specfair.errors import UsageError
from specfair.gates import comparison, kept
from specfair.gates.bounds import parse_rule
from specfair.vocabulary import Stage
from tests.gates.test_baseline import make


@pytest.fixture
def root(tmp_path: Path) -> Path:
    kept.save_baseline(make(base=0.0, imdb=0.0), "main", root=tmp_path)
    kept.save_baseline(make(base=-0.1, imdb=0.1), "worse", root=tmp_path)
    kept.save_baseline(make(base=0.0, imdb=0.05), "better", root=tmp_path)
    kept.save_baseline(make(base=0.0), "partial", root=tmp_path)
    return tmp_path


def test_exit_codes(root: Path) -> None:
    codes = {
        new: comparison.held_against("main", new, root=root).exit_code
        for new in ("main", "better", "worse", "partial")
    }
    assert codes == {"main": 0, "better": 0, "worse": 1, "partial": 3}


def test_a_looser_gate_accepts(root: Path) -> None:
    assert (
        comparison.held_against(
            "main", "worse", root=root, rules=[parse_rule("regression>=-0.2")]
        ).exit_code
        == 0
    )
    off = comparison.held_against(
        "main", "worse", root=root, rules=[parse_rule("base.regression=off")]
    )
    assert {v.case.partition("-")[0] for v in off.verdicts} == {"imdb"}


def test_what_only_one_has_is_said(root: Path) -> None:
    assert comparison.held_against("main", "partial", root=root).absent == (
        Stage("imdb"),
    )
    assert comparison.held_against("partial", "main", root=root).added == (
        Stage("imdb"),
    )


def test_every_format_names_the_regression(root: Path) -> None:
    found = comparison.held_against("main", "worse", root=root)
    text, md = comparison.FORMATS["text"](found), comparison.FORMATS["md"](found)
    assert "fail         base-a" in text
    assert "| base-a | fail | -0.100 |" in md
    stored = json.loads(comparison.FORMATS["json"](found))
    assert stored["exit_code"] == 1
    suite = ElementTree.fromstring(comparison.FORMATS["junit"](found))
    assert suite.get("failures") == "3"
    assert {c.get("name") for c in suite if len(c)} == {"base", "base-a", "base-b"}


def test_what_is_incomplete_is_in_every_format(root: Path) -> None:
    found = comparison.held_against("main", "partial", root=root)
    assert "incomplete" in comparison.FORMATS["text"](found)
    assert "incomplete" in comparison.FORMATS["md"](found)
    assert (
        ElementTree.fromstring(comparison.FORMATS["junit"](found)).get("failures")
        == "1"
    )


def test_names_are_harmless_in_every_format() -> None:
    """XML cannot hold control characters, a terminal obeys them, and JSON has no
    NaN.
    """
    hostile = "x\n::error::pwned\x1b[31m\x00\ud800"
    stage = Stage(hostile)
    verdict = gates.check(
        stats.invalid("nothing was counted"), gates.Bound("regression", 0.0), hostile
    )
    found = comparison.Comparison("old", "new", (verdict,), (stage,), (stage,))
    for name, form in comparison.FORMATS.items():
        said = form(found)
        said.encode()
        assert not [c for c in said if not c.isprintable() and c != "\n"], name
        assert not [
            line for line in said.splitlines() if line.lstrip().startswith("::")
        ], name
    assert "NaN" not in comparison.FORMATS["json"](found)
    json.loads(comparison.FORMATS["json"](found), parse_constant=pytest.fail)
    assert len(ElementTree.fromstring(comparison.FORMATS["junit"](found))) == 2


def test_a_file_and_a_name(root: Path) -> None:
    """A path to a file is compared wherever it lies; a name stays in its folder."""
    path = str(kept.path_of("worse", root))
    assert comparison.held_against("main", path, root=root).exit_code == 1
    with pytest.raises(UsageError, match="is a path"):
        comparison.held_against("main", "../worse", root=root)


def test_markdown_escapes_names() -> None:
    hostile = comparison.Comparison("<b>|", "x\n", (), (Stage("a|b"),), ())
    text = comparison.FORMATS["md"](hostile)
    assert "\\<b\\>\\|" in text
    assert "a\\|b" in text
