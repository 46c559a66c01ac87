"""A head decoded live against its passes over whole texts: what the rows have written
so far against what they will have written.
"""

from pathlib import Path

import numpy as np
import pytest

from specfair.decoding import Decoding, Lookahead
from specfair.engine import agreement, speculate
from specfair.texts import prompts
from specfair.traces.replay import replay
from tests.engine.heads.trained import N_NEW, School, pair_of, traced

KINDS = ("eagle3", "medusa", "dflash")


def compared(
    of: School, kind: str, folder: Path, decoding: Decoding, lookahead: Lookahead
) -> agreement.Agreement:
    chosen = prompts.load("embedded")[:: 5 if decoding.temperature else 9]
    trace = traced(of, kind, folder, chosen, decoding)
    pair = pair_of(of, kind, folder)
    # fewer slots than prompts: rows enter among others that have begun
    live = speculate.speculate(pair, chosen, decoding, lookahead, n_slots=40)
    rate = live.tally.n_accepted.sum() / live.tally.n_tested.sum()
    assert 0.2 < rate < 0.95
    return agreement.compare(trace, live)


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_counts_are_equal(
    of: School, kind: str, request: pytest.FixtureRequest
) -> None:
    asked, lookahead = Decoding(max_new_tokens=N_NEW), Lookahead(3, "heuristic")
    found = compared(of, kind, request.getfixturevalue(kind), asked, lookahead)
    assert not found.problem
    assert found.n_prompts - found.n_near_ties >= 100


@pytest.mark.parametrize("kind", KINDS)
def test_sampled_counts_have_one_law(
    of: School, kind: str, request: pytest.FixtureRequest
) -> None:
    """False alarms: one in 10,000 for each kind, and the seed is fixed."""
    asked = Decoding(max_new_tokens=12, temperature=1.0, top_k=50)
    found = compared(of, kind, request.getfixturevalue(kind), asked, Lookahead(3))
    assert not found.problem


def test_another_head_is_found_out(of: School, eagle3: Path, medusa: Path) -> None:
    """What the check is for: a head that is not the one the trace was read with."""
    asked, chosen = Decoding(max_new_tokens=N_NEW), prompts.load("embedded")[::9]
    live = speculate.speculate(pair_of(of, "medusa", medusa), chosen, asked, 3)
    trace = traced(of, "eagle3", eagle3, chosen, asked)
    assert "count differently" in agreement.compare(trace, live).problem


def test_the_pass_over_the_prompt_drafts_nothing(of: School, medusa: Path) -> None:
    asked, chosen = Decoding(max_new_tokens=1), prompts.load("embedded")[:5]
    tally = speculate.count(pair_of(of, "medusa", medusa), chosen, asked, 3)
    assert tally.n_drafted.sum() == 0
    trace = traced(of, "medusa", medusa, chosen, Decoding(max_new_tokens=8))
    counts = replay(trace, Lookahead(3))
    assert np.all(counts.n_accepted <= counts.n_new_tokens - 2)
