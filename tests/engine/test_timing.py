"""Measured times as a sample: ratios of sums by group, paired by round."""

import numpy as np
import pytest

from specfair.engine.timing import Times
from specfair.traces.groups import Groups

TIMES = Times(
    ("a", "b"),
    np.full((2, 2), 10),
    np.array([[2.0, 2.0], [4.0, 2.0]]),
    np.array([[1.0, 2.0], [2.0, 2.0]]),
)


def test_the_speedup_is_a_ratio_of_sums() -> None:
    groups = Groups(TIMES.sample, "speedup_measured")
    assert groups.by_group["a"].value == 2.0
    assert groups.by_group["b"].value == 1.0
    assert groups.ratio().value == pytest.approx(0.5)


def test_rounds_pair_the_groups() -> None:
    """A machine twice as slow in half of the rounds changes nothing in the ratio of
    groups timed side by side.
    """
    rng = np.random.default_rng(0)
    rounds = np.where(np.arange(12) % 2 == 0, 1.0, 2.0)[:, None]
    alone, assisted = (
        rounds * np.exp(0.01 * rng.standard_normal((12, 2))) for _ in range(2)
    )
    times = Times(
        ("a", "b"),
        np.ones((12, 2), dtype=np.int64),
        alone * [2.0, 2.0],
        assisted * [1.0, 1.25],
    )
    ratio = Groups(times.sample, "speedup_measured").ratio()
    assert ratio.value == pytest.approx(0.8, abs=0.02)
    assert ratio.high - ratio.low < 0.1
