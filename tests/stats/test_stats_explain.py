"""Why groups differ, what can be found with the prompts at hand, and how many more
would decide.
"""

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import linregress

from bench.worlds import World, draw
from specfair import stats
from specfair.stats import Estimate, Part, Sample, Split
from specfair.stats.explain import cells_of, units_of
from specfair.stats.units import counted_by_group


def split_of(sample: Sample, stratum: np.ndarray, groups: tuple[str, str]) -> Split:
    """A difference taken apart where each row is a prompt within a stratum."""
    n, found, parts = int(stratum.max()) + 1, [], []
    for group in groups:
        mine = sample.group == group
        part = sample[mine]
        codes = units_of(part) * n + stratum[mine]
        sums = (cells_of(codes, n, x) for x in (part.numerator, part.denominator))
        found.append(np.stack([*sums], axis=1))
        parts += counted_by_group(part)
    return stats.kitagawa(found, parts, groups=groups)


def cells(
    shares: dict[str, tuple[float, float]], rates: dict[str, tuple[float, float]]
) -> tuple[Sample, np.ndarray]:
    """Ten clusters a group, 1,000 tokens each, in two strata."""
    rows = [
        (
            1000 * shares[g][s] * rates[g][s],
            1000 * shares[g][s],
            f"{g}{c}",
            g,
            f"{g}{c}",
            "",
            s,
        )
        for g in shares
        for c in range(10)
        for s in range(2)
    ]
    n, d, *labels, stratum = (np.array(c) for c in zip(*rows, strict=True))
    return Sample(n, d, *labels), stratum


def test_kitagawa_finds_harder_text() -> None:
    """The draft is as good in each stratum; one group has more hard tokens."""
    split = split_of(
        *cells({"a": (0.8, 0.2), "b": (0.4, 0.6)}, {"a": (0.9, 0.5), "b": (0.9, 0.5)}),
        groups=("a", "b"),
    )
    assert split.total.value == pytest.approx(0.16)
    assert split.harder_text.value == pytest.approx(0.16)
    assert split.worse_draft.value == pytest.approx(0.0, abs=1e-12)


def test_kitagawa_finds_a_worse_draft() -> None:
    split = split_of(
        *cells({"a": (0.5, 0.5), "b": (0.5, 0.5)}, {"a": (0.9, 0.5), "b": (0.7, 0.4)}),
        groups=("a", "b"),
    )
    assert split.worse_draft.value == pytest.approx(0.15)
    assert split.harder_text.value == pytest.approx(0.0, abs=1e-12)


def test_kitagawa_adds_up_where_a_stratum_is_empty() -> None:
    """A stratum that one group lacks says nothing about the draft there."""
    split = split_of(
        *cells({"a": (1.0, 0.0), "b": (0.5, 0.5)}, {"a": (0.9, 0.9), "b": (0.9, 0.5)}),
        groups=("a", "b"),
    )
    assert split.total.value == pytest.approx(0.2)
    assert split.harder_text.value == pytest.approx(0.2)


def test_kitagawa_has_intervals_and_refuses_nan() -> None:
    sample, _ = draw(World(((12, 6), (12, 6)), effects=(0.0, -0.15)), 0)
    stratum = (np.arange(len(sample)) % 6) // 3
    split = split_of(sample, stratum, ("g0", "g1"))
    assert split.total.low < 0.15 < split.total.high
    assert split.worse_draft.p_value() < 0.05 < split.harder_text.p_value()
    broken = replace(
        sample,
        numerator=np.where(np.arange(len(sample)) == 0, np.nan, sample.numerator),
    )
    assert not split_of(broken, stratum, ("g0", "g1")).total.valid


def test_kitagawa_of_single_identities_uses_templates() -> None:
    sample, _ = draw(World(((1, 12), (1, 12))), 0)
    split = split_of(sample, np.zeros(len(sample), dtype=np.int64), ("g0", "g1"))
    assert split.total.low < split.total.value < split.total.high


def test_a_single_identity_lends_its_scatter_from_the_other_group() -> None:
    """Its templates say nothing of how another identity would have fared. 100 draws:
    coverage of 95% within four standard errors; under 1 in 10,000 for a right interval.
    """
    world = World(((1, 12), (20, 12)), identity=0.06, template=0.02)
    inside = 0
    for seed in range(100):
        sample, _ = draw(world, seed)
        split = split_of(sample, np.zeros(len(sample), dtype=np.int64), ("g0", "g1"))
        inside += split.total.low <= 0 <= split.total.high
    assert inside >= 86


def gain(value: float, error: float = 0.0) -> Estimate:
    """A gain with its error, as a group of its own."""
    part = Part("", 50, 10, error**2)
    return Estimate(value, value - 2 * error, value + 2 * error, parts=(part,))


def test_frequency_sees_a_straight_line() -> None:
    mentions = {g: 10**i - 1 for i, g in enumerate("abcdefg")}
    line = {g: gain(0.02 * i) for i, g in enumerate("abcdefg")}
    trend = stats.frequency(line, mentions)
    assert trend.slope.value == pytest.approx(0.02)
    assert trend.rank_correlation == pytest.approx(1.0)
    assert trend.p_value < 0.01
    assert trend.slope.p_value() < 0.01


def test_frequency_of_gains_without_errors_is_least_squares() -> None:
    """Exact, against scipy."""
    y = [0.1, 0.12, 0.09, 0.2, 0.14]
    mentions = {g: 10**i - 1 for i, g in enumerate("abcde")}
    found = stats.frequency(
        {g: gain(v) for g, v in zip("abcde", y, strict=True)}, mentions
    ).slope
    right = linregress(range(5), y)
    assert found.value == pytest.approx(right.slope)
    assert found.p_value(0) == pytest.approx(right.pvalue, rel=0.02)


def test_frequency_weighs_groups_by_what_is_known_of_them() -> None:
    """Six groups known to .002 lie on a level; one known to .2 only is far off it."""
    mentions = {g: 10**i - 1 for i, g in enumerate("abcdefg")}
    wiggle = (1, -1, 1, -1, 1, -1)
    gains = {g: gain(0.002 * w, 0.002) for g, w in zip("abcdef", wiggle, strict=True)}
    found = stats.frequency(gains | {"g": gain(0.3, 0.2)}, mentions).slope
    assert abs(found.value) < 0.002
    alike = stats.frequency(gains | {"g": gain(0.3, 0.002)}, mentions).slope
    assert alike.value > 0.02


def test_frequency_takes_estimates_and_survives_ties() -> None:
    gains = stats.changes(*draw(World(((9, 5),) * 5), 0))
    trend = stats.frequency(gains, dict.fromkeys(gains, 3) | {"g0": 9})
    assert math.isfinite(trend.slope.value)
    flat = stats.frequency(
        {g: gain(0.1) for g in "abcd"}, {"a": 1, "b": 2, "c": 3, "d": 4}
    )
    assert (flat.rank_correlation, flat.p_value) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("gains", "mentions"),
    [
        ({"a": 0.1, "b": 0.2}, {"a": 1, "b": 2}),
        ({"a": 0.1, "b": 0.2, "c": math.nan}, {"a": 1, "b": 2, "c": 3}),
        ({"a": 0.1, "b": 0.2, "c": 0.3}, {"a": 5, "b": 5, "c": 5}),
    ],
)
def test_frequency_needs_something_to_compare(
    gains: dict[str, float], mentions: dict[str, int]
) -> None:
    trend = stats.frequency({g: gain(v) for g, v in gains.items()}, mentions)
    assert not trend.slope.valid
    assert math.isnan(trend.p_value)


def test_detectable_names_every_pair_and_shrinks_with_evidence() -> None:
    few, many = (stats.detectable(draw(World(((n, 5),) * 3), 0)[0]) for n in (10, 40))
    assert set(few) == {("g0", "g1"), ("g0", "g2"), ("g1", "g2")}
    assert all(many[pair] < few[pair] for pair in few)
    assert all(
        stats.detectable(draw(World(((10, 5),) * 3), 0)[0], power=0.5)[pair] < few[pair]
        for pair in few
    )


def test_prompts_needed_asks_those_who_have_least() -> None:
    sample, _ = draw(World(((40, 5), (8, 5)), effects=(0.0, -0.03)), 0)
    pair = replace(stats.furthest_pair(sample), value=0.03)
    needed = stats.prompts_needed(pair, 0.0)
    assert needed["g1"].n_clusters > 8
    assert needed["g1"].n_prompts == pytest.approx(5 * needed["g1"].n_clusters, abs=5)
    assert "g0" not in needed or needed["g0"].n_clusters < needed["g1"].n_clusters


def test_prompts_needed_of_ratios_pooled_values_and_lost_causes() -> None:
    sample, _ = draw(World(((10, 5),) * 3, effects=(0.0, -0.02, -0.04)), 0)
    assert stats.prompts_needed(stats.ratio(sample), 0.99)
    pooled = stats.prompts_needed(
        stats.estimate(sample), stats.estimate(sample).value + 0.005
    )
    assert len({n.n_clusters for n in pooled.values()}) == 1
    exact = stats.estimate(sample)
    assert stats.prompts_needed(exact, exact.value) == {}
    assert stats.prompts_needed(exact, 0.1) == {}  # decided already
    assert stats.prompts_needed(stats.ratio(sample.of("g0")), 0.8) == {}


def test_five_datasets_of_ten_groups_of_1500_prompts_take_less_than_a_second() -> None:
    """Every gate's estimate of every dataset; processor time, so that a busy machine
    does not matter.
    """
    before, after = draw(World(((50, 30),) * 10), 0)
    started = time.process_time()
    for _ in range(5):
        evidence = stats.gather(before)
        stats.difference(evidence), stats.ratio(evidence), stats.by_group(evidence)
        stats.furthest_pair(evidence), stats.changes(before, after)
        stats.widening(before, after), stats.spread(before, after)
    assert time.process_time() - started < 1
