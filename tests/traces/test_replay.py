"""Replay against loops written plainly and separately, against enumeration of the
coins, and against closed forms.
"""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from specfair.engine import tracer
from specfair.errors import UsageError
from specfair.models import pairs
from specfair.texts import prompts
from specfair.traces import replay as replay_module
from specfair.traces.replay import Counting, Lookahead, Schedule, profile, replay
from specfair.traces.trace import Decoding, Trace
from tests.made_traces import EOS, deployed_loop, plain_loop, table, trace_of

BUDGET = 12
DECODING = Decoding(max_new_tokens=BUDGET)
SCHEDULES: tuple[Schedule, ...] = ("constant", "heuristic", "heuristic_transient")
LOOKAHEADS = [Lookahead(n, s) for n in (1, 2, 3, 5, 8, 20) for s in SCHEDULES]

coin = st.floats(0, 1, width=32)
lookaheads = st.builds(Lookahead, st.integers(1, 7), st.sampled_from(SCHEDULES))


def coin_trace(coins: list[list[float]]) -> Trace:
    zeros = [[1] * len(c) for c in coins]
    return trace_of(zeros, zeros, coins, decoding=DECODING)


def random_trace(seed: int, n_prompts: int = 150) -> Trace:
    """Texts of all lengths up to the budget, most ended by EOS, some proposals
    EOS too.
    """
    rng = np.random.default_rng(seed)
    texts = []
    for _ in range(n_prompts):
        length = int(rng.integers(1, BUDGET + 1))
        text = rng.integers(1, 4, length)
        if length < BUDGET or rng.random() < 0.5:
            text[-1] = EOS
        texts.append(text.tolist())
    proposals = [
        [t if rng.random() < 0.65 else int(rng.integers(0, 4)) for t in text]
        for text in texts
    ]
    return trace_of(texts, proposals, decoding=DECODING)


def rows(trace: Trace, column: str) -> list[list[int]]:
    return [part.tolist() for part in np.split(trace[column], trace.offsets[1:-1])]


@pytest.mark.parametrize("lookahead", LOOKAHEADS, ids=str)
def test_greedy_counts_equal_a_plain_loop(lookahead: Lookahead) -> None:
    trace = random_trace(seed=1)
    expected = [
        plain_loop(t, p, lookahead)
        for t, p in zip(rows(trace, "token"), rows(trace, "proposal"), strict=True)
    ]
    np.testing.assert_array_equal(table(replay(trace, lookahead)), expected)


@pytest.fixture(scope="module")
def embedded() -> tuple[Trace, list[tuple[list[int], list[int]]]]:
    """A real trace, and by prompt both models' first choices along the target's text,
    from one plain forward pass.
    """
    pair = pairs.load("embedded", "embedded", device="cpu")
    everything = prompts.load("embedded").prompts
    chosen = [
        everything[i]
        for i in np.random.default_rng(8).permutation(len(everything))[:120]
    ]
    trace, read = tracer.trace(pair, chosen, Decoding(max_new_tokens=20)), []
    for ids, text in zip(
        pairs.encode(pair, chosen, 20)[0], rows(trace, "token"), strict=True
    ):
        whole = torch.tensor([ids + text])
        target, draft = (
            m(whole).logits[0].argmax(-1)[len(ids) - 1 : -1].tolist()
            for m in (pair.target, pair.draft)
        )
        read.append((target, draft))
    return trace, read


@pytest.mark.parametrize("lookahead", LOOKAHEADS, ids=str)
def test_a_real_trace_counts_as_a_plain_loop_over_the_models(
    lookahead: Lookahead, embedded: tuple[Trace, list[tuple[list[int], list[int]]]]
) -> None:
    trace, read = embedded
    assert [target for target, _ in read] == rows(trace, "token")
    expected = [plain_loop(target, draft, lookahead) for target, draft in read]
    np.testing.assert_array_equal(table(replay(trace, lookahead)), expected)


@pytest.mark.parametrize("lookahead", LOOKAHEADS, ids=str)
def test_deployed_counts_equal_a_plain_loop(lookahead: Lookahead) -> None:
    trace, k, expected = random_trace(seed=2), lookahead.n, []
    for text, proposals in zip(
        rows(trace, "token"), rows(trace, "proposal"), strict=True
    ):
        counts, left = deployed_loop(
            text, proposals, Lookahead(k, lookahead.schedule), BUDGET
        )
        expected.append(counts)
        k = left if lookahead.schedule == "heuristic" else k
    np.testing.assert_array_equal(
        table(replay(trace, lookahead, counting="as_deployed")), expected
    )


def test_ignoring_eos_nothing_stops_at_it() -> None:
    decoding = Decoding(max_new_tokens=6, ignore_eos=True)
    trace = trace_of(
        [[1, EOS, 1, 1, EOS, 1]], [[1, EOS, 2, EOS, EOS, 1]], decoding=decoding
    )
    tally = replay(trace, Lookahead(2), counting="as_deployed")
    # rounds: [1 EOS] + 1; then EOS rejected, but it did not end the draft, which offers
    # 2; then a last one without room
    assert table(tally).tolist() == [[6, 3, 2 + 2 + 1, 2 + 1 + 1, 2 + 0 + 1]]


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
    exact = replay_module._expectations(
        trace, trace["accept_prob"].astype(float), lookahead
    )
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
    monkeypatch.setattr(replay_module, "_CHUNK", 100)
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
    np.testing.assert_allclose(result.conditional, alpha, rtol=1e-6)
    np.testing.assert_allclose(result.joint, alpha ** np.arange(1, n + 1), rtol=5e-3)


def test_a_perfect_draft_is_always_right_whatever_ends_the_text() -> None:
    """The trap this counting avoids: an EOS counted against a draft that proposed
    it.
    """
    text = [[1, 2, 1, EOS], [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]]
    perfect = trace_of(text, text, decoding=DECODING)
    tally = replay(perfect, Lookahead(5))
    assert (tally.n_accepted == tally.n_tested).all()
    assert (tally.n_accepted == tally.n_drafted).all()
    deployed = replay(perfect, Lookahead(5), counting="as_deployed")
    assert deployed.n_drafted.tolist() == [4, 10]
    assert deployed.n_accepted.tolist() == [3, 10]


def test_profile_by_hand() -> None:
    """Four tokens, two drafted a round: the first is accepted half the time, the second
    always, the third never.
    """
    result = profile(coin_trace([[0.5, 1.0, 0.0, 1.0]]), Lookahead(2))
    # from 0: accept, accept, own token -> 3 (.5); reject -> 1: accept, reject -> 3
    # (.5); from 3: own token
    assert result.n_rounds.tolist() == [0.5 * 2 + 0.5 * 3]
    assert result.n_drafted.tolist() == [[1.5, 1.5]]
    assert result.n_tested.tolist() == [[1.5, 1.0]]
    assert result.n_accepted.tolist() == [[1.0, 0.5]]
    assert result.accepted_lengths.tolist() == [[1.5, 0.5, 0.5]]
    np.testing.assert_allclose(result.conditional, [2 / 3, 1 / 2])
    np.testing.assert_allclose(result.joint, [2 / 3, 1 / 3])


def test_the_order_of_prompts_matters_only_as_deployed() -> None:
    good, bad = [[1] * 10, [1] * 10], [[1] * 10, [2] * 10]
    lookahead = Lookahead(5, "heuristic")

    def rounds(*prompts: list[list[int]], counting: Counting) -> list[float]:
        trace = trace_of(
            [p[0] for p in prompts], [p[1] for p in prompts], decoding=DECODING
        )
        return sorted(replay(trace, lookahead, counting=counting).n_drafted.tolist())

    assert rounds(good, bad, counting="canonical") == rounds(
        bad, good, counting="canonical"
    )
    assert rounds(good, bad, counting="as_deployed") != rounds(
        bad, good, counting="as_deployed"
    )


@pytest.mark.parametrize("counting", ["canonical", "as_deployed"])
def test_empty_texts_count_nothing(counting: Counting) -> None:
    for trace in (
        trace_of([[], [1], []], [[], [2], []], decoding=DECODING),
        coin_trace([[], [0.5], []]),
    ):
        tally = replay(trace, Lookahead(3, "heuristic"), counting=counting)
        assert tally.n_rounds.tolist() == [0, 1, 0]
        assert tally.n_new_tokens.tolist() == [0, 1, 0]
    assert table(
        replay(trace_of([], [], decoding=DECODING), Lookahead(), counting=counting)
    ).shape == (0, 5)
    assert replay(
        trace_of([[]], [[]], decoding=DECODING), Lookahead(), counting=counting
    ).n_rounds.tolist() == [0]


@pytest.mark.parametrize("counting", ["canonical", "as_deployed"])
@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("coin", [0.5, 1.0])
def test_a_coin_that_is_not_a_number_leaves_its_prompt_without_counts(
    counting: Counting, at: int, coin: float
) -> None:
    """Wherever it stands, the last place included, which is counted nowhere; the other
    prompt counts as ever.
    """
    lost = [coin] * 3
    lost[at] = float("nan")
    found = profile(coin_trace([lost, [coin] * 3]), Lookahead(2), counting=counting)
    whole = profile(
        coin_trace([[coin] * 3, [coin] * 3]), Lookahead(2), counting=counting
    )
    assert np.isnan(table(found.tally)[0]).tolist() == [False, True, True, True, True]
    assert np.array_equal(table(found.tally)[1], table(whole.tally)[1])
    assert np.isnan(found.n_accepted[0]).all()


@pytest.mark.parametrize("lookahead", LOOKAHEADS, ids=str)
def test_a_lookahead_prints_as_what_it_is_parsed_from(lookahead: Lookahead) -> None:
    assert Lookahead.parse(str(lookahead)) == lookahead


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("five", "Write constant-5"),
        ("constant-", "Write constant-5"),
        ("-5", "Write constant-5"),
        ("constant-0", "at least 1"),
        ("constan-5", "Did you mean 'constant'"),
        ("", "Write constant-5"),
    ],
)
def test_what_is_no_lookahead_says_what_is_one(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Lookahead.parse(text)


def test_an_unknown_counting_is_refused() -> None:
    with pytest.raises(UsageError, match="as_deployed"):
        replay(coin_trace([[0.5]]), Lookahead(), counting="as_deploied")  # type: ignore[arg-type]  # that is the test
