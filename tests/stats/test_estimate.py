"""Interval, p-value and equivalence, each from the one curve."""

import math

import pytest
from scipy.stats import t as student_t

from specfair.errors import UsageError
from specfair.stats import Estimate, Part, equivalence, invalid
from specfair.stats.estimate import Nothing, from_t, known_scope, some_of, words

PARTS = (Part("a", 40, 20, 0.01), Part("b", 10, 3, 0.02))


def around(value: float, *, skew: float = 0.0) -> Estimate:
    return from_t(value, 0.1, 12.0, parts=PARTS, groups=("a", "b"), skew=skew)


def test_the_curve_is_students() -> None:
    found, t = around(0.3), student_t(12)
    half = 0.1 * t.isf(0.025)
    assert (found.low, found.high) == pytest.approx((0.3 - half, 0.3 + half))
    assert found.interval(0.9)[1] == pytest.approx(0.3 + 0.1 * t.isf(0.05), abs=2e-4)
    assert found.p_value() == pytest.approx(2 * t.sf(3.0), rel=0.02)
    assert (found.n_prompts, found.n_clusters) == (50, 23)
    assert found.exploratory == ("b",)


def test_skew_moves_an_interval_and_not_its_value() -> None:
    plain, low = around(0.3), around(0.3, skew=-0.3)
    assert low.value == plain.value
    assert low.low < plain.low
    assert low.high < plain.high
    assert around(0.3, skew=1e-9).low == plain.low


def test_parity_is_claimed_inside_the_margins_only() -> None:
    assert equivalence(around(0.0), 0.2).equivalent
    assert not equivalence(around(0.0), 0.1).equivalent
    assert not equivalence(around(0.15), (-0.5, 0.2)).equivalent
    assert equivalence(around(0.15), (-0.5, 0.4)).margins == (-0.5, 0.4)


def test_why_there_is_none_is_kept() -> None:
    bad, none = invalid("two are NaN", PARTS), invalid(Nothing("nothing was counted"))
    assert (bad.valid, bad.nothing, bad.n_prompts) == (False, False, 50)
    assert none.nothing
    assert bad.method == "invalid: two are NaN"
    assert math.isnan(bad.p_value())
    assert math.isnan(bad.interval(0.9)[0])


def test_words_of_methods() -> None:
    assert "exploratory: fewer than 8 effective clusters in b (3)" in words(PARTS)
    lone = words([Part("c", 9, 1, 0.1, "templates", paired=True)])
    assert "paired by template" in lone
    assert "one cluster in c, the unit of evidence is its templates" in lone
    assert words([Part("c", 9, 1, 0.1, "set")]).startswith("the set as it is")
    names = [f"g{i}" for i in range(20)]
    assert some_of(names[:13]).endswith("g12")
    assert some_of(names).endswith("g11 and 8 more")


def test_a_scope_is_one_of_three() -> None:
    assert known_scope("set") == "set"
    with pytest.raises(UsageError, match="Did you mean 'prompts'"):
        known_scope("prompt")
