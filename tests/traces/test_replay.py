"""Replay against loops written plainly and separately, against enumeration of the
coins, and against closed forms.
"""

import numpy as np
import pytest
import torch

from specfair.decoding import Decoding, Lookahead, Schedule
from specfair.engine import tracer
from specfair.models import load
from specfair.models.pair import encode
from specfair.texts import prompts
from specfair.traces.counting import AS_DEPLOYED, CANONICAL, SERVED, Counting
from specfair.traces.replay import profile, replay
from specfair.traces.trace import Trace
from tests.made_traces import (
    BUDGET,
    DECODING,
    EOS,
    by_start,
    coin_trace,
    deployed_loop,
    plain_loop,
    table,
    trace_of,
)

SCHEDULES: tuple[Schedule, ...] = ("constant", "heuristic", "heuristic_transient")
LOOKAHEADS = [Lookahead(n, s) for n in (1, 2, 3, 5, 8, 20) for s in SCHEDULES]


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
    pair = load.load("embedded", "embedded", device="cpu")
    everything = prompts.load("embedded").prompts
    chosen = [
        everything[i]
        for i in np.random.default_rng(8).permutation(len(everything))[:120]
    ]
    trace, read = tracer.trace(pair, chosen, Decoding(max_new_tokens=20)), []
    for ids, text in zip(
        encode(pair, chosen, 20)[0], rows(trace, "token"), strict=True
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
        table(replay(trace, lookahead, counting=AS_DEPLOYED)), expected
    )


def test_ignoring_eos_nothing_stops_at_it() -> None:
    decoding = Decoding(max_new_tokens=6, ignore_eos=True)
    trace = trace_of(
        [[1, EOS, 1, 1, EOS, 1]], [[1, EOS, 2, EOS, EOS, 1]], decoding=decoding
    )
    tally = replay(trace, Lookahead(2), counting=AS_DEPLOYED)
    # rounds: [1 EOS] + 1; then EOS rejected, but it did not end the draft, which offers
    # 2; then a last one without room
    assert table(tally).tolist() == [[6, 3, 2 + 2 + 1, 2 + 1 + 1, 2 + 0 + 1]]


def test_a_perfect_draft_is_always_right_whatever_ends_the_text() -> None:
    """The trap this counting avoids: an EOS counted against a draft that proposed
    it.
    """
    text = [[1, 2, 1, EOS], [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]]
    perfect = trace_of(text, text, decoding=DECODING)
    tally = replay(perfect, Lookahead(5))
    assert (tally.n_accepted == tally.n_tested).all()
    assert (tally.n_accepted == tally.n_drafted).all()
    deployed = replay(perfect, Lookahead(5), counting=AS_DEPLOYED)
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


def test_the_order_of_prompts_matters_only_as_deployed() -> None:
    good, bad = [[1] * 10, [1] * 10], [[1] * 10, [2] * 10]
    lookahead = Lookahead(5, "heuristic")

    def rounds(*prompts: list[list[int]], counting: Counting) -> list[float]:
        trace = trace_of(
            [p[0] for p in prompts], [p[1] for p in prompts], decoding=DECODING
        )
        return sorted(replay(trace, lookahead, counting=counting).n_drafted.tolist())

    assert rounds(good, bad, counting=CANONICAL) == rounds(
        bad, good, counting=CANONICAL
    )
    assert rounds(good, bad, counting=AS_DEPLOYED) != rounds(
        bad, good, counting=AS_DEPLOYED
    )


@pytest.mark.parametrize("counting", [CANONICAL, AS_DEPLOYED])
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


@pytest.mark.parametrize("counting", [CANONICAL, AS_DEPLOYED])
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
def test_served_counts_start_behind_the_token_of_the_prompt_pass(
    lookahead: Lookahead,
) -> None:
    trace = random_trace(seed=3)
    expected = [
        plain_loop(t[1:], p[1:], lookahead)
        for t, p in zip(rows(trace, "token"), rows(trace, "proposal"), strict=True)
    ]
    found = table(replay(trace, lookahead, counting=SERVED))
    np.testing.assert_array_equal(found, expected)
    seen = replay(by_start(trace, BUDGET), lookahead, counting=SERVED)
    np.testing.assert_array_equal(table(seen), expected)


def test_a_draft_by_start_counts_what_its_engine_drafts_beyond_the_end() -> None:
    """As deployed what was drafted is known, and counted whole; canonical counts end
    with the text.
    """
    trace = by_start(trace_of([[1, 2, 3]], [[1, 2, 3]], decoding=DECODING), 5)
    as_counted = replay(trace, Lookahead(5), counting=AS_DEPLOYED)
    assert table(as_counted).tolist() == [[3, 1, 5, 3, 2]]
    assert table(replay(trace, Lookahead(5))).tolist() == [[3, 1, 2, 2, 2]]


def test_by_start_sampled_coins_are_tossed_once_where_an_outcome_is_counted() -> None:
    """20,000 tosses of .3 at depth 0: the share accepted lies within 5 standard errors
    (a false alarm once in 1.7 million).
    """
    trace = by_start(coin_trace([[0.3, 0.0]] * 20_000), 1)
    tally = replay(trace, Lookahead(1), counting=AS_DEPLOYED)
    assert abs(tally.n_accepted.mean() - 0.3) < 5 * np.sqrt(0.21 / 20_000)
