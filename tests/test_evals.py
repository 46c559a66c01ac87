"""The evals on the shipped pair, as a newcomer runs them: they pass, and their Markdown
is the golden copy.

Fine-tuning adds up floating-point numbers in another order on another processor, so
figures may differ a little; words, decisions and the shape of every table may not.
`python -m tests.test_evals` writes the golden copy anew.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from specfair.run.rows import ROWS
from specfair.run.run import Run
from tests import report_samples

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden" / "embedded.md"
TOLERANCE = 0.02
_NUMBER = re.compile(r"[+-]?\d+\.\d+")


def run(folder: Path, *more: str) -> Path:
    """What `pytest evals -k imdb` leaves behind, from nothing, held to the baseline in
    reports/baselines as well.
    """
    places = (
        f"--specfair-report={folder / 'report.html'}",
        f"--specfair-store={folder / 'store'}",
    )
    chosen = ("-k", "imdb", "--specfair-baseline=main", *places, *more)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "evals",
        "-q",
        "-p",
        "no:cacheprovider",
        *chosen,
    ]
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "GITHUB_"))
    }
    done = subprocess.run(
        command, cwd=ROOT, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "report.md"


def scrubbed(text: str) -> str:
    """Without the command, which names folders, and without the ends of the groups'
    order after fine-tuning.

    Those are closer together than two processors agree. Versions and times are not in
    the Markdown.
    """
    ends = r"(\| imdb .*\|) [a-z\\_]+ \| [0-9a-z ]+ \| [a-z\\_]+ \|"
    text = re.sub(ends, r"\1 slowest | its rank | fastest |", text)
    return re.sub(r"Again: `.*`", "Again: `pytest evals -k imdb`", text)


BOUNDED = {
    *("gap", "ratio", "speedup", "worst_pair", "confident_rejections"),
    *("gain", "improve", "widening", "spread", "frequency", "regression"),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("evals"))


@pytest.fixture(scope="module")
def said(report: Path) -> str:
    return scrubbed(report.read_text(encoding="utf-8"))


def test_every_gate_that_the_project_bounds_is_judged(report: Path) -> None:
    verdicts = json.loads(report.with_suffix(".json").read_text(encoding="utf-8"))[
        "verdicts"
    ]
    assert {verdict["gate"] for verdict in verdicts} == BOUNDED
    # ten groups, and everyone
    assert sum(verdict["gate"] == "gain" for verdict in verdicts) == 11


def test_words_are_those_of_the_golden_copy(said: str) -> None:
    assert _NUMBER.sub("#", said) == _NUMBER.sub(
        "#", GOLDEN.read_text(encoding="utf-8")
    )


def test_figures_are_close_to_those_of_the_golden_copy(said: str) -> None:
    now, then = (
        list(map(float, _NUMBER.findall(text)))
        for text in (said, GOLDEN.read_text(encoding="utf-8"))
    )
    assert now == pytest.approx(then, abs=TOLERANCE)
    assert len(now) > 20


def test_the_recorded_run_has_the_tables_and_columns_of_this_one(report: Path) -> None:
    """What the tests of the report draw is what the evals write; `python -m
    tests.report_samples` records it anew.
    """
    now = report.with_suffix(".json").read_text(encoding="utf-8")
    then = report_samples.RECORDED.read_text(encoding="utf-8")
    assert Run.from_json(then).to_json() == then
    assert _shape(json.loads(then)) == _shape(json.loads(now))


def _shape(run: dict[str, Any]) -> dict[str, Any]:
    """Names of fields, columns and whatever stands under a name."""
    shape: dict[str, Any] = {}
    for name, value in run.items():
        shape[name] = sorted(value) if isinstance(value, dict) else type(value)
        if name in ROWS:
            # only the recorded run has checkpoints
            shape[name] = value["columns"], bool(value["rows"]) or name == "training"
    shape["verdicts"] = [(v["case"], v["gate"], sorted(v)) for v in run["verdicts"]]
    metrics = {(row[1], row[2], row[3]) for row in run["estimates"]["rows"]}
    return shape | {"estimated": metrics}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        GOLDEN.write_text(
            scrubbed(run(Path(folder)).read_text(encoding="utf-8")), encoding="utf-8"
        )
