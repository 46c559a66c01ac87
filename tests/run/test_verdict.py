"""A verdict fails a test or not, and says its numbers."""

import pytest

from specfair.errors import StoreError
from specfair.run.run import Run
from specfair.vocabulary import BASE
from tests.report_samples import verdict


def test_the_undecided_fails_where_that_is_asked() -> None:
    found = [
        verdict(decision=decision, strict=strict).failed
        for decision in ("fail", "invalid", "insufficient", "pass")
        for strict in (False, True)
    ]
    assert found == [True, True, True, True, False, True, False, False]


def test_what_it_comes_after() -> None:
    stages = (None, BASE, verdict().stage)
    assert [verdict(stage=stage).dataset for stage in stages] == ["", "", "imdb"]


def test_numbers_for_junit() -> None:
    found = verdict(value=1 / 3).properties()
    assert (found["value"], found["decision"], found["gate"]) == (
        "0.333333",
        "fail",
        "gain",
    )


def test_a_verdict_counts_prompts_and_clusters() -> None:
    run = Run(created="now", command="c", groups=(), verdicts=(verdict(),))
    stored = run.to_json().replace("[30, 4]", "[30]")
    with pytest.raises(StoreError, match="n of 'a' is not prompts and clusters"):
        Run.from_json(stored)
