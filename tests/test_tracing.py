"""Stored traces grow: only prompts that are missing are traced, and only the models that changed are run."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from specfair import pairs, prompts, tracer, tracing
from specfair.pairs import Pair
from specfair.prompts import Prompt, PromptSet
from specfair.store import Store
from specfair.trace import COLUMNS, Decoding, Trace

DECODING = Decoding(6)


@pytest.fixture(scope="module")
def pair() -> Pair:
    return pairs.load("embedded", "embedded", device="cpu")


@pytest.fixture(scope="module")
def some() -> PromptSet:
    return prompts.load("embedded", n_per_group=3)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What the tracer was asked to do, and for how many prompts; it does it."""
    seen: list[tuple[str, int]] = []

    def watched(name: str, work: Callable[..., Trace]) -> Callable[..., Trace]:
        def call(pair: Pair, asked: Sequence[Prompt] | Trace, *rest: Decoding, **options: object) -> Trace:
            seen.append((name, len(asked)))
            return work(pair, asked, *rest, **options)

        return call

    for name in ("trace", "rescore"):
        monkeypatch.setattr(tracer, name, watched(name, getattr(tracer, name)))
    return seen


def source(pair: Pair, like: Trace | None = None) -> tracing.Source:
    return tracing.Source(pair, DECODING, cost_ratio=lambda: 0.25, like=like)


def quiet(_: str) -> None:
    pass


def assert_same(a: Trace, b: Trace) -> None:
    assert a.prompts == b.prompts
    assert np.array_equal(a.offsets, b.offsets)
    for name in COLUMNS:
        assert np.allclose(a[name], b[name], atol=1e-5), name


def test_added_prompts_are_the_only_ones_traced(
    tmp_path: Path, pair: Pair, some: PromptSet, runs: list[tuple[str, int]]
) -> None:
    store, few = Store(tmp_path), some.only(some.groups[:4])
    first = tracing.traced(store, source(pair), few, quiet)
    whole = tracing.traced(store, source(pair), some, quiet)
    again = tracing.traced(store, source(pair), few, quiet)
    assert runs == [("trace", len(few)), ("trace", len(some) - len(few))]
    assert_same(first, again)
    assert_same(whole, tracer.trace(pair, some, DECODING))
    assert whole.header.prompts_fingerprint == some.fingerprint
    assert again.header.prompts_fingerprint == few.fingerprint
    assert whole.header.cost_ratio == 0.25


def test_every_portion_is_kept(
    tmp_path: Path, pair: Pair, some: PromptSet, runs: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is killed between two portions goes on where it stopped."""
    monkeypatch.setattr(tracing, "PORTION", 20)
    said: list[str] = []

    def stop(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tracing.traced(Store(tmp_path), source(pair), some, stop)
    assert runs == [("trace", 20)]
    found = tracing.traced(Store(tmp_path), source(pair), some, quiet)
    assert runs == [("trace", 20), ("trace", len(some) - 20)]
    assert_same(found, tracer.trace(pair, some, DECODING))


def test_the_target_s_text_is_read_again_for_another_draft(
    tmp_path: Path, pair: Pair, some: PromptSet, runs: list[tuple[str, int]]
) -> None:
    store = Store(tmp_path)
    first = tracing.traced(store, source(pair), some, quiet)
    itself = replace(pair, draft=pair.target, draft_fingerprint=pair.target_fingerprint)
    second = tracing.traced(store, source(itself, like=first), some, quiet)
    assert runs == [("trace", len(some)), ("rescore", len(some))]
    assert_same(second, tracer.trace(itself, some, DECODING))


def test_another_target_writes_its_own_text(
    tmp_path: Path, pair: Pair, some: PromptSet, runs: list[tuple[str, int]]
) -> None:
    store = Store(tmp_path)
    first = tracing.traced(store, source(pair), some, quiet)
    swapped = replace(pair, target=pair.draft, target_fingerprint=pair.draft_fingerprint)
    tracing.traced(store, source(swapped, like=first), some, quiet)
    assert [name for name, _ in runs] == ["trace", "trace"]


def test_who_waits_long_is_told_how_much_is_left(
    tmp_path: Path, pair: Pair, some: PromptSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    tracing.traced(Store(tmp_path / "quick"), source(pair), some, said.append)
    assert said == [f"{len(some)} of {len(some)} prompts, greedy, at most 6 new tokens"]
    monkeypatch.setattr(tracing, "PATIENCE", 0.0)
    tracing.traced(Store(tmp_path / "slow"), source(pair), some, said.append)
    assert said[-1] == "0 prompts to go"
