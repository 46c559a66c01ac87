"""Many groups and many units: the same answers as the plain way, at a cost that does
not grow with the square.
"""

import tracemalloc

import numpy as np
import pytest

from bench.worlds import World, draw
from specfair import stats
from specfair.stats import Lots, Sample, between, contrasts, explain, groups, permute
from specfair.stats.pairs import FEW, Pairs
from specfair.stats.widening import _limits, wider_limits

MIXED = World(((3, 3), (40, 2), (1, 8), (80, 1), (10, 2)) * 4)


def with_still_groups(seed: int = 0) -> Sample:
    """Twenty groups, of which some have no error at all and some have one odd cluster
    in ten.
    """
    rows = [
        (
            9.0
            if (g % 4 == 0 or (g % 4 == 1 and c))
            else float(np.random.default_rng(seed + 31 * g + c).integers(4, 10)),
            c,
            g,
        )
        for g in range(20)
        for c in range(10)
    ]
    n, cluster, group = (np.array(x) for x in zip(*rows, strict=True))
    names = np.char.add("g", group.astype(str))
    ids = np.array([f"{g}-{c}" for g, c in zip(group, cluster, strict=True)])
    return Sample(n, np.full(len(n), 10.0), ids, names, ids, np.full(len(n), ""))


@pytest.mark.parametrize("logs", [False, True])
@pytest.mark.parametrize(
    "sample", [draw(MIXED, 3)[0], with_still_groups()], ids=["mixed", "still"]
)
def test_the_largest_is_the_largest_of_all_pairs(sample: Sample, logs: bool) -> None:
    """Exact: every replicate's largest |t|, every limit and every pair's draws, against
    all pairs in all replicates.
    """
    family = between.family_of(sample, logs=logs)
    assert isinstance(family, between.Family)
    found = family.contrasts
    assert isinstance(found, Pairs)
    values = family.errors.values[:, 0]
    matrix = between._between(len(values))
    slopes = matrix / values if logs else matrix
    plain = contrasts.contrasts(
        slopes[..., None], matrix @ (np.log(values) if logs else values), family.errors
    )
    assert np.allclose(found.largest(), plain.largest(), rtol=1e-9)
    some = np.arange(0, len(plain.values), 7)
    assert np.allclose(found.only(some).draws, plain.only(some).draws)
    deviates = np.quantile(plain.largest(), contrasts.LEVELS)
    reach = plain.errors * contrasts.t_of(deviates[:, None], plain.df)
    low, high = contrasts.extremes(
        np.abs(plain.values), plain.errors, plain.df, deviates
    )
    assert np.allclose(low, (np.abs(plain.values) - reach).max(axis=1))
    assert np.allclose(high, (np.abs(plain.values) + reach).max(axis=1))


def test_the_gap_of_many_groups_takes_little_memory() -> None:
    """100 groups have 4,950 pairs: 10,000 replicates of each would be 400 MB an
    array.
    """
    evidence = stats.gather(draw(World(((10, 1),) * 100), 0)[0])
    tracemalloc.start()
    gap = stats.difference(evidence)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert gap.valid
    assert peak < 150e6


def test_pairs_of_the_ends_are_corrected_for_all() -> None:
    effects = (-0.25, *(0.0,) * 38, 0.1)
    sample, _ = draw(World(((30, 2),) * 40, effects=effects), 1)
    found = stats.furthest(sample, 3)
    assert len(found) == 15
    by_pair = {frozenset(c.pair.groups): c for c in found}
    truly = by_pair[frozenset(("g0", "g39"))]
    assert truly.p_value == pytest.approx(1e-4)
    assert len({g for c in found for g in c.pair.groups}) == 6
    alone = {e.groups: e for e in stats.pairwise(sample)}
    for c in found:
        assert c.pair == alone[c.pair.groups]
        # the correction takes away, but for the noise of 10,000 draws
        assert c.p_value >= c.pair.p_value() - 5e-3
    assert stats.furthest(sample.of("g0"), 3) == []


def test_lots_are_the_same_again() -> None:
    lots, rng = Lots(7), np.random.default_rng(7)
    first = lots.counts(5), lots.normals(2), lots.chisquares(3.0)
    plain = rng.integers(0, 5, size=(10_000, 5))
    assert np.array_equal(
        first[0], np.stack([(plain == i).sum(axis=1) for i in range(5)], axis=1)
    )
    assert np.array_equal(first[1], rng.standard_normal((10_000, 2)))
    lots.again()
    assert all(
        np.array_equal(a, b)
        for a, b in zip(
            first, (lots.counts(5), lots.normals(2), lots.chisquares(3.0)), strict=True
        )
    )


def test_another_question_gets_what_the_seed_alone_would_give() -> None:
    lots, fresh = Lots(7), Lots(7)
    lots.counts(5), lots.normals(2), lots.counts(9)
    lots.again().counts(5)
    fresh.counts(5)
    assert np.array_equal(lots.chisquares(4.0), fresh.chisquares(4.0))
    assert np.array_equal(lots.counts(6), fresh.counts(6))


def test_metrics_of_the_same_prompts_share_lots_and_numbers() -> None:
    """Drawn once, and the same to the last bit as if drawn for each."""
    one, other = draw(World(((9, 3), (20, 2), (1, 12), (70, 1))), 5)
    lots = Lots()
    shared = [stats.gather(s, lots=lots) for s in (one, other)]
    for evidence, sample in zip(shared, (one, other), strict=True):
        assert stats.difference(evidence) == stats.difference(sample)


def test_bags_of_units_scatter_like_the_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """3,000 units in 1,000 bags: the interval's width within a tenth of the one that
    draws every unit.
    """
    sample, _ = draw(World(((3000, 1), (3000, 1)), identity=0.1, tokens=8), 0)
    stratum = np.arange(len(sample)) % 3
    bagged = stats.kitagawa(sample, stratum, groups=("g0", "g1"))
    monkeypatch.setattr(explain, "BAGS", 10_000)
    plain = stats.kitagawa(sample, stratum, groups=("g0", "g1"))
    for name in ("total", "worse_draft"):
        a, b = getattr(bagged, name), getattr(plain, name)
        assert a.value == b.value
        assert a.high - a.low == pytest.approx(b.high - b.low, rel=0.1)


def test_thousands_of_units_take_little_memory() -> None:
    """20,000 prompts without identity in each of two groups: drawing each 10,000 times
    would be 3 GB.
    """
    n = 20_000
    rng = np.random.default_rng(0)
    group, ids = np.repeat(["a", "b"], n), np.arange(2 * n).astype(str)
    sample = Sample(
        rng.binomial(10, 0.7, 2 * n).astype(np.float64),
        np.full(2 * n, 10.0),
        ids,
        group,
        ids,
        np.full(2 * n, ""),
    )
    tracemalloc.start()
    stats.kitagawa(sample, np.arange(2 * n) % 4, groups=("a", "b"))
    stats.permuted_gaps(sample)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300e6


@pytest.mark.parametrize("logs", [False, True])
def test_shuffled_gaps_of_many_clusters_are_normal(
    logs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against shuffling itself: 1,000 of each, the 95% quantiles within a tenth (three
    standard errors).
    """
    sample, _ = draw(World(((1000, 1), (600, 1), (2000, 1))), 0)
    quick = np.quantile(stats.permuted_gaps(sample, logs=logs), 0.95)
    monkeypatch.setattr(permute, "_CELLS", 10**9)
    assert quick == pytest.approx(
        np.quantile(stats.permuted_gaps(sample, logs=logs), 0.95), rel=0.1
    )


def test_widening_of_many_groups_is_never_bolder() -> None:
    """Where both ways can be gone, the cheap one's 95% interval holds the other's, but
    for the noise of its draws.
    """
    for seed in range(3):
        before, after = draw(World(((10, 5),) * 8, changes=(-0.1, *(0.0,) * 7)), seed)
        errors = groups.gather(before, groups.columns_of(before, after)).between
        assert errors is not None
        exact, cheap = (
            np.quantile(limits(errors)[0], [0.025, 0.975])
            for limits in (_limits, wider_limits)
        )
        assert cheap[0] <= exact[0] + 0.01
        assert cheap[1] >= exact[1] - 0.01


def test_widening_of_many_groups_is_found_and_not_made_up() -> None:
    n = FEW + 14
    same, _ = draw(World(((40, 2),) * n), 0)
    assert stats.widening(same, same).low <= 0 <= stats.widening(same, same).high
    far = stats.widening(
        *draw(World(((40, 2),) * n, changes=(-0.5, *(0.0,) * (n - 1))), 0)
    )
    assert far.low > 0.1
    assert far.groups[0] == "g0"


def test_methods_name_few_of_many_groups() -> None:
    gap = stats.difference(draw(World(((3, 4),) * 30), 0)[0])
    assert "g11 (3) and 18 more" in gap.method
    assert "g12" not in gap.method
