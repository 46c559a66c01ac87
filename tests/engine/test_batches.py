"""Packing, halving, progress."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from specfair.decoding import Decoding
from specfair.engine import passes, tracer
from specfair.engine.batches import in_batches
from specfair.engine.cursor import Cursor
from specfair.engine.task import Task
from specfair.errors import ModelError
from tests import tiny_models
from tests.engine.test_tracer import assert_same

GREEDY = Decoding(12)
PAIR = tiny_models.pair()


def test_progress_counts_prompts() -> None:
    seen: list[tuple[int, int]] = []
    tracer.trace(
        PAIR,
        tiny_models.prompts(7),
        GREEDY,
        progress=lambda *at: seen.append(at),
        batch_tokens=60,
    )
    assert seen[-1] == (7, 7)
    assert len(seen) > 2
    assert seen == sorted(seen)


def test_a_batch_too_large_for_memory_is_halved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The device runs out above three rows, as a GPU would: at the allocation, with an
    OutOfMemoryError.
    """
    prompts = tiny_models.prompts(9)
    expected = tracer.trace(PAIR, prompts, GREEDY)
    sizes: list[int] = []
    monkeypatch.setattr(passes, "Cursor", limited(Cursor, sizes))
    assert_same(tracer.trace(PAIR, prompts, GREEDY), expected)
    assert max(sizes) == 9
    monkeypatch.setattr(passes, "Cursor", limited(Cursor, sizes, limit=0))
    with pytest.raises(
        ModelError,
        match=(
            r"prompt 'p0' does not fit into the memory of cpu even in a batch of "
            r"1: 1 tok"
        ),
    ):
        tracer.trace(PAIR, prompts[:1], GREEDY)


def limited(
    cursor: Callable[..., object], sizes: list[int], limit: int = 3
) -> Callable[..., object]:
    def made(model: object, n_rows: int, n_vocab: int) -> object:
        sizes.append(n_rows)
        if n_rows > limit:
            raise torch.OutOfMemoryError("out of memory")
        return cursor(model, n_rows, n_vocab)

    return made


@pytest.mark.parametrize("limit", [1, 200, 5000])
def test_batches_hold_everything_once_within_the_limit(limit: int) -> None:
    sizes = np.random.default_rng(0).integers(1, 50, 200)
    packed = batches_of(sizes.tolist(), limit)
    assert sorted(i for batch in packed for i in batch) == list(range(200))
    assert all(
        len(batch) == 1 or len(batch) * sizes[batch].max() <= limit for batch in packed
    )
    assert [sizes[batch].max() for batch in packed] == sorted(
        (sizes[batch].max() for batch in packed), reverse=True
    )


def batches_of(sizes: list[int], limit: int) -> list[list[int]]:
    """The rows of each batch, for prompts of so many tokens with the new one."""
    seen: list[list[int]] = []
    prompts, decoding = tiny_models.prompts(len(sizes)), Decoding(1)
    ids = [[1] * (size - 1) for size in sizes]
    asked = Task(PAIR, prompts, decoding, ids)
    in_batches(asked, lambda rows: seen.append(rows.tolist()), None, limit)
    return seen


def test_what_memory_taught_is_remembered() -> None:
    """After a failure no later batch is as large again: each costs time."""
    tried: list[int] = []

    def work(rows: np.ndarray) -> None:
        tried.append(len(rows))
        if len(rows) > 3:
            raise torch.OutOfMemoryError("out of memory")

    asked = Task(PAIR, tiny_models.prompts(20), Decoding(1), [[1] * 9] * 20)
    in_batches(asked, work, None, 160)
    assert tried == [16, 8, 4, 2, *[2] * 9]
    with pytest.raises(torch.OutOfMemoryError):
        in_batches(asked, work, None, 160, once=True)
