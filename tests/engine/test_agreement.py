"""Replay against live decoding: equal in greedy, equal in law when sampling, and a
wrong engine is found out.
"""

from collections import Counter
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
from specfair.texts.prompts import Prompt
from specfair.traces.metrics import sample
from specfair.traces.trace import COLUMNS, Trace
from specfair.vocabulary import BASE, Stage
from tests.made_traces import altered, made

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


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_target_s_first_layers_agree_whatever_the_temperature(
    temperature: float,
) -> None:
    own = load.load("embedded", "early-exit:2")
    trace = traced(own, temperature)
    live = speculate.speculate(own, trace.prompts, trace.header.decoding, LOOKAHEAD)
    assert len(trace) >= 100
    assert agreement.compare(trace, live).problem == ""
    assert 0.2 < sample(trace, "acceptance_rate", LOOKAHEAD).value < 0.95
    worse = altered(trace, accept_prob=trace["accept_prob"] * 0.5)
    if temperature:
        assert "standard errors apart" in agreement.compare(worse, live).problem


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
def test_speculation_that_writes_another_text_is_found(
    pair: Pair, temperature: float
) -> None:
    """One token of one text where every byte must be equal; where both are draws,
    texts that are all cut in half, with the counts as they were.
    """
    trace = traced(pair, temperature)
    live = speculate.speculate(pair, trace.prompts, trace.header.decoding, LOOKAHEAD)
    assert agreement.compare(trace, live).problem == ""
    texts = [text.copy() for text in live.texts]
    if temperature:
        texts = [text[: len(text) // 2] for text in texts]
    else:
        texts[5][0] += 1
    problem = agreement.compare(trace, replace(live, texts=tuple(texts))).problem
    said = "texts of length" if temperature else "different texts for 1 prompts"
    assert said in problem


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


@pytest.fixture(scope="module")
def sampled(pair: Pair) -> tuple[Trace, speculate.Live]:
    trace = tracer.trace(
        pair, prompts.load("embedded"), Decoding(20, 1.0, ignore_eos=True)
    )
    some = trace.select(agreement.sampled(trace))
    decoding = some.header.decoding
    return some, speculate.speculate(pair, some.prompts, decoding, LOOKAHEAD)


def test_sampling_agrees_in_law(sampled: tuple[Trace, speculate.Live]) -> None:
    """3.9 standard errors: a false alarm in one of 10,000, and the seeds are fixed."""
    assert agreement.compare(*sampled).problem == ""


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_replay_that_is_wrong_by_two_points_is_found(
    sampled: tuple[Trace, speculate.Live], sign: int
) -> None:
    """The same comparison refuses it, so that its silence means something. .02 is 6
    standard errors here (.0034 each): missed once in fifty, and the seeds are fixed.
    Of texts that end where the target ends them .02 is 5.3: missed once in twelve.
    """
    trace, live = sampled
    right = sample(trace, "acceptance_rate", LOOKAHEAD).value
    wrong = altered(
        trace, **{c: trace[c] + sign * 0.02 for c in ("accept_prob", "overlap")}
    )
    moved = sample(wrong, "acceptance_rate", LOOKAHEAD).value - right
    assert moved == pytest.approx(sign * 0.02, abs=0.0005)
    problem = agreement.compare(wrong, live).problem
    assert f"accept {right + moved:.3f} and" in problem
    assert "standard errors apart" in problem


def test_the_sample_is_even_over_groups_identities_and_templates() -> None:
    """Of a set whose prompts stand identity by identity, as HONEST's do."""
    shape = {"many": 30, "some": 25, "few": 2}
    texts = [
        Prompt(f"{g}{i}-{t}", g, f"{g}{i}", f"t{t}", "text")
        for g, n in shape.items()
        for i in range(n)
        for t in range(15)
    ]
    columns = {name: np.ones(len(texts), kind) for name, kind in COLUMNS.items()}
    trace = made(texts, [1] * len(texts), columns, decoding=Decoding(20))
    kept = trace.select(agreement.sampled(trace)).prompts
    assert len(kept) == agreement.N_EXACT
    sizes = Counter(p.group for p in kept)
    assert sizes["few"] == 30  # all of it
    assert abs(sizes["many"] - sizes["some"]) <= 1
    identities = Counter(p.cluster for p in kept if p.group != "few")
    assert len(identities) == 55
    for group in ("many", "some"):
        by_identity = [n for name, n in identities.items() if name.startswith(group)]
        assert max(by_identity) - min(by_identity) <= 1
        templates = Counter(p.template for p in kept if p.group == group)
        assert max(templates.values()) - min(templates.values()) <= 8
    drawn = made(texts, [1] * len(texts), columns, decoding=Decoding(20, 1.0))
    assert agreement.sampled(drawn).all()


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
