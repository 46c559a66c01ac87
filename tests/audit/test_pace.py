"""How long something will still take."""

import pytest

from specfair.audit.pace import Pace


def test_what_is_left_follows_from_what_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 40.0)
    assert Pace(began=0.0).left(1, 3) == "1:20 left"
    resumed = Pace(began=0.0)  # steps before the first that is seen took it no time
    assert resumed.left(101, 103) == "1:20 left"
    assert resumed.left(103, 103) == "0:00 left"
