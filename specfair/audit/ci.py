"""What a CI service shows beside the log: a step summary and annotations, where GitHub
asks for them by its variables.

Knows GitHub's forms and how they are escaped. Does not know how a verdict came about.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from specfair.errors import plain
from specfair.report import render_markdown
from specfair.run.run import Run
from specfair.run.verdict import Verdict
from specfair.vocabulary import Decision

SHOWN = 10  # annotations; the service itself shows no more of one step
_LEVELS: Mapping[Decision, str] = {
    "fail": "error",
    "invalid": "error",
    "insufficient": "warning",
}


def summarize(run: Run, environment: Mapping[str, str] = os.environ) -> None:
    """Append to the step summary if there is one."""
    summary = environment.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(render_markdown(run) + "\n")


def commands(run: Run, environment: Mapping[str, str] = os.environ) -> list[str]:
    """The lines to print for annotations, none elsewhere."""
    return annotations(run) if environment.get("GITHUB_ACTIONS") == "true" else []


def annotations(run: Run) -> list[str]:
    """Workflow commands, errors first."""
    marked = [v for v in run.verdicts if v.outcome in _LEVELS]
    marked.sort(key=lambda v: _LEVELS[v.outcome])
    return [_command(run, v) for v in marked[:SHOWN]]


def _command(run: Run, verdict: Verdict) -> str:
    title = _property(f"specfair {verdict.gate} {verdict.case}")
    said, other = verdict.sentence, run.elsewhere(verdict)
    if verdict.note:
        said += f" ({verdict.note})"
    if other:
        said += f" (measured: {other})"
    return f"::{_LEVELS[verdict.outcome]} title={title}::{_message(said)}"


def _message(text: str) -> str:
    return plain(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
