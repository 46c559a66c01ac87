"""The studies of bench/calibrate.py with few runs: errors that would double a
false-alarm rate are caught here.

Every study is seeded, so a test that passes goes on passing; the odds in the docstrings
are those of a correct statistic failing under a new seed.
"""

import importlib
import sys
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


SOME = {
    "8 groups x 10 identities x 5": 12,
    "4 groups, 100 articles of 1 to 60": 12,
    "2 groups of 3 x 2 beside 6 x 12 x 15": 12,
    "rate .97": 12,
    "MGSM, 11 x 250 in parallel": 12,
}


def study(calibrate: Any, title: str, design: str) -> Any:
    """The study of this title and design."""
    found = [s for s in calibrate.studies() if (s.title, s.design) == (title, design)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("design", SOME)
def test_gates_seldom_cry_wolf_and_intervals_cover(calibrate: Any, design: str) -> None:
    """At most 5% by right, where coverage is a mean over many intervals a draw. Own
    false-alarm odds: under 1 in 10,000 for each of eight rates.
    """
    runs = SOME[design]
    asked = study(calibrate, "nothing differs", design)
    for name, rate in calibrate.run(asked, runs).items():
        if name.startswith("false alarm"):
            assert not too_many(rate, runs), name
        if name.startswith("coverage"):
            assert rate > 0.80, name


@pytest.mark.parametrize("design", ["HONEST, sd .03", "4 x 4 x 15, sd .01 .01 .08 .08"])
def test_exploratory_groups_never_fail_alone(calibrate: Any, design: str) -> None:
    """A gain of a group with few clusters, however large: exact, no odds, where all are
    such groups; else the odds are those of the others, under 1 in 10,000.
    """
    runs = 12
    rates = calibrate.run(study(calibrate, "nothing differs", design), runs)
    assert not too_many(rates["false alarm of gap"], runs)
    if design.startswith("4 x 4"):
        alarms = [r for name, r in rates.items() if name.startswith("false alarm of g")]
        assert alarms[:2] == [0.0, 0.0]


def test_changes_are_seldom_made_up(calibrate: Any) -> None:
    """Own false-alarm odds: under 1 in 10,000 for each rate."""
    runs, design = 12, "8 groups x 10 identities x 5"
    for title in ("nothing widens", "measured again"):
        rates = calibrate.run(study(calibrate, title, design), runs)
        alarms = {name: r for name, r in rates.items() if name.startswith("false")}
        assert alarms
        assert not {name for name, rate in alarms.items() if too_many(rate, runs)}


def test_at_the_bound_neither_failure_nor_parity_is_claimed(calibrate: Any) -> None:
    """Own false-alarm odds: under 1 in 10,000 for each of five rates."""
    runs = 40
    rates = calibrate.run(study(calibrate, "gap of .10", "2 x 15"), runs)
    assert len(rates) == 5
    assert not {name for name, rate in rates.items() if too_many(rate, runs)}


def test_power_is_as_promised(calibrate: Any) -> None:
    """80% where the power function says so. Own false-alarm odds: under 1 in 10,000."""
    runs = 30
    for design in ("4 x 15 x 15", "2 x 15, true gap .05"):
        rates = calibrate.run(study(calibrate, "promised", design), runs)
        for name, rate in rates.items():
            assert not too_many(1 - rate, runs, allowed=0.2), name


def test_a_widening_shows_in_the_spread(calibrate: Any) -> None:
    """Found in about nine of ten, at least half of 20 draws: odds under 1 in 10,000."""
    asked = study(calibrate, "widens by .10", "half and half, .10 apart, move apart")
    assert calibrate.run(asked, 20)["power of spread"] >= 0.5


def test_a_liberal_test_is_caught() -> None:
    """The check has teeth: a test that is wrong four times as often as it may does not
    pass. Exact, no odds.
    """
    assert too_many(0.20, 60)
    assert not too_many(0.05, 60)


def test_the_tables_say_what_misses(calibrate: Any) -> None:
    asked = study(calibrate, "promised", "4 x 15 x 15")
    name = "power at the detectable gap"
    found = calibrate.rows(asked, {name: 0.5}, 100)
    assert [r["met"] for r in found] == [False]
    assert "**0.500**" in calibrate.tables(found)
    found = calibrate.rows(asked, {name: 0.85}, 100)
    assert [r["met"] for r in found] == [True]
    assert "**" not in calibrate.tables(found)


def test_every_study_runs(calibrate: Any) -> None:
    """One draw of each small one: the full program has no study that breaks after an
    hour, and none stands in it twice.
    """
    asked = calibrate.studies()
    assert len({(s.title, s.design) for s in asked}) == len(asked)
    for one in asked:
        if "BOLD political" not in one.design and "Holistic" not in one.design:
            rates = calibrate.run(one, 1)
            assert all(one.aim(name) for name in rates), one.design
