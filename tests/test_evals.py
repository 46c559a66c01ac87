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

import pytest

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden" / "embedded.md"
TOLERANCE = 0.02
_NUMBER = re.compile(r"[+-]?\d+\.\d+")


def run(folder: Path) -> Path:
    """What `pytest evals -k imdb` leaves behind, from nothing, held to the baseline in
    reports/baselines as well.
    """
    places = (
        f"--specfair-report={folder / 'report.html'}",
        f"--specfair-store={folder / 'store'}",
    )
    chosen = ("-k", "imdb", "--specfair-baseline=main", *places)
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
    text = re.sub(
        r"(\| imdb .*\|) [a-z\\_]+ \| [a-z\\_]+ \|", r"\1 slowest | fastest |", text
    )
    return re.sub(r"Again: `.*`", "Again: `pytest evals -k imdb`", text)


BOUNDED = {
    *("gap", "ratio", "speedup", "worst_pair", "confident_rejections"),
    *("gain", "improve", "widening", "frequency", "regression"),
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


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        GOLDEN.write_text(
            scrubbed(run(Path(folder)).read_text(encoding="utf-8")), encoding="utf-8"
        )
