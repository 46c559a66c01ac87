"""Counts, ratios of sums, and what an Estimate is: exact properties, no simulation."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.worlds import World, draw
from specfair import stats
from specfair.errors import DataError, UsageError
from specfair.stats import Estimate, Sample

WORLD = World(((12, 5), (9, 5), (9, 5)), effects=(0.0, -0.05, -0.1))


@pytest.fixture(scope="module")
def both() -> tuple[Sample, Sample]:
    return draw(WORLD, 1)


def made(*rows: tuple[float, float, str, str]) -> Sample:
    """A sample of (numerator, denominator, group, cluster), without templates."""
    n, d, group, cluster = (np.array(c) for c in zip(*rows, strict=True))
    return Sample(
        n.astype(float),
        d.astype(float),
        np.arange(len(rows)).astype(str),
        group,
        cluster,
        np.full(len(rows), ""),
    )


def test_divide_never_hides_what_is_not_finite() -> None:
    found = stats.divide(
        np.array([1.0, np.inf, np.nan, 1.0]), np.array([0.0, 1.0, 1.0, 4.0])
    )
    assert np.array_equal(found, [np.nan, np.nan, np.nan, 0.25], equal_nan=True)


def test_pooled_weighs_tokens_and_macro_weighs_prompts() -> None:
    sample = made((1, 1, "a", "x"), (0, 9, "a", "y"), (0, 0, "a", "z"))
    assert sample.value == pytest.approx(0.1)
    # the prompt where nothing was tested has no ratio
    assert sample.macro().value == pytest.approx(0.5)
    assert math.isnan(made((np.nan, 0, "a", "x"), (1, 1, "a", "y")).macro().value)


def test_a_sample_keeps_its_groups_in_order(both: tuple[Sample, Sample]) -> None:
    before, _ = both
    assert before.groups == ("g0", "g1", "g2")
    assert len(before.of("g1", "g2")) == 90
    assert math.isnan(before.of("nobody").value)


def every_estimate(before: Sample, after: Sample) -> dict[str, Estimate]:
    evidence = stats.gather(before)
    return {
        "estimate": stats.estimate(evidence),
        **stats.by_group(evidence),
        "gap": stats.difference(evidence),
        "to_overall": stats.difference(evidence, method="to_overall"),
        "ratio": stats.ratio(evidence),
        "ratio_to_overall": stats.ratio(evidence, method="to_overall"),
        "worst_pair": stats.furthest_pair(evidence),
        **{"-".join(e.groups): e for e in stats.pairwise(evidence)},
        "change": stats.change(before, after),
        "widening": stats.widening(before, after),
    }


def test_interval_and_p_value_are_one_object(both: tuple[Sample, Sample]) -> None:
    """p < 0.05 exactly when the 95% interval excludes the bound, wherever the
    bound is.
    """
    for name, e in every_estimate(*both).items():
        assert e.curve is not None
        assert (np.diff(e.curve) >= 0).all(), name
        assert e.low <= e.value <= e.high, name
        assert np.allclose(e.interval(0.95), [e.low, e.high]), name
        for bound in np.linspace(e.low - 0.05, e.high + 0.05, 21):
            assert (e.p_value(bound) < 0.05) == (not e.low <= bound <= e.high), (
                name,
                bound,
            )
        assert e.p_value(e.high + 10) < 1e-8


def test_estimates_do_not_depend_on_the_order_of_prompts(
    both: tuple[Sample, Sample],
) -> None:
    before, after = both
    shuffled = after[np.random.default_rng(0).permutation(len(after))]
    assert stats.change(before, shuffled) == stats.change(before, after)


def test_a_pair_of_groups_is_a_gap(both: tuple[Sample, Sample]) -> None:
    """With two groups gap, furthest pair and pairwise agree: nothing to correct for. A
    gap above nothing has looked both ways, which a pair has not.
    """
    two = both[0].of("g0", "g2")
    gap, worst, pair = (
        stats.difference(two),
        stats.furthest_pair(two),
        stats.pairwise(two)[0],
    )
    assert gap.groups == worst.groups == ("g2", "g0")
    assert pair.groups == ("g0", "g2")
    assert gap.value == worst.value == pytest.approx(pair.value)
    assert worst.p_value() == pytest.approx(pair.p_value(), rel=1e-6)
    assert gap.p_value() == pytest.approx(2 * pair.p_value(), rel=0.05)
    assert gap.high == pytest.approx(pair.high, abs=1e-6)
    assert gap.low <= pair.low + 1e-3


def test_more_groups_widen_the_interval_of_the_furthest_pair(
    both: tuple[Sample, Sample],
) -> None:
    alone = stats.furthest_pair(both[0].of("g0", "g2"))
    among = stats.furthest_pair(both[0])
    assert among.value == alone.value
    assert among.high - among.low > 1.1 * (alone.high - alone.low)


def test_the_furthest_pair_is_the_surest_not_the_noisiest() -> None:
    """A group of two identities is off by .12 with errors as large; one of forty by .1
    for sure. In these draws the former was measured as the lowest.
    """
    world = World(((40, 10),) * 3 + ((2, 1),), effects=(0, 0, -0.1, -0.12))
    for seed in (1, 2, 5, 7, 10):
        sample, _ = draw(world, seed)
        rates = {g: e.value for g, e in stats.by_group(sample).items()}
        assert min(rates, key=lambda g: rates[g]) == "g3"
        assert stats.furthest_pair(sample).groups[0] == "g2"


def test_gap_prints_what_chance_would_do(both: tuple[Sample, Sample]) -> None:
    gap = stats.difference(both[0])
    assert gap.null is not None
    assert gap.corrected is not None
    assert 0 < gap.null < gap.value
    assert 0 < gap.corrected < gap.value
    ratio = stats.ratio(both[0])
    assert ratio.null is not None
    assert ratio.value < ratio.null < 1


def test_pairing_by_template_removes_what_templates_do() -> None:
    """One identity a group, strong template effects: paired, intervals are narrower
    than of either group, and as wide as the pair's value scatters. 30 draws; a third
    either way is four standard errors.
    """
    world = World(((1, 15),) * 2, identity=0.0, template=0.15, tokens=60)
    pairs, widths, single = [], [], []
    for seed in range(30):
        sample, _ = draw(world, seed)
        pair = stats.pairwise(sample)[0]
        one = stats.by_group(sample)["g0"]
        pairs.append(pair.value)
        widths.append(pair.high - pair.low)
        single.append(one.high - one.low)
    assert np.mean(widths) < 0.95 * np.mean(single)
    assert np.mean(widths) == pytest.approx(4.1 * np.std(pairs), rel=0.33)
    assert pair.parts[0].paired
    assert "paired by template" in pair.method
    assert "one cluster in g0, g1, the unit of evidence is its templates" in pair.method


def test_shared_clusters_pair_groups() -> None:
    """Parallel problems: the same cluster in every group is the unit, compared within
    itself.
    """
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 0.15, 40)
    rows = [
        (rng.binomial(400, np.clip(0.7 + hard[c], 0, 1)), 400, g, f"problem {c}")
        for g in "ab"
        for c in range(40)
    ]
    sample = made(*rows)
    pair, single = stats.pairwise(sample)[0], stats.by_group(sample)["a"]
    assert {p.unit for p in pair.parts} == {"shared"}
    assert pair.high - pair.low < 0.7 * (single.high - single.low)
    assert stats.difference(sample).null is not None


def test_few_clusters_are_exploratory_in_words() -> None:
    sample, _ = draw(World(((12, 5), (3, 5))), 0)
    few = stats.by_group(sample)["g1"]
    assert few.exploratory == ("g1",)
    assert "exploratory: fewer than 8 effective clusters in g1 (3)" in few.method
    assert not stats.by_group(sample)["g0"].exploratory


def test_one_identity_borrows_the_scatter_of_others() -> None:
    """Fifteen prompts of one identity say little about a group: less than fifteen
    prompts of fifteen identities.
    """
    world = World(((20, 15), (1, 15)), identity=0.08)
    one = stats.by_group(draw(world, 0)[0])["g1"]
    alone = stats.estimate(draw(world, 0)[0].of("g1"))
    assert one.value == alone.value
    assert one.high - one.low > 1.5 * (alone.high - alone.low)


def test_one_cluster_without_templates_leaves_prompts() -> None:
    sample = made(*[(k, 10, "a", "only") for k in (5, 6, 7, 8, 9, 9, 8, 7)])
    e = stats.estimate(sample)
    assert e.valid
    assert e.parts[0].unit == "prompts"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_invalid_never_dropped(bad: float) -> None:
    sample = made(
        (1, 2, "a", "x"), (1, 2, "a", "y"), (bad, 2, "b", "x"), (1, 2, "b", "z")
    )
    by_group = stats.by_group(sample)
    assert by_group["a"].valid
    assert not by_group["b"].valid
    for e in (
        by_group["b"],
        stats.estimate(sample),
        stats.difference(sample),
        stats.ratio(sample),
        stats.furthest_pair(sample),
        stats.pairwise(sample)[0],
        stats.change(sample, sample),
        stats.widening(sample, sample),
    ):
        assert math.isnan(e.value)
        assert math.isnan(e.p_value())
        assert "not finite (NaN)" in e.method
        assert repr(str(sample.prompt[~np.isfinite(sample.numerator)][0])) in e.method
    assert not stats.changes(sample, sample)["b"].valid
    assert stats.detectable(sample) == {}


def test_zero_denominators_name_the_group() -> None:
    sample = made((1, 2, "a", "x"), (1, 2, "a", "y"), (0, 0, "b", "z"))
    gap = stats.difference(sample)
    assert not gap.valid
    assert "nothing was counted in b" in gap.method
    assert [p.n_prompts for p in gap.parts] == [2, 1]


def test_nothing_or_one_group_cannot_be_compared() -> None:
    sample = made((1, 2, "a", "x"), (2, 2, "a", "y"))
    assert "one group only" in stats.difference(sample).method
    assert "one group only" in stats.widening(sample, sample).method
    assert "no prompts" in stats.estimate(sample.of("nobody")).method


def test_a_ratio_needs_positive_values() -> None:
    sample = made(
        (0, 2, "a", "x"), (0, 2, "a", "y"), (1, 2, "b", "z"), (2, 2, "b", "w")
    )
    assert "a has 0" in stats.ratio(sample).method
    assert stats.difference(sample).value == pytest.approx(0.75)


def test_unknown_method_names_the_known() -> None:
    two = made((1, 2, "a", "x"), (1, 2, "b", "y"))
    with pytest.raises(UsageError, match="between_groups"):
        stats.difference(two, method="between_group")  # type: ignore[arg-type]


def test_where_nothing_differs_nothing_is_sure() -> None:
    """All identities equal by chance: no interval of width nothing, no p-value of
    almost nothing. As if one count of a group had come out otherwise.
    """
    sample = made(*[(10, 10, g, f"{g}{i}") for g in "abc" for i in range(9)])
    gap = stats.difference(sample)
    assert (gap.value, gap.low) == (0, 0)
    assert 1 / 90 < gap.high < 6 / 90
    assert stats.estimate(sample).p_value(0.995) > 0.05
    assert stats.ratio(sample).high == 1
    assert stats.widening(sample, sample).p_value(0) == 1


def test_no_change_at_all_is_exactly_none() -> None:
    """Not a chance event: before and after are the same, prompt by prompt."""
    sample = made(*[(i % 4, 10, g, f"{g}{i}") for g in "abc" for i in range(9)])
    for e in (
        stats.change(sample, sample),
        *stats.changes(sample, sample).values(),
        stats.spread(sample, sample),
    ):
        assert e.p_value(0) == 1
        assert e.high == pytest.approx(0, abs=1e-9)


def test_changes_are_of_the_same_prompts(both: tuple[Sample, Sample]) -> None:
    before, after = both
    gone = after[np.arange(len(after)) > 0]
    with pytest.raises(DataError, match="of which 149 are the same"):
        stats.change(before, gone)
    assert stats.change(before, before).high == pytest.approx(0, abs=1e-12)
    assert list(stats.changes(before, after)) == ["g0", "g1", "g2"]


def test_pairing_by_prompt_is_worth_it() -> None:
    """Prompts differ much more from each other than from themselves later."""
    before, after = draw(World(((15, 10),), identity=0.08, drift=0.0, tokens=200), 0)
    change, level = stats.change(before, after), stats.estimate(before)
    assert change.high - change.low < 0.5 * (level.high - level.low)


def test_holm_by_hand() -> None:
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm([0.9, 0.8]) == [1.0, 1.0]
    assert stats.holm([]) == []
    adjusted = stats.holm([0.01, math.nan, 0.02])
    # the missing one still counts as a member
    assert adjusted[0] == pytest.approx(0.03)
    assert math.isnan(adjusted[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_helps_and_keeps_order(p_values: list[float]) -> None:
    adjusted = stats.holm(p_values)
    assert all(
        p <= a <= min(1, len(p_values) * p) + 1e-12
        for p, a in zip(p_values, adjusted, strict=True)
    )
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()


def test_equivalence_claims_parity_only_inside_the_margin(
    both: tuple[Sample, Sample],
) -> None:
    pair = stats.pairwise(both[0])[0]
    low, high = pair.interval(0.90)
    wide, narrow = (
        stats.equivalence(pair, max(-low, high) + 0.01),
        stats.equivalence(pair, max(-low, high) - 0.01),
    )
    assert wide.equivalent
    assert wide.p_value < 0.05 < narrow.p_value
    assert not narrow.equivalent
    ratio = stats.ratio(both[0])
    assert stats.equivalence(ratio, (0.5, 2.0)).equivalent
    nothing = stats.equivalence(stats.ratio(both[0].of("g0")), (0.5, 2.0))
    assert not nothing.equivalent
    assert math.isnan(nothing.p_value)


def test_clusters_in_which_nothing_was_counted_leave_no_trace() -> None:
    """No zero by zero, no warning on the terminal, and limits for rare counts too."""
    rows = [
        (float(i % 7 == 0), float(i % 3 == 0), g, f"{g}{i // 4}")
        for g in "ab"
        for i in range(36)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gap = stats.difference(made(*rows))
        nothing = stats.difference(
            made(*((0.0, float(i == 0), g, f"{g}{i}") for g in "ab" for i in range(4)))
        )
    assert gap.valid
    assert gap.low <= gap.value <= gap.high
    assert (nothing.value, nothing.low) == (0.0, 0.0)
    assert nothing.high > 1  # one count in each group says nothing


def test_a_group_that_outweighs_all_others_is_paired_with_nobody() -> None:
    """What templates do to all alike was the group itself: no scatter was left, and no
    degrees of freedom.
    """
    rows = [
        (1.0 + i % 2, 1e19 if i == 0 and g == "a" else 4.0, g, "one", f"t{i}")
        for g in "ab"
        for i in range(6)
    ]
    numerator, denominator, group, cluster, template = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    names = np.array([f"p{i}" for i in range(len(rows))])
    gap = stats.difference(
        Sample(
            numerator, denominator, names, group, np.char.add(cluster, group), template
        )
    )
    assert gap.valid
