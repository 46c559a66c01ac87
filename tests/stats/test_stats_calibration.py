"""The studies of bench/calibrate.py with few runs: errors that would double a
false-alarm rate are caught here.

Every study is seeded, so a test that passes goes on passing; the odds in the docstrings
are those of a correct statistic failing under a new seed.
"""

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom

ROOT = Path(__file__).parents[2]
ODDS = 1e-4  # of one rate of a correct statistic failing, at most


@pytest.fixture(scope="module")
def calibrate() -> Any:
    """bench/calibrate.py, which is a program and not part of the package."""
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        return importlib.import_module("calibrate")
    finally:
        sys.path.remove(str(ROOT / "bench"))


def too_many(rate: float, runs: int, allowed: float = 0.05) -> bool:
    return bool(binom.sf(round(rate * runs) - 1, runs, allowed) < ODDS)


@pytest.mark.parametrize(
    ("world", "runs"), [("WIDE", 15), ("FEW", 15), ("SMALL", 60), ("SINGLE", 60)]
)
def test_gates_seldom_cry_wolf(calibrate: Any, world: str, runs: int) -> None:
    """At most 5% by right. Own false-alarm odds: under 1 in 10,000 for each of five
    rates.
    """
    rates = calibrate.run(
        calibrate.Study(
            "", "", getattr(calibrate, world), calibrate.false_alarms, calibrate.ALARM
        ),
        runs,
    )
    assert not {name: rate for name, rate in rates.items() if too_many(rate, runs)}


@pytest.mark.parametrize("ask", ["regressions", "widenings"])
def test_changes_are_seldom_made_up(calibrate: Any, ask: str) -> None:
    """Own false-alarm odds: under 1 in 10,000."""
    runs = 60
    rates = calibrate.run(
        calibrate.Study(
            "", "", calibrate.SMALL, getattr(calibrate, ask), calibrate.ALARM
        ),
        runs,
    )
    assert not {name: rate for name, rate in rates.items() if too_many(rate, runs)}


@pytest.mark.parametrize(("world", "runs"), [("WIDE", 15), ("SMALL", 60)])
def test_at_the_bound_neither_failure_nor_parity_is_claimed(
    calibrate: Any, world: str, runs: int
) -> None:
    """Own false-alarm odds: under 1 in 10,000 for each of four rates."""
    apart = calibrate.apart(getattr(calibrate, world), calibrate.MARGIN)
    rates = calibrate.run(
        calibrate.Study("", "", apart, calibrate.at_the_bound, calibrate.ALARM), runs
    )
    assert not {name: rate for name, rate in rates.items() if too_many(rate, runs)}


@pytest.mark.parametrize(("world", "runs"), [("SMALL", 50), ("SKEWED", 25)])
def test_intervals_cover(calibrate: Any, world: str, runs: int) -> None:
    """Coverage of 95%, counted over several intervals a run. Own false-alarm odds:
    under 1 in 10,000 for each rate.
    """
    rates = calibrate.run(
        calibrate.Study(
            "", "", getattr(calibrate, world), calibrate.coverage, calibrate.COVER
        ),
        runs,
    )
    assert not {name: rate for name, rate in rates.items() if too_many(1 - rate, runs)}


def test_power_is_as_promised(calibrate: Any) -> None:
    """80% where the power function says so. Own false-alarm odds: under 1 in 10,000."""
    runs = 40
    rates = calibrate.run(
        calibrate.Study("", "", calibrate.FIFTEEN, calibrate.power, calibrate.POWER),
        runs,
    )
    rates |= calibrate.run(
        calibrate.Study(
            "",
            "",
            calibrate.apart(calibrate.SMALL, 0.05),
            calibrate.decided,
            calibrate.POWER,
        ),
        runs,
    )
    assert not {
        name: rate
        for name, rate in rates.items()
        if too_many(1 - rate, runs, allowed=0.2)
    }


def test_a_liberal_test_is_caught() -> None:
    """The check has teeth: a test that is wrong four times as often as it may does not
    pass. Exact, no odds.
    """
    assert too_many(0.20, 60)
    assert not too_many(0.05, 60)


def test_the_table_says_what_misses(calibrate: Any) -> None:
    study = calibrate.Study(
        "power", "tiny", calibrate.SMALL, calibrate.power, calibrate.POWER
    )
    found = calibrate.rows(study, {"gap": 0.5}, 100) + calibrate.rows(
        study, {"gap": 0.85}, 100
    )
    assert [r["met"] for r in found] == [False, True]
    assert calibrate.table(found).count("**misses**") == 1


def test_every_study_runs(calibrate: Any) -> None:
    """One draw of each, on the smallest of its worlds: the full program has no study
    that breaks after an hour.
    """
    for study in calibrate.studies():
        small = replace(
            study.world, shape=study.world.shape[:3], effects=study.world.effects[:3]
        )
        assert calibrate.run(replace(study, world=small), 1), study
