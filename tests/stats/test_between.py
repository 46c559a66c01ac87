"""Gaps and ratios between groups, and how limits are read off a test."""

import numpy as np
import pytest
from scipy.special import ndtr

from bench.worlds import World, draw
from specfair import stats
from specfair.errors import UsageError
from specfair.stats.between import inverted
from specfair.stats.estimate import BELOW

SAMPLE, _ = draw(World(((30, 5),) * 3, effects=(0.0, -0.1, -0.25)), 0)
RATES = {name: e.value for name, e in stats.by_group(SAMPLE).items()}


def test_gap_and_ratio_are_of_the_same_two_groups() -> None:
    low, high = min(RATES.values()), max(RATES.values())
    gap, ratio = stats.difference(SAMPLE), stats.ratio(SAMPLE)
    assert gap.value == pytest.approx(high - low)
    assert ratio.value == pytest.approx(low / high)
    assert gap.groups == ratio.groups == ("g2", "g0")
    assert gap.low < gap.value < gap.high
    assert ratio.low < ratio.value < ratio.high < 1
    assert ratio.logs


def test_to_overall_is_the_group_furthest_from_everyone() -> None:
    apart = stats.difference(SAMPLE, method="to_overall")
    furthest = max(RATES, key=lambda name: abs(RATES[name] - SAMPLE.value))
    assert set(apart.groups) == {furthest, "overall"}
    assert apart.value == pytest.approx(abs(RATES[furthest] - SAMPLE.value))
    with pytest.raises(UsageError, match="Did you mean 'to_overall'"):
        stats.difference(SAMPLE, method="overall")  # type: ignore[arg-type]  # the slip


def test_a_ratio_needs_positive_values() -> None:
    nothing = np.where(SAMPLE.group == "g1", 0.0, SAMPLE.numerator)
    found = stats.ratio(SAMPLE.with_counts(nothing, SAMPLE.denominator))
    assert found.method == "invalid: a ratio needs positive values and g1 has 0"


def test_limits_are_where_the_test_turns() -> None:
    """P-values of a normal value of 3 with an error of 1: its limits are its curve."""
    grid = np.linspace(-4.0, 3.0, 400)
    assert inverted(ndtr(grid - 3.0), grid)[-25:] == pytest.approx(
        3.0 + BELOW[-25:], abs=0.01
    )
