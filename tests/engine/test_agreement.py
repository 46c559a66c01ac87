"""Replay against live decoding: equal in greedy, equal in law when sampling, and a
wrong engine is found out.
"""

from dataclasses import replace

import numpy as np
import pytest

from specfair.audit.audit import Audit
from specfair.audit.case import Case
from specfair.audit.session import Session
from specfair.decoding import Decoding, Lookahead
from specfair.engine import agreement, speculate, tracer
from specfair.models import load
from specfair.models.pair import Pair
from specfair.texts import prompts
from specfair.traces.trace import Trace
from specfair.vocabulary import BASE, Stage
from tests.made_traces import altered

LOOKAHEAD = Lookahead(3)


@pytest.fixture(scope="module")
def pair() -> Pair:
    return load.load("embedded", "embedded")


def traced(pair: Pair, temperature: float) -> Trace:
    return tracer.trace(
        pair, prompts.load("embedded").limit(12), Decoding(8, temperature)
    )


def test_greedy_counts_are_equal_for_every_prompt(pair: Pair) -> None:
    trace = traced(pair, 0.0)
    live = speculate.speculate(pair, trace.prompts, trace.header.decoding, LOOKAHEAD)
    found = agreement.compare(trace, live)
    assert found.problem == ""
    assert found.n_prompts == len(trace)


def test_one_wrong_count_in_greedy_is_found(pair: Pair) -> None:
    trace = traced(pair, 0.0)
    live = speculate.speculate(pair, trace.prompts, trace.header.decoding, LOOKAHEAD)
    tally = replace(
        live.tally, n_accepted=live.tally.n_accepted + (np.arange(len(trace)) == 5)
    )
    problem = agreement.compare(trace, replace(live, tally=tally)).problem
    assert "differently for 1 prompts" in problem
    assert trace.prompts[5].id in problem


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_is_no_number_is_said_and_its_prompt_named(
    pair: Pair, temperature: float
) -> None:
    trace = traced(pair, temperature)
    live = speculate.speculate(pair, trace.prompts, trace.header.decoding, LOOKAHEAD)
    accept = trace["accept_prob"].copy()
    # the last token of the sixth, which no count looks at
    accept[trace.offsets[6] - 1] = np.nan
    found = agreement.compare(altered(trace, accept_prob=accept), live)
    assert found.problem == (
        f"the models' probabilities are NaN or infinite for 1 of {len(trace)} "
        f"prompts, {trace.prompts[5].id!r} first"
    )


def test_a_near_tie_is_left_out_and_counted(pair: Pair) -> None:
    trace = traced(pair, 0.0)
    live = speculate.speculate(pair, trace.prompts, trace.header.decoding, LOOKAHEAD)
    margin = trace["margin"].copy()
    margin[trace.offsets[5]] = 1e-6
    tied = altered(trace, margin=margin)
    tally = replace(
        live.tally, n_accepted=live.tally.n_accepted + (np.arange(len(trace)) == 5)
    )
    found = agreement.compare(tied, replace(live, tally=tally))
    assert found.problem == ""
    assert found.n_near_ties == agreement.compare(trace, live).n_near_ties + 1


def test_sampling_agrees_in_law(pair: Pair) -> None:
    """Ten groups at 4.5 standard errors: a false alarm in fewer than one of 1,000 runs,
    and the seeds are fixed.
    """
    trace = traced(pair, 1.0)
    live = speculate.speculate(pair, trace.prompts, trace.header.decoding, LOOKAHEAD)
    assert agreement.compare(trace, live).problem == ""


def test_a_wrong_law_is_found(pair: Pair) -> None:
    """Coins of half the probability: the same comparison refuses them, so that its
    silence means something.
    """
    trace = traced(pair, 1.0)
    wrong = altered(trace, accept_prob=trace["accept_prob"] / 2)
    live = speculate.speculate(pair, trace.prompts, trace.header.decoding, LOOKAHEAD)
    assert "standard errors" in agreement.compare(wrong, live).problem


def test_the_sample_takes_at_most_so_many_of_each_group(measured: Audit) -> None:
    assert agreement.sampled(measured.base.trace).all()
    text = measured.base.trace.text
    many = replace(measured.base.trace, text=replace(text, prompts=text.prompts * 30))
    assert agreement.sampled(many).sum() == 3 * agreement.N_SAMPLE


def test_disagreement_makes_verdicts_invalid(measured: Audit) -> None:
    from specfair import gates

    session = Session(
        measured.settings, lambda _: None, audits={measured.settings: measured}
    )
    case, bound = Case("base", "n", BASE, audits=[measured]), gates.Bound("gap", 0.9)
    assert (
        session.judge(measured.acceptance_rate.difference(), bound, case, "").decision
        == "pass"
    )
    session.doubts[measured.settings, BASE] = "replay and live decoding differ"
    verdict = session.judge(measured.acceptance_rate.difference(), bound, case, "")
    assert verdict.decision == "invalid"
    assert "replay and live decoding differ" in verdict.sentence


def test_a_base_pair_in_doubt_makes_the_gains_invalid(measured: Audit) -> None:
    from specfair import gates

    session = Session(
        measured.settings, lambda _: None, audits={measured.settings: measured}
    )
    session.doubts = {
        (measured.settings, BASE): "replay and live decoding differ",
        (measured.settings, Stage("imdb")): "",
    }
    case = Case("imdb", "n", Stage("imdb"), audits=[measured])
    assert (
        session.judge(
            measured.gain("imdb"), gates.Bound("gain", -1.0), case, ""
        ).decision
        == "invalid"
    )
