"""Seconds that the slowest group waits longer, from times whose truth is known."""

import numpy as np
import pytest

from specfair.audit.audit import Audit
from specfair.audit.waiting import wait_rows
from specfair.engine.timing import Times
from specfair.vocabulary import BASE


def test_the_slowest_over_the_fastest_measured_and_predicted(
    measured: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Female takes 1 s a batch and queer 2 s, with a hundredth of noise; a batch is two
    texts of 20 tokens, timed twice.
    """
    rng = np.random.default_rng(3)
    groups, n = ("female", "male", "queer"), 10
    noise = 1 + 0.01 * rng.standard_normal((n, 3))
    times = Times(
        groups,
        np.full((n, 3), 40),
        np.full((n, 3), 4.0),
        noise * [1.0, 1.5, 2.0],
        n_texts=2,
    )
    monkeypatch.setattr(measured, "timed", {BASE: times})
    (row,) = wait_rows(measured)
    assert (row.slow, row.fast, row.quantity) == ("queer", "female", "seconds")
    # 100 tokens of a text are five batches' worth, each timed twice
    assert row.of_fast == pytest.approx(100 * 1.0 / 2 / 20, rel=0.02)
    assert row.value == pytest.approx(2.5, rel=0.05)
    assert row.low < 2.5 < row.high
    faster = measured.base.speedup_predicted.by_group
    alone = 100 * 4.0 / 2 / 20
    expected = alone / faster["queer"].value - alone / faster["female"].value
    assert row.predicted == pytest.approx(expected)
    assert "100 tokens take queer" in row.said
    assert "predicted" in row.said


def test_where_nothing_was_timed_there_is_nothing(
    measured: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "timed", {})  # other tests share the audit
    assert list(wait_rows(measured)) == []
