"""Expectations over the coins against every outcome of them, tossed coins and the closed
form.
"""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specfair.decoding import Lookahead
from specfair.traces import expectation
from specfair.traces.counting import CANONICAL, SERVED, Counting, odds
from specfair.traces.expectation import expectations
from specfair.traces.replay import profile, replay
from tests.made_traces import by_start, coin_trace, plain_loop, table

SCHEDULES = ("constant", "heuristic", "heuristic_transient")

coin = st.floats(0, 1, width=32)
lookaheads = st.builds(Lookahead, st.integers(1, 7), st.sampled_from(SCHEDULES))


@given(st.lists(coin, min_size=1, max_size=7), lookaheads)
def test_expectations_equal_enumeration_of_all_coins(
    coins: list[float], lookahead: Lookahead
) -> None:
    expected = np.zeros(5)
    for outcome in product((True, False), repeat=len(coins) - 1):
        chance = np.prod(
            [c if o else 1 - c for c, o in zip(coins[:-1], outcome, strict=True)]
        )
        expected += chance * np.array(
            plain_loop([1] * len(coins), [*map(int, outcome), 1], lookahead)
        )
    np.testing.assert_allclose(
        table(replay(coin_trace([coins]), lookahead))[0], expected, atol=1e-12
    )


def test_expectations_equal_the_mean_of_tossed_coins() -> None:
    """False alarm: 12 comparisons at 5 standard errors, under 1 in 100,000."""
    rng = np.random.default_rng(3)
    coins = rng.random(14).astype(np.float32)
    n = 4000
    tossed = coin_trace((rng.random((n, 14)) < coins).astype(float).tolist())
    for lookahead in (
        Lookahead(2),
        Lookahead(20),
        Lookahead(1, "heuristic"),
        Lookahead(4, "heuristic"),
    ):
        expected = table(replay(coin_trace([coins.tolist()]), lookahead))[0]
        seen = table(replay(tossed, lookahead))
        error = seen.std(0) / np.sqrt(n)
        assert (np.abs(seen.mean(0) - expected) <= 5 * error + 1e-9).all()


@given(
    st.lists(st.lists(st.sampled_from([0.0, 1.0]), max_size=10), max_size=8).filter(
        any
    ),
    lookaheads,
)
def test_following_the_path_is_the_expectation_when_coins_are_certain(
    coins: list[list[float]], lookahead: Lookahead
) -> None:
    trace = coin_trace(coins)
    exact = expectations(odds(trace, lookahead, CANONICAL), lookahead)
    walked = profile(trace, lookahead)
    np.testing.assert_array_equal(table(walked.tally), table(exact.tally))
    n = walked.n_accepted.shape[1]
    np.testing.assert_array_equal(walked.n_accepted, exact.n_accepted[:, :n])
    np.testing.assert_array_equal(walked.n_drafted, exact.n_drafted[:, :n])
    np.testing.assert_array_equal(walked.n_tested, exact.n_tested[:, :n])
    assert not exact.n_drafted[:, n:].any()


@settings(max_examples=50)
@given(
    st.lists(coin, min_size=2, max_size=12), st.integers(0, 11), coin, st.integers(1, 8)
)
def test_better_coins_and_longer_drafts_never_cost_rounds(
    coins: list[float], at: int, better: float, n: int
) -> None:
    raised = list(coins)
    raised[at % len(coins)] = max(better, raised[at % len(coins)])
    before = replay(coin_trace([coins]), Lookahead(n))
    assert (
        replay(coin_trace([raised]), Lookahead(n)).n_rounds[0]
        <= before.n_rounds[0] + 1e-12
    )
    assert (
        replay(coin_trace([coins]), Lookahead(n + 1)).n_rounds[0]
        <= before.n_rounds[0] + 1e-12
    )


@given(st.lists(st.lists(coin, max_size=9), min_size=1, max_size=6), lookaheads)
def test_counts_add_up(coins: list[list[float]], lookahead: Lookahead) -> None:
    tally = replay(coin_trace(coins), lookahead)
    np.testing.assert_allclose(
        tally.n_accepted + tally.n_rounds, tally.n_new_tokens, atol=1e-9
    )
    assert (tally.n_accepted <= tally.n_tested + 1e-12).all()
    assert (tally.n_tested <= tally.n_accepted + tally.n_rounds + 1e-12).all()
    assert (tally.n_tested <= tally.n_drafted + 1e-12).all()


@pytest.mark.parametrize(
    "lookahead", [Lookahead(4), Lookahead(2, "heuristic")], ids=str
)
def test_a_prompt_counts_the_same_whatever_stands_beside_it(
    lookahead: Lookahead, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(4)
    coins = [rng.random(n).tolist() for n in rng.integers(0, 15, 40)]
    together = table(replay(coin_trace(coins), lookahead))
    alone = [table(replay(coin_trace([c]), lookahead))[0] for c in coins]
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    monkeypatch.setattr(expectation, "_CHUNK", 100)
    np.testing.assert_allclose(
        table(replay(coin_trace(coins), lookahead)), alone, rtol=1e-12
    )


@pytest.mark.parametrize("alpha", [0.3, 0.8, 0.95])
@pytest.mark.parametrize("n", [1, 3, 7])
def test_long_texts_approach_the_closed_form(alpha: float, n: int) -> None:
    """Leviathan et al.: tokens per target call (1 - alpha^(n+1)) / (1 - alpha) for
    independent, equal coins.
    """
    result = profile(coin_trace([[alpha] * 3000]), Lookahead(n))
    tally = result.tally
    assert tally.n_new_tokens[0] / tally.n_rounds[0] == pytest.approx(
        (1 - alpha ** (n + 1)) / (1 - alpha), rel=5e-3
    )
    assert tally.n_accepted[0] / tally.n_tested[0] == pytest.approx(alpha, rel=1e-6)
    accepted, tested = result.n_accepted[0], result.n_tested[0]
    np.testing.assert_allclose(accepted / tested, alpha, rtol=1e-6)
    np.testing.assert_allclose(
        accepted / result.n_drafted[0], alpha ** np.arange(1, n + 1), rtol=5e-3
    )


@given(
    st.lists(st.tuples(coin, coin, st.integers(0, 2)), min_size=1, max_size=5),
    st.integers(1, 3),
    st.sampled_from([CANONICAL, SERVED]),
)
def test_coins_by_start_and_depth_equal_enumeration(
    drawn: list[tuple[float, float, int]], n: int, counting: Counting
) -> None:
    """Every start with two coins of its own and a length of its own: all outcomes of
    all of them, followed by a plain loop.
    """
    trace = by_start(coin_trace([[0.0] * len(drawn)]), 2)
    most = np.array([d[2] for d in drawn], dtype=np.int32)
    ahead = np.array([d[:2] for d in drawn], dtype=np.float32)
    trace.reading.columns["ahead"][:] = ahead
    trace.reading.columns["drafted"][:] = most
    expected = np.zeros(5)
    for outcome in product((True, False), repeat=2 * len(drawn)):
        passed = np.array(outcome).reshape(-1, 2)
        chance = np.where(passed, ahead, 1 - ahead).astype(float).prod()
        if chance:
            expected += chance * np.array(
                _by_start_loop(passed, most.tolist(), n, counting.first)
            )
    found = table(replay(trace, Lookahead(n), counting=counting))[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def _by_start_loop(
    passed: np.ndarray, most: list[int], n: int, first: int
) -> list[float]:
    """Canonical counts of one prompt: draft one token, look at it, draft the next."""
    length, here = len(passed), first
    rounds = drafted = tested = accepted = 0
    while here < length:
        rounds += 1
        room, good = min(n, most[here], length - here - 1), 0
        drafted += room
        while good < room and passed[here, good]:
            good += 1
        accepted, tested = accepted + good, tested + min(good + 1, room)
        here += good + 1
    return [max(length - first, 0), rounds, drafted, tested, accepted]


@given(st.lists(coin, min_size=1, max_size=9), lookaheads)
def test_coins_by_position_are_the_special_case(
    coins: list[float], lookahead: Lookahead
) -> None:
    trace = coin_trace([coins, coins[:3]])
    np.testing.assert_allclose(
        table(replay(by_start(trace, 9), lookahead)),
        table(replay(trace, lookahead)),
        atol=1e-12,
    )
