"""A draft is opened through one interface: the loops ask nothing else of it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from specfair.decoding import Decoding, Lookahead
from specfair.engine import speculate, tracer
from specfair.engine.drafts import Draft, Opened, draft_of
from specfair.engine.task import Task
from specfair.models.kinds import kind_of
from specfair.traces.trace import Trace
from tests import tiny_models
from tests.engine.test_tracer import assert_same

PAIR = tiny_models.pair()
METHODS = ("feed", "take_back", "keep_rows", "make_room", "join")


class Narrow:
    """Passes on the five methods of an opened draft, and has nothing else."""

    def __init__(self, inner: Opened) -> None:
        self.inner = inner
        for name in METHODS[:4]:
            setattr(self, name, getattr(inner, name))

    def join(self, other: "Narrow") -> None:
        self.inner.join(other.inner)


class NarrowDraft:
    def __init__(self, inner: Draft) -> None:
        self.inner = inner

    def open(self, rows: Sequence[int]) -> Narrow:
        return Narrow(self.inner.open(rows))


def narrowed(asked: Task) -> NarrowDraft:
    return NarrowDraft(draft_of(asked))


@pytest.mark.parametrize("decoding", [Decoding(9), Decoding(9, 1.0)], ids=str)
def test_the_loops_need_no_more_than_the_interface(
    decoding: Decoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = tiny_models.prompts(11)

    def run() -> tuple[Trace, ...]:
        live = speculate.speculate(PAIR, prompts, decoding, Lookahead(3), n_slots=4)
        return tracer.trace(PAIR, prompts, decoding), live.trace

    expected = run()
    for module in (tracer, speculate):
        monkeypatch.setattr(module, "draft_of", narrowed)
    for found, wanted in zip(run(), expected, strict=True):
        assert_same(found, wanted)


def test_a_model_draft_reads_as_its_model_does() -> None:
    tokens = torch.tensor([[5, 6, 7], [8, 9, 10]])
    with torch.no_grad():
        expected: Tensor = PAIR.draft(tokens).logits[:, -1:, : PAIR.n_vocab]
        asked = Task(PAIR, (), Decoding(), [])
        found = draft_of(asked).open([0, 1]).feed(tokens, keep=1)
    assert torch.allclose(found, expected.float(), atol=1e-5)


@pytest.mark.parametrize("decoding", [Decoding(9), Decoding(9, 1.0)], ids=str)
def test_a_draft_that_answers_for_all_starts_is_asked_once_with_the_text(
    decoding: Decoding,
) -> None:
    """Beside one that reads along: both have one text, each its own reading."""
    prompts = tiny_models.prompts(5)
    ahead = replace(PAIR, draft=kind_of("prompt-lookup:3"))
    alone = tracer.trace(PAIR, prompts, decoding)
    first, second = tracer.trace_drafts([ahead, PAIR], prompts, decoding)
    assert_same(second, alone)
    assert first.text is second.text
    again = tracer.reread([ahead], first.text)[0]
    assert first.by_start
    assert not second.by_start
    assert np.array_equal(again["ahead"], first["ahead"])
