"""Several questions at once, by hand."""

import math

import pytest

from specfair.stats import false_failures, holm


def test_holm_by_hand() -> None:
    """The smallest times three, the next times two, and never less than one before."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_p_value_that_is_none_still_counts() -> None:
    first, none = holm([0.01, math.nan])
    assert first == pytest.approx(0.02)
    assert math.isnan(none)


def test_a_runs_own_chance_of_erring() -> None:
    two = false_failures([0.025, 0.025])
    assert two.independent == pytest.approx(1 - 0.975**2)
    assert two.at_most == pytest.approx(0.05)
    assert false_failures([0.5] * 3).at_most == 1.0
    assert false_failures([]).independent == 0.0
