"""What a head's reading holds, and what it does not depend on."""

from pathlib import Path

import numpy as np

from specfair.decoding import Decoding
from specfair.engine import tracer
from specfair.texts import prompts
from tests.engine.heads.trained import N_NEW, School, pair_of, traced


def test_a_round_starts_with_the_second_token(of: School, medusa: Path) -> None:
    chosen = prompts.load("embedded")[:20]
    trace = traced(of, "medusa", medusa, chosen, Decoding(max_new_tokens=N_NEW))
    first = trace.offsets[:-1]
    assert set(trace["drafted"].tolist()) == {0, 3}
    assert not trace["drafted"][first].any()
    assert not trace["ahead"][first].any()
    others = np.setdiff1d(np.arange(trace.n_tokens), first)
    np.testing.assert_array_equal(
        trace["ahead"][others, 0], trace["accept_prob"][others]
    )


def test_one_token_left_is_no_room_for_a_block(of: School, dflash: Path) -> None:
    asked = Decoding(max_new_tokens=6, ignore_eos=True)
    trace = traced(of, "dflash", dflash, prompts.load("embedded")[:4], asked)
    assert trace["drafted"].tolist() == [0, 4, 4, 4, 4, 0] * 4


def test_batches_do_not_matter(of: School, eagle3: Path) -> None:
    """A prompt alone, and among longer ones."""
    chosen, asked = prompts.load("embedded")[::90], Decoding(max_new_tokens=8)
    together = traced(of, "eagle3", eagle3, chosen, asked)
    pair = pair_of(of, "eagle3", eagle3)
    alone = [tracer.trace(pair, [each], asked)["ahead"] for each in chosen]
    np.testing.assert_array_equal(together["ahead"], np.concatenate(alone))


def test_what_a_head_cannot_propose_is_never_accepted(of: School, eagle3: Path) -> None:
    """The divergence from it is infinite, and says so; the overlap is not."""
    asked = Decoding(max_new_tokens=8, temperature=1.0)
    trace = traced(of, "eagle3", eagle3, prompts.load("embedded")[::20], asked)
    beyond = trace["draft_prob"] == 0
    assert beyond.any()
    assert not trace["accept_prob"][beyond].any()
    assert np.isposinf(trace["kl"]).all()
    assert np.isfinite(trace["overlap"]).all()
