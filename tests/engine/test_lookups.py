"""Lookups count for count against transformers' own, against plain references, and
against live decoding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from specfair.decoding import Decoding, Lookahead
from specfair.engine import speculate, tracer
from specfair.engine.lookups import Lookup
from specfair.engine.task import Task
from specfair.models import load
from specfair.models.kinds import kind_of
from specfair.models.pair import Pair, encode
from specfair.texts import prompts
from specfair.texts.prompts import Prompt
from specfair.traces.counting import AS_DEPLOYED
from specfair.traces.replay import replay
from specfair.traces.trace import Text, Trace
from tests import tiny_models
from tests.made_traces import table
from tests.test_as_deployed import Watcher


@pytest.fixture(scope="module")
def embedded() -> Iterator[Pair]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load.load("embedded", "prompt-lookup:10", device="cpu")
    torch.set_num_threads(threads)


def chosen(n: int) -> list[Prompt]:
    everything = prompts.load("embedded").prompts
    order = np.random.default_rng(7).permutation(len(everything))
    return [everything[i] for i in order[:n]]


@pytest.fixture(scope="module")
def echoing(embedded: Pair) -> list[Prompt]:
    """100 prompts that stand there twice, with what the target wrote between: so there
    is something to be found.
    """
    once = tracer.trace(embedded, chosen(100), Decoding(6))
    return [
        replace(p, text=f"{p.text}{embedded.tokenizer.decode(t)} {p.text}")
        for p, t in zip(once.prompts, texts_of(once), strict=True)
    ]


def texts_of(trace: Trace) -> list[list[int]]:
    return [part.tolist() for part in np.split(trace["token"], trace.offsets[1:-1])]


@pytest.mark.parametrize(
    ("written", "n_new"),
    [("prompt-lookup:10", 12), ("prompt-lookup:3/1", 8), ("prompt-lookup:4/3", 16)],
)
def test_prompt_lookup_counts_as_transformers_does(
    embedded: Pair, echoing: list[Prompt], written: str, n_new: int
) -> None:
    """Rounds, drafted and accepted tokens of 100 prompts in each of three settings."""
    kind = kind_of(written)
    n, size = kind.numbers[0], next(iter(kind.numbers[1:]), None)
    pair, decoding = replace(embedded, draft=kind), Decoding(n_new)
    trace = tracer.trace(pair, echoing, decoding)
    counted = table(replay(trace, Lookahead(n), counting=AS_DEPLOYED))
    ids, _ = encode(pair, echoing, n_new)
    for tokens, text, expected in zip(ids, texts_of(trace), counted, strict=True):
        watcher = _watched(pair, tokens, n_new, n=n, size=size)
        assert watcher.text == text
        assert expected.tolist() == watcher.counts
    assert 0.2 < counted[:, 4].sum() / counted[:, 3].sum() < 0.95


def _watched(
    pair: Pair, tokens: list[int], n_new: int, *, n: int, size: int | None
) -> Watcher:
    watcher = Watcher()
    hook = pair.target.register_forward_pre_hook(
        watcher.before_target, with_kwargs=True
    )
    try:
        pair.target.generate(  # type: ignore[operator]  # an attribute of a module is a tensor to torch
            torch.tensor([tokens]),
            attention_mask=torch.ones(1, len(tokens)),
            prompt_lookup_num_tokens=n,
            max_matching_ngram_size=size,
            max_new_tokens=n_new,
            do_sample=False,
            streamer=watcher,
        )
    finally:
        hook.remove()
    return watcher


@pytest.mark.parametrize("decoding", [Decoding(12), Decoding(12, 1.0)], ids=str)
def test_rounds_of_n_grams_are_those_of_a_plain_loop(
    embedded: Pair, echoing: list[Prompt], decoding: Decoding
) -> None:
    """100 prompts that repeat themselves, as n-grams are used for. A first choice is
    taken where it is the text's token, so sampled counts are equal as well, not in law.
    """
    pair = replace(embedded, draft=kind_of("ngram:5,2-4"))
    trace = tracer.trace(pair, echoing, decoding)
    tally = replay(trace, Lookahead(5))
    ids, _ = encode(pair, echoing, decoding.max_new_tokens)
    found = [plainly(*each) for each in zip(ids, texts_of(trace), strict=True)]
    assert list(zip(tally.n_rounds, tally.n_accepted, strict=True)) == found
    assert 0.2 < tally.n_accepted.sum() / tally.n_tested.sum() < 0.95


def plainly(before: list[int], text: list[int]) -> tuple[int, int]:
    """Rounds and accepted tokens: five ahead, the longest of 4, 3 or 2, the earliest."""
    at, n_rounds, n_accepted = 0, 0, 0
    while at < len(text):
        seen, proposed = before + text[:at], list[int]()
        for size in (4, 3, 2):
            places = [i for i in range(len(seen) - size) if ends_as(seen, i, size)]
            if places:
                proposed = seen[places[0] + size :][:5]
                break
        taken = 0
        for proposal, token in zip(proposed, text[at:-1], strict=False):
            if proposal != token:
                break
            taken += 1
        at, n_rounds, n_accepted = at + taken + 1, n_rounds + 1, n_accepted + taken
    return n_rounds, n_accepted


def ends_as(seen: list[int], i: int, size: int) -> bool:
    return seen[i : i + size] == seen[-size:]


sequences = st.lists(st.integers(0, 3), min_size=1, max_size=12)


# a busy machine takes longer than the deadline, whatever is looked up
UNHURRIED = settings(deadline=None)


@UNHURRIED
@given(
    st.lists(st.tuples(sequences, sequences), min_size=1, max_size=4),
    st.integers(1, 5),
    st.tuples(st.integers(1, 3), st.integers(0, 2)),
    st.sampled_from([(), (0,)]),
)
def test_all_starts_at_once_propose_what_each_would(
    drawn: list[tuple[list[int], list[int]]],
    n: int,
    sizes: tuple[int, int],
    eos: tuple[int, ...],
) -> None:
    lookup = Lookup(n, sizes[0], sum(sizes), 4, eos)
    found = lookup.read(*_asked(drawn))
    row = 0
    for before, text in drawn:
        for at in range(len(text)):
            proposed = lookup.propose(before + text[:at])
            assert found["drafted"][row] == len(proposed)
            assert found["proposal"][row] == (proposed or [-1])[0]
            agree = [p == t for p, t in zip(proposed, text[at:], strict=False)]
            assert found["ahead"][row, : len(agree)].tolist() == agree
            row += 1


def _asked(drawn: Sequence[tuple[list[int], list[int]]]) -> tuple[Task, Text]:
    made = tuple(Prompt(str(i), "g", "c", "", "t") for i in range(len(drawn)))
    asked = Task(tiny_models.pair(), made, Decoding(99), [b for b, _ in drawn])
    tokens = np.concatenate([t for _, t in drawn]).astype(np.int32)
    offsets = np.cumsum([0, *(len(t) for _, t in drawn)])
    return asked, Text(asked.header, made, offsets, {"token": tokens})


@UNHURRIED
@given(sequences, st.integers(1, 3), st.integers(0, 2), st.integers(1, 4))
def test_n_grams_are_vllms(text: list[int], least: int, more: int, n: int) -> None:
    """Against the rule as it is told: of the sizes, the longest that occurred before;
    of its places the earliest.
    """
    expected: list[int] = []
    for size in range(least + more, least - 1, -1):
        tail = text[len(text) - size :]
        places = [i for i in range(len(text) - size) if text[i : i + size] == tail]
        if places and size < len(text):
            expected = text[places[0] + size :][:n]
            break
    assert Lookup(n, least, least + more, 4).propose(text) == expected


@pytest.mark.parametrize(
    ("text", "written", "expected"),
    [
        ([1, 2, 3, 9, 1, 2], "ngram:3,1-2", [3, 9, 1]),
        ([1, 2, 3, 2, 4, 2], "ngram:2,1-2", [3, 2]),  # the earliest
        ([5, 1, 2, 7, 6, 1, 2, 8, 6, 1, 2], "ngram:1,2-3", [8]),  # the longest
        ([1, 2, 3], "ngram:3,1-3", []),
        ([2, 2], "ngram:5,1-1", [2]),  # no further than the text
        ([3, 1, 4, 3], "ngram:5,2-4", []),  # too short a match
        ([0, 1, 0, 1, 0], "prompt-lookup:4/2", []),  # cut before the end of a text
    ],
)
def test_made_by_hand(text: list[int], written: str, expected: list[int]) -> None:
    pair = replace(tiny_models.pair(), draft=kind_of(written))
    asked = Task(pair, (), Decoding(), [])
    eos = (1,) if written.startswith("prompt") else ()
    lookup = replace(Lookup.of(pair.draft, asked), eos=eos)
    assert lookup.propose(text) == expected


@pytest.mark.parametrize("written", ["prompt-lookup:6/3", "ngram:5,2-4"])
@pytest.mark.parametrize("decoding", [Decoding(12), Decoding(12, 1.0)], ids=str)
def test_live_decoding_counts_what_the_replay_counts(
    embedded: Pair, echoing: list[Prompt], written: str, decoding: Decoding
) -> None:
    """Greedy, every count of every prompt; sampling, the tested proposals are those of
    the text that was written, and their coins are its coins.
    """
    pair = replace(embedded, draft=kind_of(written))
    live = speculate.speculate(pair, echoing, decoding, Lookahead(5), n_slots=16)
    trace = tracer.trace(pair, echoing, decoding)
    if not decoding.greedy:
        trace = _reread(pair, trace, live.texts)
    np.testing.assert_array_equal(table(replay(trace, Lookahead(5))), table(live.tally))
    assert 0.2 < live.tally.n_accepted.sum() / live.tally.n_tested.sum() < 0.95


def _reread(pair: Pair, like: Trace, texts: Sequence[np.ndarray]) -> Trace:
    """A trace of the texts that live decoding wrote."""
    lengths = [len(t) for t in texts]
    columns = {n: np.zeros(sum(lengths), c.dtype) for n, c in like.text.columns.items()}
    columns["token"] = np.concatenate(texts)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    text = replace(like.text, offsets=offsets, columns=columns)
    return tracer.reread([pair], text)[0]


def test_no_model_is_called_for_a_text_that_is_there(embedded: Pair) -> None:
    trace = tracer.trace(embedded, chosen(5), Decoding(8))
    called: list[object] = []
    hook = embedded.target.register_forward_pre_hook(lambda *_: called.append(1))
    try:
        again = tracer.reread([embedded], trace.text)[0]
    finally:
        hook.remove()
    assert not called
    assert np.array_equal(again["ahead"], trace["ahead"])
    assert trace["target_prob"].min() > 0
