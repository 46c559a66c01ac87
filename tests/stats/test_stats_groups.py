"""What a group's error is made of: leave-one-out scatter, what others lend, and what
the question is about.
"""

import numpy as np
import pytest
from scipy.stats import t as student_t
from scipy.stats import ttest_1samp, ttest_ind

from bench.worlds import World, draw
from specfair import stats
from specfair.errors import UsageError
from specfair.stats import Sample, lending, units
from specfair.stats.estimate import SCOPES, t_at


def made(*rows: tuple[float, float, str, str]) -> Sample:
    """A sample of (numerator, denominator, group, cluster), without templates."""
    n, d, group, cluster = (np.array(c) for c in zip(*rows, strict=True))
    ids = np.arange(len(rows)).astype(str)
    return Sample(
        n.astype(float), d.astype(float), ids, group, cluster, np.full(len(rows), "")
    )


def test_equal_clusters_are_a_t_test() -> None:
    """One group, one prompt a cluster, equal counts, rates symmetric about their mean:
    Student's t-test of the clusters' rates. Exact, against scipy.
    """
    rates = np.array([20, 24, 26, 29, 30, 31, 34, 36, 40])
    e = stats.estimate(made(*[(n, 50, "a", f"a{i}") for i, n in enumerate(rates)]))
    right = ttest_1samp(rates / 50, 0.5)
    assert e.p_value(0.5) == pytest.approx(right.pvalue, rel=0.02)
    assert (e.low, e.high) == pytest.approx(tuple(right.confidence_interval()))


def test_two_groups_of_many_clusters_are_welchs_t_test() -> None:
    """But for the little that they lend each other: 3% of the interval."""
    rng = np.random.default_rng(0)
    found = {"a": rng.binomial(50, 0.7, 200), "b": rng.binomial(50, 0.75, 300)}
    rows = [(n, 50, g, f"{g}{i}") for g, x in found.items() for i, n in enumerate(x)]
    pair = stats.pairwise(made(*rows))[0]
    right = ttest_ind(found["a"] / 50, found["b"] / 50, equal_var=False)
    low, high = right.confidence_interval()
    assert (pair.low, pair.high) == pytest.approx((low, high), abs=0.03 * (high - low))


def test_leaving_one_out_is_what_it_says() -> None:
    """The scores are the ratios without each cluster, computed by hand."""
    rows = [(n, d, "a", c) for n, d, c in ((9, 20, "x"), (2, 5, "y"), (30, 40, "z"))]
    sample = made(*rows)
    own = units.own_errors(units.layout_of(sample), units.counts_of(sample))
    whole = 41 / 65
    left = np.array([whole - (41 - n) / (65 - d) for n, d, *_ in rows])
    assert np.allclose(own.scores[:, 0], left)
    assert own.covariance[0, 0, 0] == pytest.approx(2 / 3 * (left**2).sum())
    assert own.effective[0] == pytest.approx(65**2 / (20**2 + 5**2 + 40**2))


def test_a_giant_among_dwarfs_is_exploratory() -> None:
    """Kish: eight clusters of which one has almost all are worth two."""
    sample, _ = draw(World(("80 3*7", "10*12")), 0)
    giant = stats.by_group(sample)["g0"]
    assert giant.parts[0].n_clusters == 8
    assert 1 < giant.parts[0].effective < 2
    assert giant.exploratory == ("g0",)


def test_components_of_variance_are_found() -> None:
    """Unequal clusters, 400 identities: between them .05, within the beta-binomial of
    the world. Within 20% (about four standard errors).
    """
    world = World(("30*20 5*40 2*40",) * 4, identity=0.05, template=0.0)
    sample, _ = draw(world, 0)
    found = lending.components_of(units.layout_of(sample), units.counts_of(sample))
    assert found.between[0, 0] == pytest.approx(0.05**2, rel=0.2)
    tokens, rate = 15.0, 0.8 * 0.2
    per_token = rate * (1 + (tokens - 1) / 11)
    assert found.within[0, 0] == pytest.approx(per_token, rel=0.1)


def test_a_group_of_few_small_clusters_borrows_at_its_own_sizes() -> None:
    """Whole clusters' scatter of the others would make it four times too sure."""
    found = stats.by_group(draw(World(("2*3",) + ("15*12",) * 6), 1)[0])
    widths = [e.high - e.low for e in found.values()]
    assert 3 < widths[0] / np.mean(widths[1:]) < 10


@pytest.mark.parametrize(
    ("spreads", "low", "high"), [((1.0,) * 12, 7.9, 8.0), ((0.2, 5.0) * 6, 0.9, 2.0)]
)
def test_lent_degrees_of_freedom_follow_how_groups_differ(
    spreads: tuple[float, ...], low: float, high: float
) -> None:
    rng = np.random.default_rng(0)
    df = np.full(12, 30.0)
    variance = np.array(spreads) * rng.chisquare(30, 12) / 30
    blocks = variance[:, None, None]
    own = units.Own(blocks, df, df + 1, np.zeros((12, 1)), blocks[:, 0], df)
    found = lending.prior_df(own, np.ones((12, 1, 1)), np.ones(12, dtype=bool))
    assert low <= found <= high


def test_shared_problems_are_left_out_of_all_groups_at_once() -> None:
    """A pair's error is that of the problems' differences: a paired t-test, exactly."""
    rng = np.random.default_rng(1)
    hard = rng.normal(0, 0.15, 40)
    found = {g: rng.binomial(100, np.clip(0.7 + hard, 0, 1)) for g in "abc"}
    rows = [(n, 100, g, f"problem {c}") for g in "abc" for c, n in enumerate(found[g])]
    pair = stats.pairwise(made(*rows))[0]
    apart = (found["a"] - found["b"]) / 100
    error = apart.std(ddof=1) / np.sqrt(40)
    reach = student_t.ppf(0.975, 39) * error
    assert pair.value == pytest.approx(apart.mean())
    assert pair.high - pair.value == pytest.approx(reach, rel=1e-3)


def test_what_the_question_is_about_makes_the_error() -> None:
    """Identities that differ much and prompts that differ little: sure of these
    identities, unsure of others; of this set alone there is nothing to be unsure of.
    """
    world = World(((4, 40),) * 3, identity=0.1, template=0.0, tokens=60)
    sample, _ = draw(world, 0)
    widths = {}
    for scope in SCOPES:
        gap = stats.difference(sample.within(scope))
        assert gap.scope == scope
        widths[scope] = gap.high - gap.low
        assert bool(gap.exploratory) == (scope == "identities")
    assert widths["set"] == 0 < widths["prompts"] < widths["identities"] / 3
    exact = stats.difference(sample.within("set"))
    assert exact.low == exact.value == exact.high
    assert exact.p_value(exact.value) == 1
    assert exact.p_value(exact.value + 1e-6) < 1e-6


def test_more_prompts_of_the_same_identities_is_what_prompts_means() -> None:
    """Identities stay as they are and prompts are drawn anew, 200 times: the interval
    of the group covers its own identities' rate in 95%, 90% at least (three standard
    errors, odds 1 in 1,000).
    """
    rng = np.random.default_rng(0)
    rates = np.clip(rng.normal(0.7, 0.15, 5), 0.05, 0.95)
    inside = 0
    for _ in range(200):
        rows = []
        for c, rate in enumerate(rates):
            own = rng.beta(rate * 10, (1 - rate) * 10, 12)
            rows += [(n, 20, "a", f"i{c}") for n in rng.binomial(20, own)]
        e = stats.by_group(made(*rows).within("prompts"))["a"]
        inside += e.low <= rates.mean() <= e.high
    assert 180 <= inside <= 199


def test_where_there_are_no_templates_none_is_taken_out() -> None:
    """Prompts about given identities: comparing two groups costs no more than knowing
    each.
    """
    rng = np.random.default_rng(3)
    rows = [
        (float(rng.binomial(15, 0.8)), 15.0, f"g{i % 2}", f"c{i % 40}")
        for i in range(400)
    ]
    found = stats.gather(made(*rows).within("prompts"))
    assert found.alone is not None
    assert found.between is not None
    assert np.array_equal(found.between.covariances, found.alone.covariances)


def test_an_unknown_scope_names_the_known() -> None:
    with pytest.raises(UsageError, match="identities"):
        stats.gather(made((1, 2, "a", "x"), (1, 2, "a", "y")).within("people"))


def test_a_gap_without_its_exploratory_groups_is_at_hand() -> None:
    """What a failure has to stand on: groups with enough clusters of their own."""
    sample, after = draw(World(((20, 5),) * 3 + ((2, 5),), effects=(0, 0, 0, -0.3)), 0)
    gap = stats.difference(sample)
    assert gap.exploratory == ("g3",)
    assert gap.firm is not None
    assert "g3" not in gap.firm.groups
    assert gap.firm.value < 0.1 < gap.value
    wider = stats.widening(sample, after)
    assert wider.firm is not None
    assert {p.group for p in wider.firm.parts} == {"g0", "g1", "g2"}
    assert stats.by_group(sample)["g3"].firm is None


def test_ts_of_many_pairs_are_exact_to_three_digits() -> None:
    z, df = np.array([-2.0, 1.0, 3.0]), np.array([[3.21987, 20.0], [1.0, 1e6]])
    found = t_at(z, df)
    assert found.shape == (3, 2, 2)
    right = student_t.ppf(student_t.cdf(z, 1e9)[:, None, None], df)
    assert np.allclose(found, right, rtol=4e-3)
