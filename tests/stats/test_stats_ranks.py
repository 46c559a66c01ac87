"""Rates worth ranking: shrinking against its definition, ranks against the truth."""

import numpy as np
import pytest

from bench.worlds import World, draw
from specfair import stats
from specfair.stats import ranks


def test_equal_errors_shrink_as_stein_has_it() -> None:
    """James and Stein's factor, exactly: 1 - (k - 3) / (sum of squares / variance)."""
    x, v = np.array([0.1, 0.3, 0.35, 0.5, 0.9]), np.full(5, 0.01)
    means, spreads = ranks.shrunken(x, v)
    kept = 1 - 2 / (((x - x.mean()) ** 2).sum() / 0.01)
    assert np.allclose(means, x.mean() + kept * (x - x.mean()), atol=1e-6)
    assert (spreads < v + 2 * 0.01).all()


def test_what_is_known_well_is_not_moved() -> None:
    x = np.array([0.1, 0.5, 0.6, 0.7])
    means, _ = ranks.shrunken(x, np.array([0.09, 1e-8, 1e-8, 1e-8]))
    assert np.allclose(means[1:], x[1:], atol=1e-4)
    assert means[0] > 0.12


def test_shrunken_rates_are_nearer_the_truth_and_ranks_hold() -> None:
    """40 draws of 12 groups whose rates truly differ by .02 and are measured to .024:
    the mean squared error falls by a quarter at least (a half by right: 5.7 errors of
    the mean off, so it fails by chance in fewer than 1 of 1,000 seeds), and 93% of the
    true ranks lie within their intervals, which by Bonferroni hold 95% and in fact
    nearly all.
    """
    rng = np.random.default_rng(0)
    raw = shrunk = inside = 0.0
    for seed in range(40):
        effects = tuple(rng.normal(0, 0.02, 12).tolist())
        world = World(((12, 5),) * 12, effects=effects, identity=0.05)
        sample, _ = draw(world, seed)
        truth = dict(zip(sample.groups, world.truth, strict=True))
        true_rank = {
            g: 1 + sum(h < r for h in truth.values()) for g, r in truth.items()
        }
        for one in stats.ranked(sample):
            raw += (one.value - truth[one.group]) ** 2
            shrunk += (one.shrunken - truth[one.group]) ** 2
            inside += one.rank_low <= true_rank[one.group] <= one.rank_high
            assert one.low < one.shrunken < one.high
    assert shrunk < 0.75 * raw
    assert inside / (40 * 12) >= 0.93


def test_clear_ranks_are_narrow_and_ordered() -> None:
    world = World(((60, 10),) * 4, effects=(-0.3, -0.2, -0.1, 0.0))
    found = stats.ranked(draw(world, 0)[0])
    assert [r.group for r in found] == ["g0", "g1", "g2", "g3"]
    assert [(r.rank_low, r.rank_high) for r in found] == [(i, i) for i in range(1, 5)]


def test_one_group_has_no_rank() -> None:
    assert stats.ranked(draw(World(((9, 5),)), 0)[0]) == []


def test_equal_values_have_nothing_between_them() -> None:
    assert ranks.between_variance(np.full(4, 0.5), np.full(4, 0.01)) == pytest.approx(0)


def test_who_is_compared_with_many_is_rarely_set_apart_by_chance() -> None:
    """Twelve groups that do not differ, 500 draws: fewer than one in twenty are said to
    be surely before or behind anybody, though each is compared with eleven.
    """
    rng, n, apart = np.random.default_rng(0), 12, 0
    v, df = np.full(n, 1e-4), np.full(n, 1e4)
    for _ in range(500):
        low, high = ranks.ranks(rng.normal(0.8, 0.01, n), v, df)
        apart += int(((low > 1) | (high < n)).sum())
    assert 0.01 < apart / (500 * n) < 0.05
