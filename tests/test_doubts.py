"""Drafts that stop where they are not sure, and the target's own first layers as a
draft, count for count against transformers' generate.

Rounds and accepted tokens of every prompt are equal. Drafted ones are where the round
ended by doubt, budget or full match; after a rejected token the draft goes on from its
own words, which no trace of the target's text holds: there the count is a lower bound.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from transformers.generation import candidate_generator

from specfair.decoding import Decoding, Lookahead
from specfair.engine import speculate, tracer
from specfair.models import load
from specfair.models.kinds import kind_of
from specfair.models.pair import Pair, encode
from specfair.texts import prompts
from specfair.texts.prompts import Prompt
from specfair.traces.counting import AS_DEPLOYED
from specfair.traces.replay import replay
from specfair.traces.trace import Trace
from tests.made_traces import table
from tests.test_as_deployed import Watcher

DECODING = Decoding(20)


@pytest.fixture(scope="module")
def embedded() -> Iterator[Pair]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load.load("embedded", "embedded", device="cpu")
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def chosen() -> list[Prompt]:
    everything = prompts.load("embedded").prompts
    order = np.random.default_rng(9).permutation(len(everything))
    return [everything[i] for i in order[:100]]


@pytest.fixture(scope="module")
def traced(embedded: Pair, chosen: list[Prompt]) -> Trace:
    return tracer.trace(embedded, chosen, DECODING)


def compare(pair: Pair, trace: Trace, lookahead: Lookahead, **asked: object) -> None:
    """Every prompt of the trace, with transformers' own assisted generation."""
    counted = table(replay(trace, lookahead, counting=AS_DEPLOYED))
    ids, _ = encode(pair, trace.prompts, DECODING.max_new_tokens)
    texts = np.split(trace["token"], trace.offsets[1:-1])
    for tokens, text, expected in zip(ids, texts, counted, strict=True):
        watcher = Watcher()
        with offering(watcher):
            pair.target.generate(  # type: ignore[operator]  # an attribute of a module is a tensor to torch
                torch.tensor([tokens]),
                attention_mask=torch.ones(1, len(tokens)),
                max_new_tokens=DECODING.max_new_tokens,
                do_sample=False,
                streamer=watcher,
                **asked,
            )
        assert watcher.text == text.tolist()
        seen = watcher.counts
        seen[2] -= beyond_a_rejection(watcher)
        assert expected.tolist() == seen
    assert 0.2 < counted[:, 4].sum() / counted[:, 3].sum() < 0.95
    assert (counted[:, 2] > counted[:, 1]).mean() > 0.3


@contextmanager
def offering(watcher: Watcher) -> Iterator[None]:
    """The watcher is told what each round drafts; an early exit's target is its draft,
    so that what it is called with does not tell.
    """
    generator = candidate_generator.AssistedCandidateGenerator
    original = generator.get_candidates

    def told(self: Any, input_ids: Any, **other: Any) -> object:
        found = original(self, input_ids, **other)
        watcher.offered.append(found[0][0, input_ids.shape[1] :].tolist())
        return found

    with patch.object(generator, "get_candidates", told):
        yield


def beyond_a_rejection(watcher: Watcher) -> int:
    """Tokens drafted behind the first that was rejected."""
    pairs = zip(watcher.written, watcher.offered, strict=True)
    return sum(max(len(offered) - len(written), 0) for written, offered in pairs)


@pytest.mark.parametrize("threshold", [0.4, 0.85])
def test_a_fixed_threshold(embedded: Pair, traced: Trace, threshold: float) -> None:
    embedded.draft.generation_config.update(
        num_assistant_tokens=20,
        num_assistant_tokens_schedule="constant",
        assistant_confidence_threshold=threshold,
    )
    lookahead = Lookahead(20, "confidence", threshold)
    with patch.object(candidate_generator, "is_sklearn_available", lambda: False):
        compare(embedded, traced, lookahead, assistant_model=embedded.draft)


def test_a_threshold_that_moves(embedded: Pair, traced: Trace) -> None:
    pytest.importorskip("sklearn", reason="it is what makes transformers move it")
    embedded.draft.generation_config.update(
        num_assistant_tokens=20,
        num_assistant_tokens_schedule="constant",
        assistant_confidence_threshold=0.4,
    )
    lookahead = Lookahead(20, "adaptive", 0.4)
    compare(embedded, traced, lookahead, assistant_model=embedded.draft)
    fixed = replay(traced, Lookahead(20, "confidence", 0.4), counting=AS_DEPLOYED)
    moved = replay(traced, lookahead, counting=AS_DEPLOYED)
    assert (fixed.n_rounds != moved.n_rounds).any()


def test_the_first_layers_of_the_target(embedded: Pair, chosen: list[Prompt]) -> None:
    pair = load.load("embedded", "early-exit:2", device="cpu")
    trace = tracer.trace(pair, chosen, DECODING)
    embedded.target.generation_config.update(
        num_assistant_tokens=20, assistant_confidence_threshold=0.4
    )
    lookahead = Lookahead(20, "confidence", 0.4)
    compare(embedded, trace, lookahead, assistant_early_exit=2)


@pytest.mark.parametrize("schedule", ["confidence", "pmin"])
@pytest.mark.parametrize("decoding", [Decoding(16), Decoding(16, 1.0)], ids=str)
def test_live_decoding_stops_at_the_same_doubts(
    embedded: Pair, chosen: list[Prompt], schedule: str, decoding: Decoding
) -> None:
    """First choices: coins are certain, so every count of every prompt is equal, on the
    text that live decoding wrote.
    """
    pair = replace(embedded, first_choice=True)
    lookahead = Lookahead(8, schedule, 0.6)  # type: ignore[arg-type]  # mypy cannot see which
    live = speculate.speculate(pair, chosen, decoding, lookahead, n_slots=16)
    trace = tracer.trace(pair, chosen, decoding)
    if not decoding.greedy:
        trace = reread(pair, trace, live.texts)
    np.testing.assert_array_equal(table(replay(trace, lookahead)), table(live.tally))
    assert 0.2 < live.tally.n_accepted.sum() / live.tally.n_tested.sum() < 1


def reread(pair: Pair, like: Trace, texts: tuple[np.ndarray, ...]) -> Trace:
    """A trace of the texts that live decoding wrote."""
    lengths = [len(t) for t in texts]
    columns = {n: np.zeros(sum(lengths), c.dtype) for n, c in like.text.columns.items()}
    columns["token"] = np.concatenate(texts)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    text = replace(like.text, offsets=offsets, columns=columns)
    return tracer.reread([pair], text)[0]


def test_a_kind_that_looks_up_has_nothing_to_doubt(
    embedded: Pair, chosen: list[Prompt]
) -> None:
    pair = replace(embedded, draft=kind_of("prompt-lookup:4"))
    trace = tracer.trace(pair, chosen[:4], DECODING)
    with pytest.raises(Exception, match="gives no probabilities to doubt"):
        replay(trace, Lookahead(4, "confidence", 0.4))
