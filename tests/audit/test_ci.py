"""GitHub's step summary and annotations: only when asked for, escaped, errors first."""

from pathlib import Path

from specfair.audit import ci
from specfair.run.run import Run
from specfair.run.verdict import Verdict
from tests import report_samples


def verdict(decision: str, sentence: str = "a: b") -> Verdict:
    return report_samples.verdict(
        case="imdb,x", gate="gap", decision=decision, sentence=sentence
    )


def report(*verdicts: Verdict) -> Run:
    return Run(
        created="2026-01-01T00:00:00+00:00",
        command="pytest",
        groups=("a", "b"),
        verdicts=verdicts,
    )


def test_nothing_happens_elsewhere() -> None:
    assert ci.commands(report(verdict("fail")), {}) == []
    ci.summarize(report(verdict("fail")), {})


def test_the_summary_is_appended(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    ci.summarize(report(verdict("fail")), {"GITHUB_STEP_SUMMARY": str(file)})
    assert file.read_text().startswith("before\n")
    assert "specfair" in file.read_text()


def test_annotations_are_one_line_each_errors_first() -> None:
    hostile = "50%\n::error::injected"
    found = report(verdict("insufficient"), verdict("pass"), verdict("fail", hostile))
    lines = ci.commands(found, {"GITHUB_ACTIONS": "true"})
    assert lines == [
        "::error title=specfair gap imdb%2Cx::50%25\\n::error::injected",
        "::warning title=specfair gap imdb%2Cx::a: b",
    ]


def test_no_more_than_the_service_shows() -> None:
    assert len(ci.annotations(report(*[verdict("fail")] * 50))) == ci.SHOWN
