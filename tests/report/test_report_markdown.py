"""The Markdown: equal to its golden copy, short, and deaf to hostile text."""

import dataclasses
import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import escape

from specfair.report import render_html, render_markdown
from specfair.run.run import Run
from tests import report_samples

GOLDEN = Path(__file__).parents[1] / "golden" / "report.md"


def test_equals_its_golden_copy() -> None:
    assert render_markdown(report_samples.full()) == GOLDEN.read_text(encoding="utf-8")


def test_is_short_and_names_what_needs_somebody() -> None:
    said = render_markdown(report_samples.full())
    assert len(said) < 8000
    assert said.startswith("## specfair: 11 of 55 checks failed: ")
    assert said.count("\u2717 failed |") == 11
    assert "more checks of this kind." in said


def test_of_nothing() -> None:
    said = render_markdown(Run(created="now", command="pytest `evals`", groups=()))
    assert said == (
        "## specfair: Measured, not judged: this run holds no "
        "bounds.\n\nAgain: `` pytest `evals` ``\n"
    )


def test_a_command_can_be_copied_as_it_is() -> None:
    """Finding 19: quotes and backticks of a shell-quoted command are part of it."""
    command = "pytest 'evals/x.py::t[imdb-$(touch PWNED) `touch PWNED` ``]'"
    said = render_markdown(Run(created="now", command=command, groups=()))
    assert f"```{command}```" in said
    cards = [report_samples.verdict(reproduce=command * 9)]
    page = render_html(
        Run(created="now", command=command, groups=(), verdicts=tuple(cards))
    )
    assert f"<code>{escape(command)}</code>" in page
    assert f"<code>{escape(command * 9)}</code>" in page


def test_nobody_is_notified_and_nothing_is_linked() -> None:
    notes = (
        (
            "@someone #12 www.example.org http://x <b>bold</b> [a](b) ![i](j) | "
            "*x* _y_ ~z~ $m$"
        ),
    )
    said = render_markdown(dataclasses.replace(report_samples.small(), notes=notes))
    (line,) = [line for line in said.splitlines() if "someone" in line]
    for harmful in (
        "@someone",
        "www.example",
        "http://",
        "<b>",
        "[a]",
        "![",
        "|",
        "*x",
        "_y",
        "~z",
        "$m",
        "#12",
    ):
        assert not re.search(rf"(?<!\\){re.escape(harmful)}", line)


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1))
def test_any_text_leaves_the_lines_and_cells_alone(hostile: str) -> None:
    plain = render_markdown(report_samples.texts_only())
    said = render_markdown(
        report_samples.rewrite(
            report_samples.texts_only(), lambda text: f"{hostile}{text}"
        )
    )

    def shape(text: str) -> list[int]:
        return [
            len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))
            for line in text.split("\n")
            if line[:1] == "|"
        ]

    assert shape(said) == shape(plain)
    said.encode()
