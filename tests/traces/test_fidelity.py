"""Texts of a target's law, and texts of another, found by how surprising they are."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from specfair.decoding import Decoding
from specfair.engine import tracer
from specfair.models import load
from specfair.models.pair import Pair
from specfair.texts import prompts
from specfair.traces.fidelity import Z, surprise, unlike
from specfair.traces.trace import Trace

PLAIN = Decoding(8, temperature=1.0)
FILTERED = Decoding(8, temperature=0.8, top_k=20, top_p=0.9)


@pytest.fixture(scope="module")
def pair() -> Pair:
    return load.load("embedded", "embedded", device="cpu")


def texts(pair: Pair, decoding: Decoding, seed: int = 0, n: int = 150) -> Trace:
    chosen = prompts.load("embedded")[:: 1500 // n][:n]
    return tracer.trace(pair, chosen, replace(decoding, seed=seed))


def as_if(trace: Trace, pair: Pair, decoding: Decoding) -> Trace:
    """Its texts, as if they were written with this decoding."""
    text = replace(trace.text, header=replace(trace.header, decoding=decoding))
    return replace(trace, text=tracer.scored(pair, text))


@pytest.mark.parametrize("decoding", [PLAIN, FILTERED])
def test_the_targets_own_texts_are_its_own(pair: Pair, decoding: Decoding) -> None:
    """False alarms: one in 10,000, and seeds are fixed."""
    own = texts(pair, decoding)
    problem, said = unlike(texts(pair, decoding, seed=1), own)
    assert problem == ""
    assert "nats for each token under the target" in said


@pytest.mark.parametrize("decoding", [PLAIN, FILTERED])
@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.5])
def test_other_texts_are_not(
    pair: Pair, decoding: Decoding, temperature: float
) -> None:
    """Sharper and flatter ones, and those that were never drawn."""
    other = as_if(texts(pair, Decoding(8, temperature=temperature)), pair, decoding)
    problem, _ = unlike(other, texts(pair, decoding))
    assert "were expected: it is lossy" in problem


def test_without_the_targets_texts_a_filter_is_not_judged(pair: Pair) -> None:
    assert unlike(texts(pair, FILTERED, n=30)) == ("", "")


def test_what_the_target_cannot_write_surprises_it_so_much(pair: Pair) -> None:
    """An impossible token counts, once and finitely; NaN is never fine."""
    own = texts(pair, FILTERED, n=30)
    for value in (0.0, np.nan):
        columns = {**own.text.columns, "target_prob": own["target_prob"] * value}
        broken = replace(own, text=replace(own.text, columns=columns))
        assert not np.isinf(surprise(broken)).any()
        assert unlike(broken, own)[0]


def errors(pair: Pair, decoding: Decoding, n_sets: int) -> Iterator[float]:
    """Standard errors that the target's own texts are off, set by set."""
    whole = texts(pair, decoding, n=1400)
    order = np.random.default_rng(0).permutation(len(whole))
    for places in np.array_split(order, n_sets):
        some = whole.select(np.sort(places))
        excess = some.per_prompt(surprise(some) - some["target_entropy"])
        yield float(excess.sum() / np.linalg.norm(excess))


def test_the_error_is_its_standard_error(pair: Pair) -> None:
    """Of 56 sets of 25 texts the mean square lies within four of its own standard
    errors of 1, and none crosses the threshold.
    """
    found = np.array(list(errors(pair, PLAIN, 56)))
    assert abs(np.mean(found**2) - 1) < 4 * np.sqrt(2 / len(found))
    assert np.abs(found).max() < Z
