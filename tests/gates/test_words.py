"""Sentences of verdicts about estimates that can be written down."""

import pytest

from specfair.gates import Bound, check
from specfair.stats import Part, invalid
from specfair.stats.estimate import Nothing, from_t

PARTS = (Part("slow", 96, 12, 4e-4), Part("fast", 300, 20, 1e-4))


@pytest.mark.parametrize(
    ("value", "bound", "said"),
    [
        (0.3, Bound("gap", 0.1), "case: gap of acceptance_rate 0.300 [0.2"),
        (0.3, Bound("gap", 0.1), "exceeds 0.1 (p = 0.0001)"),
        (0.3, Bound("gap", 0.1, min_effect=0.02), "by more than the minimum effect"),
        (0.7, Bound("ratio", 0.8), "falls short of 0.8"),
        (0.05, Bound("gap", 0.1), "is at most 0.1"),
        (0.1, Bound("gap", 0.1), "leaves 0.1 undecided"),
        (0.0, Bound("equivalence", 0.1), "lies inside the margin of 0.1 either way"),
        (0.1, Bound.at_most(0.0, metric="kl"), "lowest slow (96 prompts, 12 clusters)"),
    ],
)
def test_what_was_found_in_one_line(value: float, bound: Bound, said: str) -> None:
    estimate = from_t(value, 0.01, 1e6, parts=PARTS, groups=("slow", "fast"))
    found = check(estimate, bound, "case").sentence
    assert said in found
    assert "\n" not in found


def test_nothing_and_no_number_are_told_apart() -> None:
    bound = Bound("gap", 0.1)
    broken = check(invalid("two are NaN"), bound, "case")
    nothing = check(invalid(Nothing("nothing was counted in a")), bound, "case")
    assert broken.sentence.endswith("could not be measured: two are NaN")
    assert "has nothing to judge: nothing was counted in a" in nothing.sentence
    assert "mend what made them unusable" in broken.way_out
    assert "Nothing is wrong" in nothing.way_out


def test_who_is_to_be_mended() -> None:
    estimate = from_t(0.3, 0.01, 1e6, parts=PARTS, groups=("slow", "fast"))
    assert "for slow and fast" in check(estimate, Bound("gap", 0.1), "").way_out
