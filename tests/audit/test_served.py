"""What replies are worth: counts in one form, times, and whether a server remembers who
asked before.
"""

import random

import numpy as np
import pytest

from specfair import gates
from specfair.audit.served import Counted, Served, counts_for, text_of
from specfair.decoding import Decoding, Lookahead
from specfair.servers.adapter import About
from specfair.servers.llama_cpp import LLAMA_CPP
from specfair.servers.reply import Reply
from specfair.servers.sglang import SGLANG
from specfair.texts import prompts
from specfair.texts.prompts import PromptSet
from specfair.vocabulary import METRICS
from tests.servers.simulated import events_of
from tests.servers.test_sglang import NEW, stream

BUDGET = 24
ABOUT = About("llama.cpp", "m", {})
BOUND = gates.Bound("order", 0.0, gates.KINDS["order"].min_effect)


@pytest.fixture(scope="module")
def few() -> PromptSet:
    return prompts.load("embedded").only(["female", "male", "queer"]).limit(40)


def drawn(few: PromptSet, rng: random.Random, *, more: float = 0.0) -> Counted:
    """Replies of a server that heeds no seed: groups differ, and so do prompts."""
    replies = []
    for prompt in few:
        place = few.groups.index(prompt.group)
        accepts = 0.5 + 0.1 * place + random.Random(prompt.id).uniform(-0.2, 0.2) + more
        rounds, left = [], BUDGET - 1
        while left > 0:
            room = min(5, left - 1)
            lost = (i for i in range(room) if rng.random() >= accepts)
            rounds.append((room, next(lost, room)))
            left -= rounds[-1][1] + 1
        replies.append(LLAMA_CPP.read([(0.0, event) for event in events_of(rounds)]))
    return counts_for(LLAMA_CPP, tuple(few), replies, BUDGET)


def served(few: PromptSet, told: Counted, again: Counted | None = None) -> Served:
    trace = text_of(ABOUT, few, told.replies, Decoding(BUDGET))
    return Served(ABOUT, "http://h", trace, told, again)


def verdicts(few: PromptSet, seed: int, more: float) -> set[str]:
    rng = random.Random(seed)
    found = served(few, drawn(few, rng), drawn(few, rng, more=more))
    family = gates.check_family(found.by_order("identities"), BOUND)
    return {verdict.decision for verdict in family.values()}


def test_where_nothing_is_remembered_the_order_check_is_silent(few: PromptSet) -> None:
    """100 servers that heed no seed, so that both passes differ by chance: at most 5
    false alarms. Each family errs in fewer than 5 of 100 at the least favourable truth;
    the minimum effect keeps it far below that.
    """
    alarms = sum("fail" in verdicts(few, seed, 0.0) for seed in range(100))
    assert alarms <= 5


def test_where_the_server_remembers_it_speaks(few: PromptSet) -> None:
    """A tenth more accepted in the second pass is found in nearly every one."""
    found = sum("fail" in verdicts(few, seed, 0.1) for seed in range(20))
    less = sum("fail" in verdicts(few, seed, -0.1) for seed in range(20))
    assert found >= 18
    assert less >= 18


def test_equal_passes_are_equal(few: PromptSet) -> None:
    told = drawn(few, random.Random(0))
    for estimate in served(few, told, told).by_order("identities").values():
        assert (estimate.value, estimate.low, estimate.high) == (0.0, 0.0, 0.0)


def test_metrics_that_do_not_follow_are_left_out_and_named(few: PromptSet) -> None:
    """A histogram tells rounds, and not which of them a draft was rejected in."""
    reply = SGLANG.read(stream(8, NEW))
    told = counts_for(SGLANG, tuple(few), [reply] * len(few), BUDGET)
    found = served(few, told)
    assert [*found.sums] == [
        "mean_acceptance_length",
        "time_to_first_token",
        "time_per_token",
    ]
    assert set(found.sums) <= set(METRICS)
    assert "acceptance_rate, draft_acceptance_rate: not judged" in found.notes[1]
    assert found.lookahead == Lookahead(4)


def test_times_are_those_that_clients_feel(few: PromptSet) -> None:
    """0.1 s to the first token and 0.2 s for seven more, in milliseconds; without
    speculation the whole takes half a second.
    """
    reply = SGLANG.read(stream(8, NEW))
    told = counts_for(SGLANG, tuple(few), [reply] * len(few), BUDGET)
    trace = text_of(ABOUT, few, told.replies, Decoding(BUDGET))
    plain = (Reply(8, seconds=(0.1, 0.5)),) * len(few)
    found = Served(ABOUT, "http://h", trace, told, plain=plain)
    over, under = found.sums["time_to_first_token"]
    assert over.sum() / under.sum() == pytest.approx(100)
    over, under = found.sums["time_per_token"]
    assert over.sum() / under.sum() == pytest.approx(200 / 7)
    assert found.speedup.value == pytest.approx(0.5 / 0.3)


def test_a_text_without_ids_has_its_length(few: PromptSet) -> None:
    trace = text_of(ABOUT, few, [Reply(3)] * len(few), Decoding(BUDGET))
    assert np.array_equal(trace.lengths, np.full(len(few), 3))
    assert set(trace["token"].tolist()) == {-1}
    assert np.isnan(trace["accept_prob"]).all()
