"""The conditional test against general solvers and closed forms; the gap's and the
widening's limits against its definition.
"""

from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import nnls
from scipy.stats import chi2, f_oneway, norm

from bench.worlds import World, draw
from specfair import stats
from specfair.stats import chance, inequalities
from specfair.stats.inequalities import Lengths, p_values

MANY = 1e7  # degrees of freedom of variances that are known


def projected(
    values: np.ndarray, blocks: np.ndarray, pair: tuple[int, int], more: float
) -> tuple[float, int]:
    """Distance squared to "the range after is at most this pair's distance before and
    so much more", and the rank of what then holds exactly: by a general solver.
    """
    n = len(values)
    pairs = list(permutations(range(n), 2))
    signs = np.zeros((len(pairs), n))
    for row, (i, j) in enumerate(pairs):
        signs[row, [i, j]] = -1.0, 1.0
    slopes = np.zeros((len(pairs), 2 * n))
    slopes[:, 1::2] = signs
    slopes[:, 0::2] -= signs[pairs.index(pair)]
    beyond = slopes @ values.ravel() - more
    root = np.zeros((2 * n, 2 * n))
    for g in range(n):
        root[2 * g : 2 * g + 2, 2 * g : 2 * g + 2] = np.linalg.cholesky(blocks[g])
    stacked = np.vstack([(-slopes @ root).T, beyond])
    goal = np.zeros(2 * n + 1)
    goal[-1] = 1.0
    push, _ = nnls(stacked, goal)
    left = stacked @ push - goal
    nearest = -left[:-1] / left[-1]
    rank = np.linalg.matrix_rank(slopes[push > 1e-9], tol=1e-8)
    return float(nearest @ nearest), int(rank)


@pytest.mark.parametrize("seed", range(12))
def test_the_projection_is_that_of_a_general_solver(seed: int) -> None:
    """Exact: distances of random groups, correlated before and after, to one pair's
    null, against non-negative least squares; p-values where several inequalities hold.
    """
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 8))
    roots = rng.normal(size=(n, 2, 2))
    blocks = roots @ roots.transpose(0, 2, 1) + 0.05 * np.eye(2)
    values = 2 * rng.normal(size=(n, 2))
    i, j = int(values[:, 0].argmin()), int(np.argsort(values[:, 0])[-2])
    length = 0.3 * np.ptp(values[:, 1])
    more = length - (values[j, 0] - values[i, 0])
    shares, pulls = np.zeros((2, 1, n))
    shares[0, [i, j]] = blocks[[i, j], 0, 0]
    pulls[0, i], pulls[0, j] = -blocks[i, 0, 1], blocks[j, 0, 1]
    asked = Lengths(np.array([length]), shares, pulls)
    distance, rank = projected(values, blocks, (i, j), more)
    found = float(p_values(values[:, 1], blocks[:, 1, 1], np.full(n, MANY), asked)[0])
    plain = float(chi2.sf(distance, rank))
    if rank > 1:
        assert found == pytest.approx(plain, rel=1e-3)
    else:  # one inequality: up to half of it, by how far the next one is
        assert plain / 2.001 < found <= plain * 1.001


def no_lengths(*values: float, n: int) -> Lengths:
    nothing = np.zeros((len(values), n))
    return Lengths(np.array(values), nothing, nothing)


def test_all_equal_is_welchs_test() -> None:
    """A range of nothing: the F of Welch's one-way analysis, exactly, against scipy."""
    rng = np.random.default_rng(3)
    pytest.importorskip(
        "scipy", minversion="1.16", reason="before, its F has one variance"
    )
    samples = [rng.normal(0.1 * g, 1 + g / 3, 8 + 3 * g) for g in range(5)]
    means, sizes = np.array([s.mean() for s in samples]), np.array([*map(len, samples)])
    errors = np.array([s.var(ddof=1) for s in samples]) / sizes
    found = p_values(means, errors, sizes - 1.0, no_lengths(0.0, n=5))[0]
    assert found == pytest.approx(f_oneway(*samples, equal_var=False).pvalue, rel=1e-6)


def test_two_groups_far_from_nothing_are_tested_on_one_side() -> None:
    """Where the other way round is out of reach, |difference| <= b is one-sided."""
    x, errors, df = np.array([0.0, 10.0]), np.array([0.5, 0.5]), np.full(2, MANY)
    found = p_values(x, errors, df, no_lengths(8.0, 10.5, n=2))
    assert found[0] == pytest.approx(norm.sf(2.0), rel=1e-4)
    assert found[1] == 1.0


def test_a_test_that_is_too_bold_would_be_seen() -> None:
    """Three groups, a gap exactly at the bound, the least favourable place: 1,500
    draws, 5% by right, and more than 2.7% and less than 7.3% found (four standard
    errors; under 1 in 10,000 otherwise). The plain chi-squared with as many degrees of
    freedom as groups would find 1%.
    """
    rng = np.random.default_rng(0)
    x = np.array([0.0, 0.0, 3.0]) + rng.standard_normal((1500, 3))
    one = no_lengths(3.0, n=3)
    p = np.array([p_values(row, np.ones(3), np.full(3, MANY), one)[0] for row in x])
    assert 0.027 < np.mean(p < 0.05) < 0.073


def test_a_group_far_off_costs_no_power_to_the_others() -> None:
    x, errors, df = np.array([0.0, 2.5, 5.0]), np.ones(3) * 0.01, np.full(3, MANY)
    two = p_values(x[[0, 2]], errors[:2], df[:2], no_lengths(4.8, n=2))[0]
    three = p_values(x, errors, df, no_lengths(4.8, n=3))[0]
    assert three == pytest.approx(two, rel=0.01)


def test_the_gaps_lower_limit_is_where_the_test_turns() -> None:
    sample, _ = draw(World(((12, 5),) * 4, effects=(0.0, 0.0, -0.15, -0.2)), 1)
    evidence = stats.gather(sample)
    gap, errors = stats.difference(evidence), evidence.between
    assert errors is not None
    assert gap.low > 0
    around = no_lengths(gap.low - 2e-3, gap.low + 2e-3, n=4)
    p = p_values(errors.values[:, 0], errors.covariances[:, 0, 0], errors.df, around)
    assert p[0] < 0.025 < p[1]


def test_the_upper_limit_is_that_of_some_pair() -> None:
    sample, _ = draw(World(((12, 5),) * 5), 2)
    gap = stats.difference(sample)
    ends = [max(-e.low, e.high) for e in stats.pairwise(sample)]
    assert gap.high == pytest.approx(max(ends), abs=1e-9)


def test_widening_swapped_is_narrowing() -> None:
    """The same question backwards. Limits from above may be nearer, as they look at
    each pair's own growth as well, but never by much.
    """
    before, after = draw(World(((12, 5),) * 5, changes=(-0.2, 0, 0, 0, 0)), 3)
    there, back = stats.widening(before, after), stats.widening(after, before)
    assert there.value == -back.value
    assert there.low > 0 > back.high
    assert there.low == pytest.approx(-back.high, abs=0.05)


def test_where_hardly_anything_changed_that_is_said() -> None:
    """Nine of ten coins are the same: a bound of .02 is out of reach, though both gaps
    are known to .05 only.
    """
    world = World(((20, 10),) * 8, drift=0.0, kept=0.95)
    before, after = draw(world, 0)
    assert stats.difference(before).high > 0.05
    assert stats.widening(before, after).high < 0.02


def test_widening_of_a_pair_is_its_change() -> None:
    """Two groups far apart: the gap is their difference, before and after."""
    before, after = draw(
        World(((20, 5),) * 2, effects=(-0.25, 0.0), changes=(-0.1, 0.0)), 0
    )
    wider = stats.widening(before, after)
    parts = stats.changes(before, after)
    error = np.hypot(*(np.sqrt(e.parts[0].variance) for e in parts.values()))
    assert wider.value == pytest.approx(parts["g1"].value - parts["g0"].value)
    assert wider.low == pytest.approx(wider.value - 1.69 * error, abs=0.1 * error)
    assert wider.high == pytest.approx(wider.value + 2.15 * error, abs=0.15 * error)


def test_a_shared_problem_counts_once_before_and_after() -> None:
    """Parallel problems: every group falls with the problem, and the gap does not."""
    world = World(
        ((1, 60),) * 4,
        identity=0.0,
        drift=0.0,
        parallel=True,
        effects=(0.0, 0.0, 0.0, -0.2),
        template=0.1,
    )
    before, after = draw(world, 0)
    wider = stats.widening(before, after)
    assert wider.low < 0 < wider.high
    assert wider.high - wider.low < 0.3


def test_noise_alone_makes_a_gap() -> None:
    """Against simulation: 20,000 draws, both within 2% (five standard errors)."""
    errors = np.array([0.01, 0.02, 0.02, 0.03, 0.08])
    x = np.random.default_rng(0).standard_normal((20_000, 5)) * errors
    seen = np.quantile(np.ptp(x, axis=1), 0.95)
    assert chance.chance_gap(errors, 0.95) == pytest.approx(seen, rel=0.02)
    values = np.array([0.0, 0.0, 0.05, 0.0, 0.02])
    mean = np.ptp(values + x, axis=1).mean()
    assert chance.expected_gap(values, errors) == pytest.approx(mean, rel=0.02)
    corrected = chance.corrected_gap(values, errors)
    assert 0 <= corrected < 0.05
    assert chance.corrected_gap(values, 1e-3 * errors) == pytest.approx(0.05, rel=0.01)


def test_a_length_that_cannot_be_is_rejected() -> None:
    """No range is below nothing: the length itself would have to move."""
    shares = np.array([[0.5, 0.5, 0.0]])
    asked = Lengths(np.array([-5.0]), shares, np.zeros((1, 3)))
    found = inequalities.p_values(np.zeros(3), np.ones(3), np.full(3, MANY), asked)
    assert found[0] <= chi2.sf(25.0, 3) * 1.01
