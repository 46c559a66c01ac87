"""What a CI service shows beside the log: a step summary and annotations, where GitHub
asks for them by its variables.

Knows GitHub's forms and how they are escaped. Does not know how a verdict came about.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specfair.errors import plain
from specfair.report import Report, render_markdown
from specfair.report.page import elsewhere

SHOWN = 10  # annotations; the service itself shows no more of one step
_LEVELS = {"fail": "error", "invalid": "error", "insufficient": "warning"}


def summarize(report: Report, environment: Mapping[str, str] = os.environ) -> None:
    """Append to the step summary if there is one."""
    summary = environment.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(render_markdown(report) + "\n")


def commands(report: Report, environment: Mapping[str, str] = os.environ) -> list[str]:
    """The lines to print for annotations, none elsewhere."""
    return annotations(report) if environment.get("GITHUB_ACTIONS") == "true" else []


def annotations(report: Report) -> list[str]:
    """Workflow commands, errors first."""
    marked = [
        (_LEVELS[v["decision"]], v) for v in report.verdicts if v["decision"] in _LEVELS
    ]
    marked.sort(key=lambda pair: pair[0])
    return [_command(report, level, v) for level, v in marked[:SHOWN]]


def _command(report: Report, level: str, verdict: Mapping[str, Any]) -> str:
    title = _property(f"specfair {verdict['gate']} {verdict['case']}")
    return f"::{level} title={title}::{_message(_said(report, verdict))}"


def _said(report: Report, verdict: Mapping[str, Any]) -> str:
    other = elsewhere(report, verdict)
    return str(verdict["sentence"]) + f" (measured: {other})" * bool(other)


def _message(text: str) -> str:
    return plain(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
