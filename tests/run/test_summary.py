"""The last lines of a run: what was decided, the worst gap, what to do next."""

import math
from collections import Counter
from dataclasses import replace

from specfair.run.summary import by_mistake, properties, summary
from specfair.vocabulary import BASE
from tests import report_samples

SAID = ("pass", "fail", "waived", "insufficient", "invalid")  # in this order


def test_what_the_terminal_says() -> None:
    run = report_samples.full()
    lines = summary(run, "r.html", {"improve": 3})
    assert lines[0].startswith("measured: ")
    counted = Counter(str(v.excuse or v.decision) for v in run.verdicts)
    said = [f"{counted[name]} {name}" for name in SAID if counted[name]]
    assert len(said) == 5  # the sample has every decision, and one waived
    assert lines[1] == f"verdicts: {', '.join(said)}"
    assert lines[2].startswith("if nothing were wrong anywhere, ")
    (worst,) = [line for line in lines if line.startswith("worst gap: ")]
    gated = (run.metric, run.lookahead)
    at = [gap for gap in run.gaps if (gap.metric, gap.lookahead) == gated]
    assert f"{max(gap.gap for gap in at):.3f} [" in worst
    assert lines[-3].startswith("without a bound, so not judged: 3 improve; bounds")
    assert lines[-2].startswith("undecided cases passed")
    assert lines[-1] == "report: r.html"
    asked = str(summary(run, "r.html", {"improve": 3, "gap": 0}))
    assert "not judged: 3 improve; bounds" in asked
    assert "not judged" not in str(summary(run, "r.html", {"gap": 0}))


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


def test_the_slowest_is_named_with_its_doubt() -> None:
    """Where others may be slower, that stands beside the name; where none may, and
    where nothing is known, it does not.
    """
    run = report_samples.full()
    gated = (run.metric, run.lookahead)
    gaps = [gap for gap in run.gaps if (gap.metric, gap.lookahead) == gated]
    worst = max(gaps, key=lambda gap: gap.gap)

    def said(high: int) -> str:
        row = run.ranked(worst.stage)[worst.lowest_group]
        row = replace(row, rank_low=1, rank_high=high)
        lines = summary(replace(run, ranks=(row,)), "", {})
        return next(line for line in lines if line.startswith("worst gap: "))

    slow, fast = worst.lowest_group, worst.highest_group
    assert said(3).endswith(
        f"{slow} is slowest as measured (it may be 1st to 3rd slowest of 10), {fast} fastest"
    )
    assert said(1).endswith(f": {slow} is slowest, {fast} fastest")
    without = summary(replace(run, ranks=()), "", {})
    assert any(
        line.endswith(f": {slow} is slowest, {fast} fastest") for line in without
    )


def test_a_run_says_how_likely_it_errs() -> None:
    run = replace(report_samples.full(), verdicts=(), chance=(0.225, 0.2036))
    said = (
        "if nothing were wrong anywhere, this run would fail by mistake with a chance "
        "of at most 0.23 (0.20 if its questions were independent)"
    )
    assert said in summary(replace(run, chance=(0.226, 0.2036)), "", {})
    assert by_mistake(replace(run, chance=(0.025, 0.025))).endswith("at most 0.03")
    assert by_mistake(replace(run, chance=())) == ""
    strict = replace(run, verdicts=(report_samples.verdict(strict=True),))
    assert by_mistake(strict).endswith("that strict fails are not counted in")
