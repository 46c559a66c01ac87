"""What may fail a build: evidence of groups that have some, and bounds that are one's
own.
"""

import numpy as np
import pytest

from bench.worlds import World, draw
from specfair import stats
from specfair.gates import Bound, check, check_family
from specfair.stats import Estimate, Part
from specfair.stats.estimate import from_t

FAR = World(((20, 10),) * 3 + ((2, 10),), effects=(0.0, 0.0, 0.0, -0.5))


def gain(value: float, *, clusters: int = 20) -> Estimate:
    part = Part("g", 10 * clusters, clusters, 1e-4)
    return from_t(value, 0.01, 30.0, parts=[part], groups=("g",))


def test_a_gap_of_two_identities_fails_nothing_and_says_so() -> None:
    """The gap is .5 and sure at face value, but one end of it are two identities."""
    sample, _ = draw(FAR, 0)
    gap = stats.difference(sample)
    assert gap.low > 0.1
    verdict = check(gap, Bound("gap", 0.1, 0.02))
    assert verdict.decision == "insufficient"
    assert "rests on g3" in verdict.way_out
    worst = check(stats.furthest_pair(sample), Bound("worst_pair", 0.1, 0.02))
    assert worst.decision == "insufficient"


def test_of_this_set_the_same_gap_fails() -> None:
    """Where the identities are all there are, or the prompts, they are evidence."""
    sample, _ = draw(FAR, 0)
    for scope in ("set", "prompts"):
        gap = stats.difference(sample.within(scope))
        assert check(gap, Bound("gap", 0.1, 0.02)).decision == "fail"


def test_a_gap_that_stands_without_them_fails() -> None:
    world = World(((20, 10),) * 3 + ((2, 10),), effects=(0.0, 0.0, -0.4, 0.0))
    gap = stats.difference(draw(world, 0)[0])
    assert gap.exploratory == ("g3",)
    assert check(gap, Bound("gap", 0.1, 0.02)).decision == "fail"


def test_a_gap_that_is_surely_small_passes_with_them() -> None:
    world = World(((20, 20),) * 3 + ((6, 60),), identity=0.005, template=0.0)
    gap = stats.difference(draw(world, 0)[0])
    assert gap.exploratory == ("g3",)
    assert check(gap, Bound("gap", 0.2, 0.02)).decision == "pass"


@pytest.mark.parametrize("clusters", [2, 20])
def test_a_loss_of_one_group_fails_only_where_it_has_clusters(clusters: int) -> None:
    decision = check(gain(-0.2, clusters=clusters), Bound("gain", 0.0)).decision
    assert decision == ("fail" if clusters == 20 else "insufficient")


def test_each_member_is_held_to_its_own_bound() -> None:
    """Exact: seven gains right at their own bounds do not lend their Holm factor to the
    eighth. Held to the eighth's bound, all would be violations and charge it nothing.
    """
    values = {f"g{i}": -0.1 * i for i in range(8)}
    family = {g: gain(v) for g, v in values.items()}
    bounds = {g: Bound("gain", v) for g, v in values.items()}
    bounds["g0"] = Bound("gain", 0.024)
    found = check_family(family, bounds)
    assert found["g0"].p_value < 0.05
    assert found["g0"].p_holm == pytest.approx(8 * found["g0"].p_value)
    assert {v.decision for v in found.values()} == {"insufficient"}
    assert [v.bound for v in found.values()] == [b.value for b in bounds.values()]
    shared = check_family(family, bounds["g0"])
    assert shared["g0"].decision == "fail"


def test_false_failures_of_a_run() -> None:
    """Against simulation: 20,000 runs of five families; within four standard errors."""
    levels = [0.05, 0.025, 0.025, 0.05, 0.01]
    chance = stats.false_failures(levels)
    p = np.random.default_rng(0).random((20_000, 5))
    assert (p < levels).any(axis=1).mean() == pytest.approx(
        chance.independent, abs=0.01
    )
    assert chance.at_most == pytest.approx(0.16)
    assert stats.false_failures([0.6, 0.7]).at_most == 1
    assert stats.false_failures([]).independent == 0
