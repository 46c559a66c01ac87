"""How groups come apart as a whole; the widest gap is tested with the inequalities."""

import numpy as np
import pytest

from bench.worlds import World, draw
from specfair import stats

AS_MANY = ((40, 5),) * 4


def test_groups_that_do_not_move_come_no_further_apart() -> None:
    before, _ = draw(World(AS_MANY), 0)
    found = stats.spread(before, before)
    assert found.value == 0.0
    assert found.low <= 0.0 <= found.high


def test_spread_is_variance_less_noise() -> None:
    """Groups that fall apart for certain: their rates' variance, but for the noise."""
    world = World(AS_MANY, changes=(-0.3, -0.1, 0.0, 0.2))
    before, after = draw(world, 1)
    rates = [[e.value for e in stats.by_group(s).values()] for s in (before, after)]
    grown = np.var(rates[1], ddof=1) - np.var(rates[0], ddof=1)
    found = stats.spread(before, after)
    assert found.value == pytest.approx(grown, abs=0.003)
    assert 0 < found.low < found.value < found.high
    assert stats.spread(after, before).high < 0
