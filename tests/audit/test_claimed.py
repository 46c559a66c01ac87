"""A server's texts and counts beside those of the pair that it is said to be."""

from dataclasses import replace

import numpy as np
import pytest

from specfair.audit import claimed
from specfair.audit.served import Counted, Served
from specfair.audit.work import Work
from specfair.decoding import Decoding, Lookahead
from specfair.engine.tracer import trace
from specfair.models.load import load
from specfair.models.pair import Pair
from specfair.servers.adapter import About
from specfair.texts import prompts
from specfair.texts.prompts import Prompt
from specfair.traces.counting import SERVED
from specfair.traces.replay import replay
from specfair.traces.tally import Tally
from specfair.traces.trace import Trace

FIVE = Lookahead(5)


@pytest.fixture(scope="module")
def pair() -> Pair:
    return replace(load("embedded", "embedded"), first_choice=True)


@pytest.fixture(scope="module")
def few() -> tuple[Prompt, ...]:
    return tuple(prompts.load("embedded").limit(20))


def served(wrote: Trace, tally: Tally) -> Served:
    told = Counted(wrote.prompts, (), tally, 5)
    return Served(About("llama.cpp", "m", {}), "http://h", wrote, told)


def written(pair: Pair, few: tuple[Prompt, ...], decoding: Decoding) -> Trace:
    """What a server with this decoding would write, and say that it is at temperature
    1.
    """
    found = trace(pair, few, decoding)
    header = replace(found.header, decoding=Decoding(25, temperature=1.0))
    return replace(found, text=replace(found.text, header=header))


@pytest.mark.parametrize(
    ("decoding", "lossy"),
    [
        (Decoding(25, temperature=1.0, seed=1), False),
        (Decoding(25, temperature=1.0, seed=2), False),
        (Decoding(25, temperature=1.4), True),
        (Decoding(25, temperature=0.7), True),
        (Decoding(25, temperature=1.0, top_k=3), True),
        (Decoding(25), True),
    ],
)
def test_sampled_texts_surprise_the_target_as_they_must(
    pair: Pair, few: tuple[Prompt, ...], decoding: Decoding, lossy: bool
) -> None:
    """One server of 10,000 that is none is called lossy."""
    wrote = written(pair, few, decoding)
    read = Work(pair).read_of_others(wrote.text)
    tally = replay(read, FIVE, counting=SERVED)
    problem, said = claimed.of_its_texts(served(wrote, tally), read, FIVE)
    assert ("it is lossy" in problem) == lossy
    assert said.startswith("200 of 200 requests count as a replay of the pair does")


def test_greedy_texts_are_the_targets_own(pair: Pair, few: tuple[Prompt, ...]) -> None:
    own = trace(pair, few, Decoding(25))
    told = replay(own, FIVE, counting=SERVED)
    assert claimed.of_own_texts(served(own, told), own, FIVE) == (
        "",
        "200 of 200 requests count as a replay of the pair does; 200 texts are the "
        "target's own",
    )
    tokens = own["token"].copy()
    sure = int(np.flatnonzero(own["margin"][own.offsets[:-1]] > 0.5)[0])
    tokens[own.offsets[sure]] += 1
    columns = {**own.text.columns, "token": tokens}
    other = replace(own, text=replace(own.text, columns=columns))
    problem, said = claimed.of_own_texts(served(other, told), own, FIVE)
    assert f"after 1 of 200 prompts, {few[sure].id!r} first: it is lossy" in problem
    assert said.startswith("199 of 199")


def test_counts_are_compared_request_by_request(
    pair: Pair, few: tuple[Prompt, ...]
) -> None:
    """A few may differ by rounding; what a server does not tell is not compared."""
    own = trace(pair, few, Decoding(25))
    told = replay(own, FIVE, counting=SERVED)
    silent = replace(told, n_tested=np.full(200, np.nan))
    assert claimed.of_own_texts(served(own, silent), own, FIVE)[0] == ""
    for n, wrong in ((4, False), (5, True)):
        moved = told.n_rounds.copy()
        moved[:n] += 1
        tally = replace(told, n_rounds=moved)
        problem, said = claimed.of_own_texts(served(own, tally), own, FIVE)
        assert bool(problem) == wrong
        assert said.startswith(f"{200 - n} of 200")
