"""Measured times as a sample: ratios of sums by group, paired by round."""

import json
from dataclasses import fields, replace

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


def test_seconds_and_joules_for_100_tokens() -> None:
    """Two batches of five texts, ten tokens in all, timed twice: a text has two tokens,
    and all five wait for the batch; joules are shared among them.
    """
    times = replace(TIMES, n_texts=5, joules=np.full((2, 2), 4.0))
    found = Groups(times.seconds).by_group
    assert found["a"].value == pytest.approx(100 * 1.5 / 2 / 2)  # 1 s and 2 s, twice
    assert found["b"].value == pytest.approx(100 * 2.0 / 2 / 2)
    assert times.alone_seconds == pytest.approx(100 * 2.5 / 2 / 2)
    assert times.energy is not None
    assert Groups(times.energy).overall.value == pytest.approx(100 * 4 / 2 / 10)
    assert TIMES.energy is None
    plain = json.loads(json.dumps(vars_of(times)))
    again = Times.of(plain)
    assert again.n_texts == 5
    assert again.joules is not None
    assert again.joules.tolist() == [[4.0, 4.0], [4.0, 4.0]]


def vars_of(times: Times) -> dict:
    """As the store keeps them."""
    return {
        f.name: v.tolist() if isinstance(v := getattr(times, f.name), np.ndarray) else v
        for f in fields(times)
    }
