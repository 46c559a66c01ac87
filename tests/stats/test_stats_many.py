"""Many groups and many prompts: the same answers, at a cost that stays small."""

import time
import tracemalloc

import pytest

from bench.worlds import World, draw
from specfair import stats
from specfair.stats.widening import FEW


def test_two_hundred_groups_take_a_second_and_little_memory() -> None:
    """19,900 pairs, and as many pairs of pairs as nobody could look at."""
    before, after = draw(World(((10, 1),) * 200), 0)
    tracemalloc.start()
    started = time.process_time()
    evidence = stats.gather(before)
    gap = stats.difference(evidence)
    found = [
        gap,
        stats.ratio(evidence),
        stats.furthest_pair(evidence),
        stats.widening(before, after),
        stats.spread(before, after),
        *stats.by_group(evidence).values(),
    ]
    assert time.process_time() - started < 3
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6
    assert all(e.valid for e in found)
    # no single group's noise makes a gap of them
    assert gap.low < 0.05 < gap.value


def test_pairs_of_the_ends_are_corrected_for_all() -> None:
    effects = (-0.25, *(0.0,) * 38, 0.1)
    sample, _ = draw(World(((30, 2),) * 40, effects=effects), 1)
    found = stats.furthest(sample, 3)
    assert len(found) == 15
    by_pair = {frozenset(c.pair.groups): c for c in found}
    truly = by_pair[frozenset(("g0", "g39"))]
    assert truly.p_value < 1e-4
    assert len({g for c in found for g in c.pair.groups}) == 6
    alone = {e.groups: e for e in stats.pairwise(sample)}
    for c in found:
        assert c.pair == alone[c.pair.groups]
        assert c.p_value == pytest.approx(min(1, 780 * c.pair.p_value()))
    assert stats.furthest(sample.of("g0"), 3) == []


def test_widening_of_many_groups_is_found_and_not_made_up() -> None:
    n = FEW + 14
    same, _ = draw(World(((40, 2),) * n), 0)
    assert stats.widening(same, same).low <= 0 <= stats.widening(same, same).high
    far = stats.widening(
        *draw(World(((40, 2),) * n, changes=(-0.5, *(0.0,) * (n - 1))), 0)
    )
    assert far.low > 0.1
    assert far.groups[0] == "g0"


def test_many_clusters_are_fast_and_the_same() -> None:
    """1,500 prompts in each of 10 groups, every prompt a cluster of its own."""
    sample, _ = draw(World(((1500, 1),) * 10, identity=0.05, tokens=4), 0)
    gap = stats.difference(sample)
    assert gap.low <= 0.03
    assert gap.n_clusters == 15_000


def test_methods_name_few_of_many_groups() -> None:
    gap = stats.difference(draw(World(((3, 4),) * 30), 0)[0])
    assert "g11 (3) and 18 more" in gap.method
    assert "g12" not in gap.method
