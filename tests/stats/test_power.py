"""How many more prompts would decide, and what can be found with those at hand."""

import pytest
from scipy.stats import norm

from bench.worlds import World, draw
from specfair import stats
from specfair.stats import Part
from specfair.stats.estimate import from_t

PARTS = (Part("a", 100, 20, 4e-4), Part("b", 300, 60, 1e-4))


def needed(distance: float) -> dict[str, stats.Needed]:
    found = from_t(distance, 0.0224, 1e6, parts=PARTS, groups=("a", "b"))
    return stats.prompts_needed(found, 0.0)


def test_half_the_distance_takes_four_times_the_prompts() -> None:
    near, far = needed(0.01)["a"].n_prompts, needed(0.02)["a"].n_prompts
    assert near + 100 == pytest.approx(4 * (far + 100), rel=0.01)
    assert needed(0.01)["a"].n_clusters == pytest.approx(near / 5, abs=1)


def test_nothing_is_needed_where_the_bound_is_far_or_the_value() -> None:
    assert needed(1.0) == {}
    assert needed(0.0) == {}


def test_twice_the_errors_hide_twice_the_difference() -> None:
    """Four times as many clusters, and what is found of two groups follows: a t-test's
    2.8 standard errors at least, and little more.
    """
    few, _ = draw(World(((30, 5),) * 2), 0)
    many, _ = draw(World(((120, 5),) * 2), 0)
    [small], [large] = (stats.detectable(s).values() for s in (many, few))
    assert large / small == pytest.approx(2, rel=0.2)
    [pair] = stats.pairwise(many)
    error = (pair.high - pair.low) / 2 / norm.isf(0.025)
    assert 2.8 * error < small < 3.3 * error
