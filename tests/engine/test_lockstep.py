"""The loops: packing, halving, progress. What they compute is in test_tracer.py."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from specfair.decoding import Decoding
from specfair.engine import lockstep, tracer
from specfair.engine.columns import Sheet
from specfair.engine.decoder import Decoder
from specfair.errors import ModelError
from tests import tiny_models
from tests.engine.test_tracer import assert_same

GREEDY = Decoding(12)
PAIR = tiny_models.pair()


@pytest.mark.parametrize("n_numbers", [1, 20_000, 1 << 24])
def test_how_many_steps_the_draft_lags_behind_does_not_matter(
    n_numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step, a few, the whole text; with rows that leave in between."""
    pair = tiny_models.pair()
    pair.target.generation_config.eos_token_id = list(range(0, 300, 12))
    for decoding in (GREEDY, Decoding(12, temperature=1.0)):
        expected = tracer.trace(pair, tiny_models.prompts(20), decoding)
        monkeypatch.setattr(lockstep, "_CHUNK", {"cpu": n_numbers})
        assert_same(tracer.trace(pair, tiny_models.prompts(20), decoding), expected)
        assert_same(tracer.rescore(pair, expected), expected)


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
    monkeypatch.setattr(lockstep, "Decoder", limited(Decoder, sizes))
    assert_same(tracer.trace(PAIR, prompts, GREEDY), expected)
    assert max(sizes) == 9
    monkeypatch.setattr(lockstep, "Decoder", limited(Decoder, sizes, limit=0))
    with pytest.raises(
        ModelError,
        match=(
            r"prompt 'p0' does not fit into the memory of cpu even in a batch of "
            r"1: 1 tok"
        ),
    ):
        tracer.trace(PAIR, prompts[:1], GREEDY)


def limited(
    decoder: Callable[..., object], sizes: list[int], limit: int = 3
) -> Callable[..., object]:
    def made(model: object, n_rows: int, n_vocab: int) -> object:
        sizes.append(n_rows)
        if n_rows > limit:
            raise torch.OutOfMemoryError("out of memory")
        return decoder(model, n_rows, n_vocab)

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
    job = lockstep.Job(
        [PAIR],
        [[1] * (size - 1) for size in sizes],
        [Sheet(prompts, decoding, ())],
        decoding,
    )
    lockstep.in_batches(job, lambda _, rows: seen.append(rows.tolist()), None, limit)
    return seen


def test_what_memory_taught_is_remembered() -> None:
    """After a failure no later batch is as large again: each costs time."""
    tried: list[int] = []

    def work(_: object, rows: np.ndarray) -> None:
        tried.append(len(rows))
        if len(rows) > 3:
            raise torch.OutOfMemoryError("out of memory")

    decoding = Decoding(1)
    job = lockstep.Job(
        [PAIR], [[1] * 9] * 20, [Sheet(tiny_models.prompts(20), decoding, ())], decoding
    )
    lockstep.in_batches(job, work, None, 160)
    assert tried == [16, 8, 4, 2, *[2] * 9]
