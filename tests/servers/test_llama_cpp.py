"""Rounds from llama.cpp's timings, on streams in its form; the real server is in
`tests/audit/test_serving.py`.
"""

from typing import Any

import pytest

from specfair.servers.llama_cpp import LLAMA_CPP
from specfair.servers.reply import BrokenError, Rounds
from tests.servers.simulated import events_of


def rounds_of(events: list[dict[str, Any]]) -> Rounds:
    reply = LLAMA_CPP.read([(0.1 * i, event) for i, event in enumerate(events)])
    return LLAMA_CPP.rounds(reply)


def test_every_round_is_told_apart() -> None:
    """Rounds that accept nothing, rounds without a draft, in any order."""
    rounds = [(5, 0), (0, 0), (5, 5), (3, 1), (0, 0), (0, 0), (5, 2)]
    drafted, accepted = zip(*rounds, strict=True)
    assert rounds_of(events_of(rounds)) == Rounds(accepted, drafted)


@pytest.mark.parametrize("lost", [1, 2])
def test_a_text_may_end_within_a_round(lost: int) -> None:
    events = events_of([(5, 1), (5, 3)])
    del events[-1 - lost : -1]
    events[-1]["timings"]["predicted_n"] -= lost
    assert rounds_of(events) == Rounds((1, 3), (5, 5))


def test_nothing_drafted_is_told_from_nothing_said() -> None:
    """Without a draft the sums are absent."""
    reply = LLAMA_CPP.read([(0.0, event) for event in events_of([(0, 0), (0, 0)])])
    assert reply.reported == {}
    assert LLAMA_CPP.rounds(reply) == Rounds((0, 0), (0, 0))


def test_sums_that_are_not_those_of_the_tokens() -> None:
    events = events_of([(5, 1)])
    events[-1]["timings"]["draft_n"] = 7
    with pytest.raises(BrokenError, match="not those of its tokens"):
        rounds_of(events)


def test_times_are_those_of_the_first_token_and_of_the_end() -> None:
    events = events_of([(5, 1)])
    reply = LLAMA_CPP.read([(0.5 + i, event) for i, event in enumerate(events)])
    assert reply.seconds == (0.5, 3.5)


def test_a_reply_without_its_end_is_not_whole() -> None:
    with pytest.raises(ValueError, match="its end is missing"):
        rounds_of(events_of([(5, 1)])[:-1])
    with pytest.raises(ValueError, match="its end is missing"):
        rounds_of([])
