"""The last lines of a run: what was decided, the worst gap, what to do next."""

import math
from collections import Counter
from dataclasses import replace

from specfair.run.summary import properties, summary
from specfair.vocabulary import BASE
from tests import report_samples

SAID = ("pass", "fail", "insufficient", "invalid")  # in this order


def test_what_the_terminal_says() -> None:
    run = report_samples.full()
    lines = summary(run, "r.html", {"improve": 3})
    assert lines[0].startswith("measured: ")
    counted = Counter(verdict.decision for verdict in run.verdicts)
    said = [f"{counted[name]} {name}" for name in SAID if counted[name]]
    assert len(said) == 4  # the sample has every decision
    assert lines[1] == f"verdicts: {', '.join(said)}"
    (worst,) = [line for line in lines if line.startswith("worst gap: ")]
    gated = (run.metric, run.lookahead)
    at = [gap for gap in run.gaps if (gap.metric, gap.lookahead) == gated]
    assert f"{max(gap.gap for gap in at):.3f} [" in worst
    assert lines[-3].startswith("without a bound, so not judged: 3 improve; bounds")
    assert lines[-2].startswith("undecided cases passed")
    assert lines[-1] == "report: r.html"


def test_a_gap_that_is_no_number_is_said_in_words() -> None:
    run = report_samples.full()
    broken = tuple(replace(g, gap=math.nan) for g in run.gaps if g.stage == BASE)
    lines = summary(replace(run, gaps=broken), "", {})
    assert "no gap: acceptance_rate before fine-tuning is not a number" in str(lines)
    assert "nan" not in " ".join(lines)


def test_what_a_junit_file_carries() -> None:
    run = report_samples.full()
    found = properties(run)
    assert found["specfair.target"] == "embedded"
    assert found["specfair.groups"] == ", ".join(run.groups)
    assert "specfair.selection" not in found
