"""How groups come apart as a whole; the widest gap is tested with the inequalities."""

import numpy as np
import pytest

from bench.worlds import World, draw
from specfair import stats
from tests.stats.made import made

AS_MANY = ((40, 5),) * 4


def test_groups_that_do_not_move_come_no_further_apart() -> None:
    before, _ = draw(World(AS_MANY), 0)
    found = stats.spread(before, before)
    assert found.value == 0.0
    assert found.low <= 0.0 <= found.high


def test_spread_is_variance_less_noise() -> None:
    """Groups that fall apart for certain: their rates' variance, but for the noise."""
    world = World(AS_MANY, changes=(-0.3, -0.1, 0.0, 0.2))
    before, after = draw(world, 1)
    rates = [[e.value for e in stats.by_group(s).values()] for s in (before, after)]
    grown = np.var(rates[1], ddof=1) - np.var(rates[0], ddof=1)
    found = stats.spread(before, after)
    assert found.value == pytest.approx(grown, abs=0.003)
    assert 0 < found.low < found.value < found.high
    assert stats.spread(after, before).high < 0


@pytest.mark.parametrize("noisier", [0.0, 2.0])
def test_spread_is_free_of_noise_and_knows_its_error(noisier: float) -> None:
    """Where groups do not differ its mean is 0 (200 draws, three standard errors), also
    where prompts after scatter much more; and it scatters as it says, within a third.
    """
    world = World(((12, 6),) * 8, noisier=noisier)
    found = [stats.spread(*draw(world, seed)) for seed in range(200)]
    values = np.array([e.value for e in found])
    error = np.mean([(e.high - e.low) / 2 / 1.96 for e in found])
    scatter = float(values.std(ddof=1))
    assert abs(values.mean()) < 3 * scatter / 200**0.5
    assert 0.75 < scatter / error < 1.33


def test_small_samples_have_limits_whatever_their_prompts_did() -> None:
    """Six short prompts a group, all as before, one of them not, or all anew: values
    before and after that go together wholly, or hardly.
    """
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rows = [(0, int(rng.integers(1, 5)), f"g{i % 3}", f"c{i}") for i in range(18)]
        sample = made(*rows)
        tokens = sample.denominator.astype(int)
        before, anew = rng.binomial(tokens, 0.6), rng.binomial(tokens, 0.6)
        one = np.where(np.arange(18) == 0, tokens - before, before)
        for after in (before, one, anew):
            pair = [
                sample.with_counts(n.astype(np.float64), tokens.astype(np.float64))
                for n in (before, after)
            ]
            found = stats.widening(*pair)
            assert found.valid, (seed, found)
            assert found.low <= found.value <= found.high
