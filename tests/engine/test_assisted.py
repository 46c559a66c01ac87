"""What transformers' own generate writes and counts, against the replay of the same
draft, and against what stands in its text.
"""

import numpy as np
import pytest
import torch

from specfair.decoding import Decoding, Lookahead
from specfair.engine import tracer
from specfair.engine.assisted import assisted
from specfair.errors import UsageError
from specfair.models import load
from specfair.models.pair import Pair
from specfair.texts import prompts
from specfair.traces.counting import AS_DEPLOYED
from specfair.traces.replay import replay

FEW = prompts.load("embedded")[::70]
COUNTS = ("n_new_tokens", "n_rounds", "n_tested", "n_accepted")


@pytest.fixture(scope="module")
def pair() -> Pair:
    return load.load("embedded", "embedded", device="cpu")


@pytest.mark.parametrize("lookahead", ["constant-4", "heuristic_transient-3"])
def test_greedy_counts_and_texts_are_the_replays(pair: Pair, lookahead: str) -> None:
    asked, ahead = Decoding(12), Lookahead.parse(lookahead)
    before = pair.draft.generation_config.to_dict()
    text, tally = assisted(pair, FEW, asked, ahead)
    trace = tracer.trace(pair, FEW, asked)
    replayed = replay(trace, ahead, counting=AS_DEPLOYED)
    np.testing.assert_array_equal(text.columns["token"], trace["token"])
    np.testing.assert_array_equal(text.offsets, trace.offsets)
    for name in COUNTS:
        np.testing.assert_array_equal(getattr(tally, name), getattr(replayed, name))
    assert (tally.n_drafted <= replayed.n_drafted).all()
    assert pair.draft.generation_config.to_dict() == before


def test_sampling_follows_the_seed_and_leaves_the_generator_alone(pair: Pair) -> None:
    asked = Decoding(6, temperature=1.0, seed=3, ignore_eos=True)
    state = torch.random.get_rng_state()
    first, _ = assisted(pair, FEW[:8], asked, Lookahead(3))
    again, _ = assisted(pair, FEW[:8], asked, Lookahead(3))
    np.testing.assert_array_equal(first.columns["token"], again.columns["token"])
    assert torch.equal(state, torch.random.get_rng_state())
    assert first.lengths.tolist() == [6] * 8


def test_what_transformers_does_not_do_is_refused(pair: Pair) -> None:
    with pytest.raises(UsageError, match="always proposes the doubtful token"):
        assisted(pair, FEW[:1], Decoding(4), Lookahead.parse("pmin-4@0.5"))
