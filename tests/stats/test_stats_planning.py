"""What is promised before a measurement is found in one."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from specfair import stats
from specfair.gates import Bound, check, check_family
from specfair.stats import assumed, planning
from specfair.stats.assumed import Assumed, Figures

BENCH = str(Path(__file__).parents[2] / "bench")
RUNS = 100
SEED = 7_000


@pytest.fixture(scope="module")
def bench() -> Iterator[tuple[Any, Any]]:
    """bench/designs.py and worlds.py, which are not part of the package."""
    sys.path.insert(0, BENCH)
    try:
        yield import_module("designs"), import_module("worlds")
    finally:
        sys.path.remove(BENCH)


@pytest.fixture(scope="module")
def pilot(bench: Any) -> Assumed:
    """A large measurement of the same world as is planned for."""
    _, worlds = bench
    before, after = worlds.draw(worlds.World(((60, 15),) * 8), SEED)
    usual = Assumed.of(Figures(0.7, 15, 0.03, 0.02, 0.05, 2))
    return assumed.learnt(before, [after], usual)


def test_a_pilot_tells_what_is_true(pilot: Assumed) -> None:
    """480 identities know a standard deviation to 4% where they alone vary; their
    prompts add as much again.
    """
    found = pilot.figures
    assert found.rate == pytest.approx(0.8, abs=0.01)
    assert found.identity == pytest.approx(0.03, rel=0.15)
    assert found.drift == pytest.approx(0.02, rel=0.4)
    assert 0.03 < found.template < 0.08


@pytest.mark.parametrize("kind", ["gap", "gain"])
@pytest.mark.parametrize("design", ["8 groups x 10 identities x 5", "HONEST, sd .03"])
def test_what_is_planned_is_found(
    bench: Any, pilot: Assumed, design: str, kind: str
) -> None:
    """8 in 10 of worlds whose first group lies, or has fallen, as far behind as
    planned. Of 100 a true 8 in 10 leaves 70 to 90 once in 100 seeds.
    """
    designs, worlds = bench
    world = designs.DESIGNS[design]
    plan = planning.planned(worlds.draw(world, SEED)[0], pilot)
    size = planning.smallest(plan, kind, 0)
    moved = (-size, *(0.0,) * (len(world.shape) - 1))
    name = {"gap": "effects", "gain": "changes"}[kind]
    world = replace(world, **{name: moved})
    n = 0
    for seed in range(SEED, SEED + RUNS):
        before, after = worlds.draw(world, seed)
        if kind == "gap":
            verdict = check(stats.difference(before), Bound("gap", 0))
        else:
            gains = stats.changes(before, after)
            verdict = check_family(gains, Bound("gain", 0))["g0"]
        n += verdict.decision == "fail"
    assert 70 <= n <= 90
