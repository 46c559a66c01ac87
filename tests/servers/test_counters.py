"""Counters of the whole server, one request at a time; a stranger's request is seen."""

import pytest

from specfair.decoding import Decoding
from specfair.errors import ModelError
from specfair.servers.adapter import Asked
from specfair.servers.client import Client
from specfair.servers.counters import COUNTERS, asked_alone
from specfair.servers.reply import BrokenError, Reply, row
from tests.servers.simulated import Simulated, rounds_of

BUDGET = 12


def body(text: str) -> dict[str, object]:
    return COUNTERS.body(Asked(text, 1, "m", "s"), Decoding(BUDGET))


def test_counters_tell_the_rounds_of_each_request() -> None:
    """Whatever was counted before."""
    with Simulated(owner="vllm").serving() as url:
        for text in ("one", "two", "three", "four", "one"):
            reply = asked_alone(Client(url), body(text), text)
            rounds = rounds_of(text, BUDGET)
            found = COUNTERS.rounds(reply)
            assert sorted(found.accepted) == sorted(a for _, a in rounds)
            n_new, n_rounds, *_ = row(reply, found, BUDGET)
            assert (n_new, n_rounds) == (reply.n_tokens - 1, len(rounds))


def test_a_stranger_is_seen() -> None:
    with (
        Simulated(stranger=1).serving() as url,
        pytest.raises(ModelError, match="served others meanwhile"),
    ):
        asked_alone(Client(url), body("one"), "prompt 'one'")


def test_counters_that_contradict_each_other() -> None:
    name = "vllm:spec_decode_num_accepted_tokens"
    told = {"vllm:spec_decode_num_drafts": 2, name: 3, f"{name}_per_pos@0": 2}
    with pytest.raises(BrokenError, match="is 3, and 2 by its parts"):
        COUNTERS.rounds(Reply(5, reported=told))
