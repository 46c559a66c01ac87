"""Gates: every decision of every kind, the words, and the way into JSON and back."""

import math

import numpy as np
import pytest

from bench.worlds import World, draw
from specfair import stats
from specfair.errors import UsageError
from specfair.gates import (
    KINDS,
    Bound,
    Verdict,
    check,
    check_family,
)
from specfair.run.run import Run, stored_form
from specfair.stats import Estimate, Part
from specfair.stats.estimate import from_t

PARTS = (Part("slow", 96, 8, 4e-4), Part("fast", 300, 20, 1e-4))


def around(
    value: float, spread: float, *, groups: tuple[str, ...] = ("slow", "fast")
) -> Estimate:
    """An estimate with a normal confidence distribution."""
    return from_t(value, spread, 1e6, parts=PARTS, groups=groups)


INVALID = Estimate(
    math.nan,
    math.nan,
    math.nan,
    groups=("slow",),
    method="invalid: 3 prompts are not finite",
    parts=PARTS,
)


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "equivalence"])
@pytest.mark.parametrize(
    ("beyond", "spread", "decision"),
    [
        (-0.2, 0.02, "pass"),
        (0.2, 0.02, "fail"),
        (0.0, 0.1, "insufficient"),
        (0.2, 0.2, "insufficient"),  # far beyond, but without evidence
        # evidence, but less than the minimum effect and not surely so
        (0.03, 0.004, "insufficient"),
        (0.01, 0.004, "pass"),  # beyond, but surely by less than the minimum effect
    ],
)
def test_every_kind_decides(
    kind: str, beyond: float, spread: float, decision: str
) -> None:
    """`beyond` is how far the value lies on the wrong side of the bound."""
    bound = Bound(kind, 0.5, min_effect=0.035)
    verdict = check(around(0.5 + bound.sign * beyond, spread), bound, "case")
    assert verdict.decision == decision, verdict.sentence
    assert verdict.failed == (decision == "fail")
    assert bool(verdict.way_out) == (decision != "pass")


@pytest.mark.parametrize(
    ("value", "spread", "decision"),
    [
        (0.0, 0.02, "pass"),
        (-0.04, 0.02, "pass"),
        (0.05, 0.05, "insufficient"),
        (0.3, 0.02, "fail"),
        (-0.3, 0.02, "fail"),
        (0.11, 0.001, "insufficient"),
    ],
)
def test_equivalence_has_the_burden_of_proof(
    value: float, spread: float, decision: str
) -> None:
    assert (
        check(
            around(value, spread), Bound("equivalence", 0.1, min_effect=0.02)
        ).decision
        == decision
    )


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_measured_is_invalid_and_fails(kind: str) -> None:
    verdict = check(INVALID, Bound(kind, 0.5), "imdb")
    assert (verdict.decision, verdict.failed) == ("invalid", True)
    assert "could not be measured: 3 prompts are not finite" in verdict.sentence


@pytest.mark.parametrize("kind", KINDS)
def test_what_did_not_occur_is_no_fault(kind: str) -> None:
    """A draft that is never 90% sure made confident mistakes "could not be measured",
    and failed the build.
    """
    counts, names = np.array([1.0, 0.0]), np.array(["a", "b"])
    sample = stats.Sample(counts, counts, names, names, names, names)
    verdict = check(stats.difference(sample), Bound(kind, 0.5), "imdb")
    assert (verdict.decision, verdict.failed) == ("insufficient", False)
    assert "has nothing to judge: nothing was counted in b" in verdict.sentence
    assert "Nothing is wrong" in verdict.way_out
    assert check(stats.difference(sample), Bound(kind, 0.5, strict=True)).failed


@pytest.mark.parametrize(
    "broken",
    [
        Estimate(0.1, math.nan, 0.2),
        Estimate(0.1, 0.0, math.inf),
        Estimate(math.inf, 0.0, 1.0),
    ],
)
def test_half_an_estimate_is_invalid(broken: Estimate) -> None:
    assert check(broken, Bound.at_most(1.0)).decision == "invalid"


def test_strict_fails_the_undecided() -> None:
    asked = around(0.1, 0.1)
    assert not check(asked, Bound("gap", 0.1)).failed
    assert check(asked, Bound("gap", 0.1, strict=True)).failed


def test_holm_can_turn_a_failure_into_doubt() -> None:
    """p = 0.02 alone is evidence; among ten it is not."""
    one = around(-0.0465, 0.02)
    assert 0.01 < one.p_value() < 0.05
    assert check(one, Bound("gain", 0.0)).decision == "fail"
    family = {"one": one, **{f"other {i}": around(0.0, 0.02) for i in range(9)}}
    verdicts = check_family(family, Bound("gain", 0.0))
    assert verdicts["one"].decision == "insufficient"
    assert verdicts["one"].p_holm == pytest.approx(10 * one.p_value())
    assert "Holm over 10" in verdicts["one"].sentence
    assert [v.case for v in verdicts.values()] == list(family)


def test_without_a_curve_the_interval_is_the_evidence() -> None:
    assert check(Estimate(0.5, 0.4, 0.6), Bound.at_most(0.3)).decision == "fail"
    assert "no p-value" in check(Estimate(0.5, 0.4, 0.6), Bound.at_most(0.55)).sentence


def test_the_sentence_says_it_all() -> None:
    verdict = check(around(0.2, 0.01), Bound("gap", 0.1, 0.02), "imdb")
    assert verdict.sentence == (
        "imdb: gap of acceptance_rate 0.200 [0.180, 0.220] exceeds 0.1 by more than "
        "the minimum effect 0.02 "
        "(p = 0.0001); slowest slow (96 prompts, 8 clusters), fastest fast (300 "
        "prompts, 20 clusters)"
    )
    assert verdict.n == {"slow": (96, 8), "fast": (300, 20)}
    assert "slow and fast" in verdict.way_out


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (check(around(0.9, 0.01), Bound("ratio", 0.8)), "is at least 0.8 ("),
        (check(around(0.5, 0.01), Bound("ratio", 0.8)), "falls short of 0.8 ("),
        (
            check(around(0.79, 0.004), Bound("ratio", 0.8, 0.03)),
            "is at least 0.8, or beyond it by less than the minimum effect",
        ),
        (
            check(around(0.1, 0.1), Bound("gap", 0.1, 0.02)),
            "leaves 0.1 undecided with the minimum effect 0.02",
        ),
        (
            check(around(0.0, 0.01), Bound("equivalence", 0.1)),
            "lies inside the margin of 0.1 either way",
        ),
        (
            check(around(0.0, 0.01, groups=("slow",)), Bound("gain", 0.0)),
            "; 96 prompts, 8 clusters",
        ),
        (check(around(0.2, 0.01), Bound("gap", 0.1, metric="kl")), "lowest slow (96"),
        (check(around(0.2, 0.01, groups=()), Bound.at_most(0.1)), "the estimate 0.200"),
        (check(around(0.2, 0.01), Bound.at_least(0.1)), "is at least 0.1 ("),
    ],
)
def test_words(verdict: Verdict, words: str) -> None:
    assert words in verdict.sentence


def test_undecided_says_how_much_would_decide() -> None:
    undecided = check(around(0.07, 0.025), Bound("gap", 0.0, 0.0), "imdb")
    assert undecided.decision == "fail"
    undecided = check(around(0.04, 0.025), Bound("gap", 0.0, 0.0), "imdb")
    assert undecided.way_out.startswith("About ")
    assert "more prompts of slow in" in undecided.way_out
    assert undecided.way_out.endswith("new clusters would decide.")
    assert "too near the bound" in check(around(0.0, 0.1), Bound("gap", 0.0)).way_out


def test_where_groups_are_the_evidence_prompts_are_no_advice() -> None:
    gains = {"a": 0.1, "b": 0.3, "c": 0.15, "d": 0.3}
    trend = stats.frequency(
        {g: around(gain, 0.0) for g, gain in gains.items()},
        {"a": 1, "b": 20, "c": 300, "d": 4000},
    )
    verdict = check(trend.slope, Bound("frequency", 0.05))
    assert verdict.decision == "insufficient"
    assert "more groups" in verdict.way_out


def test_advice_names_three_groups_at_most() -> None:
    sample, _ = draw(World(((8, 5),) * 6, effects=(-0.02, 0.02, 0, 0, 0, 0)), 5)
    advice = check(
        stats.furthest_pair(sample.of(*[f"g{i}" for i in range(6)])),
        Bound("worst_pair", 0.0),
    ).way_out
    assert advice
    gap = check(stats.difference(sample), Bound("gap", 0.0))
    assert gap.decision == "insufficient"
    assert "and more of" in gap.way_out or gap.way_out.count("more prompts of") <= 3


def test_there_and_back_through_json() -> None:
    for asked in (around(0.2, 0.01), INVALID):
        verdict = check(asked, Bound("gap", 0.1), "imdb")
        run = Run(created="now", command="c", groups=(), verdicts=(verdict,))
        (back,) = Run.from_json(run.to_json()).verdicts
        # six digits are kept; NaN is null
        assert stored_form(back) == stored_form(verdict)
        assert set(verdict.properties()) >= {"decision", "value", "p_holm"}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Bound("gapp", 0.1), "Did you mean 'gap'"),
        (lambda: Bound("gap", math.nan), "finite"),
        (lambda: Bound("gap", 0.1, -0.1), "at least 0"),
    ],
)
def test_bounds_that_make_no_sense(make: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()  # type: ignore[operator]


def test_a_real_gap_is_found_and_a_made_up_one_is_not() -> None:
    """Two fixed draws; the odds that either goes the other way by another seed are
    below 1 in 100.
    """
    apart, _ = draw(World(((12, 10),) * 4, effects=(0.0, 0.0, 0.0, -0.25)), 0)
    alike, _ = draw(World(((12, 10),) * 4), 0)
    assert check(stats.difference(apart), Bound("gap", 0.05, 0.02)).decision == "fail"
    assert check(stats.difference(alike), Bound("gap", 0.05, 0.02)).decision != "fail"
