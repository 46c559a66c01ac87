"""Stored traces grow: only prompts that are missing are traced, and only the models
that changed are run.
"""

import copy
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from specfair import config
from specfair.audit import pace, tracing
from specfair.audit.work import Work
from specfair.decoding import Decoding
from specfair.engine import output, tracer
from specfair.models import load
from specfair.models.kinds import kind_of
from specfair.models.pair import Pair
from specfair.store import Store, digest
from specfair.texts import prompts
from specfair.texts.prompts import Prompt, PromptSet
from specfair.traces.stored import load_text, save_text
from specfair.traces.trace import COLUMNS, Text, Trace

DECODING = Decoding(6)


@pytest.fixture(scope="module")
def pair() -> Pair:
    return load.load("embedded", "embedded", device="cpu")


@pytest.fixture(scope="module")
def some() -> PromptSet:
    return prompts.load("embedded", n_per_group=3)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What the tracer was asked to do, and for how many prompts; it does it."""
    seen: list[tuple[str, int]] = []

    def watched(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(
            pairs: Sequence[Pair],
            asked: Sequence[Prompt] | Text,
            *rest: Decoding,
            **options: object,
        ) -> Any:
            n = len(asked.prompts) if isinstance(asked, Text) else len(asked)
            seen.append((name, n))
            return work(pairs, asked, *rest, **options)

        return call

    for name in ("trace_drafts", "reread"):
        monkeypatch.setattr(tracer, name, watched(name, getattr(tracer, name)))
    return seen


def source(
    pair: Pair, decoding: Decoding = DECODING, *, keep_states: float = 1e9
) -> tracing.Writer:
    return tracing.Writer(
        pair.identity, decoding, work=lambda: Work(pair), keep_states=keep_states
    )


def quiet(_: str) -> None:
    pass


def assert_equal(a: Trace, b: Trace) -> None:
    """To the last bit."""
    assert a.prompts == b.prompts
    assert [n for n in COLUMNS if not np.array_equal(a[n], b[n], equal_nan=True)] == []


def assert_same(a: Trace, b: Trace) -> None:
    assert a.prompts == b.prompts
    assert np.array_equal(a.offsets, b.offsets)
    for name in COLUMNS:
        assert np.allclose(a[name], b[name], atol=1e-5), name


# another value of each, which must lead to another trace
DECODING_FIELDS: dict[str, object] = {
    "max_new_tokens": 7,
    "temperature": 0.5,
    "top_k": 3,
    "top_p": 0.5,
    "seed": 1,
    "ignore_eos": True,
}
THROUGH_DECODING = set(DECODING_FIELDS)
THROUGH_THE_PAIR = {
    "target",
    "draft",
    "tuned_target",
    "tuned_draft",
    "deployed_as",
    "proposals",
    "device",
    "dtype",
    "allow_pickle",
    "truncate",
}
NOT_IN_THE_KEY = {
    "drafts": "each is the draft of an audit of its own",
    "device_map": "where the weights lie, not what they are",
    "prompts": "a stored trace says which prompts it holds",
    "groups": "likewise",
    "prompts_per_group": "likewise",
    "continuations": "likewise",
    "min_prompts": "likewise",
    "ambiguous": "likewise",
    "corpora": "changes the tuned weights, whose fingerprints are in the key",
    "datasets": "likewise",
    "checkpoints": "likewise",
    "recipe": "likewise",
    "server": "writes the text itself, and nothing is traced",
    "server_plain": "likewise",
    "server_run": "likewise",
    "order_check": "likewise",
    "concurrency": "likewise",
    "timeout": "likewise",
    "retries": "likewise",
    "lookahead": "replayed",
    "counting": "likewise",
    "cost_ratio": "no column",
    "workers": "who does it, which changes nothing",
    "lexicon": "read beside the text, which is the same",
    "judge": "likewise",
    "judge_reads": "likewise",
    "perplexity_by": "likewise",
    "keep_states": "kept beside the text, which is the same",
    "root": "where relative places start; what lies there is in the key",
    "engine": "reads the trace",
    "report": "output",
    "store": "place",
    "strict": "verdicts",
    "baseline": "verdicts",
    "gates": "verdicts",
    "waivers": "verdicts",
    "scope": "verdicts",
    "by": "verdicts",
    "family": "verdicts",
}


def name_of(pair: Pair, decoding: Decoding) -> str:
    return digest(tracing.text_key(pair.identity, decoding))


def test_every_setting_is_in_the_key_or_rightly_not() -> None:
    """A new field fails here until somebody decides what it does to stored traces."""
    decided = THROUGH_DECODING | THROUGH_THE_PAIR | set(NOT_IN_THE_KEY)
    assert {f.name for f in fields(config.Settings)} == decided
    assert {f.name for f in fields(Decoding)} == set(DECODING_FIELDS)


@pytest.mark.parametrize("field", DECODING_FIELDS)
def test_another_decoding_is_another_trace(pair: Pair, field: str) -> None:
    sampled = Decoding(6, temperature=1.0)
    changed = replace(sampled, **{field: DECODING_FIELDS[field]})  # type: ignore[arg-type]  # mypy does not follow names
    assert name_of(pair, changed) != name_of(pair, sampled)
    assert (
        config.override(config.Settings(), {field: DECODING_FIELDS[field]}).decoding
        != Decoding()
    )


def test_another_target_is_another_text(pair: Pair) -> None:
    eos = copy.deepcopy(pair.target)
    eos.generation_config.eos_token_id = 5
    others = [
        replace(pair, target_fingerprint="x"),
        replace(pair, tokenizer_fingerprint="x"),
        replace(pair, truncate=True),
        replace(pair, target=eos),
        replace(pair, target=copy.deepcopy(pair.target).double()),
    ]
    names = [name_of(other, DECODING) for other in (pair, *others)]
    assert len(set(names)) == len(names)
    cut = replace(pair, truncate=True).identity
    shorter = replace(cut, context=100)
    assert tracing.text_key(cut, DECODING) != tracing.text_key(shorter, DECODING)


def test_another_draft_is_another_reading_of_the_same_text(pair: Pair) -> None:
    other = replace(pair, draft_fingerprint="x")
    assert name_of(other, DECODING) == name_of(pair, DECODING)
    assert tracing.key_of(other.identity, DECODING) != tracing.key_of(
        pair.identity, DECODING
    )


def test_first_choices_are_another_reading_where_the_target_samples(pair: Pair) -> None:
    first, sampled = replace(pair, first_choice=True).identity, Decoding(6, 1.0)
    assert tracing.text_key(first, sampled) == tracing.text_key(pair.identity, sampled)
    for decoding, same in ((sampled, False), (DECODING, True)):
        keys = [tracing.key_of(each, decoding) for each in (first, pair.identity)]
        assert (keys[0] == keys[1]) == same


def test_nothing_is_drawn_under_greedy_decoding_so_that_the_seed_is_not_in_the_key(
    tmp_path: Path, pair: Pair, some: PromptSet, runs: list[tuple[str, int]]
) -> None:
    first = tracing.traced(Store(tmp_path), source(pair), some, quiet)
    seeded = source(pair, decoding=replace(DECODING, seed=3))
    again = tracing.traced(Store(tmp_path), seeded, some, quiet)
    assert runs == [("trace_drafts", len(some))]
    assert again.header.decoding.seed == 3
    assert_same(first, again)


def test_seeds_of_sampled_text_do_not_share_a_trace(
    tmp_path: Path, pair: Pair, some: PromptSet
) -> None:
    texts = []
    for seed in range(4):
        asked = source(pair, decoding=Decoding(6, temperature=1.0, seed=seed))
        texts.append(
            tracing.traced(Store(tmp_path), asked, some, quiet)["token"].tobytes()
        )
    assert len(set(texts)) == 4


def test_more_texts_a_prompt_leave_the_first_ones_alone(
    tmp_path: Path, pair: Pair, some: PromptSet, runs: list[tuple[str, int]]
) -> None:
    """Only the new ones are written, none is another's, and the first is what a single
    one is.
    """
    asked = source(pair, decoding=Decoding(6, temperature=1.0))
    one = tracing.traced(Store(tmp_path), asked, some.written(1), quiet)
    three = tracing.traced(Store(tmp_path), asked, some.written(3), quiet)
    n = len(some)
    assert runs == [("trace_drafts", n), ("trace_drafts", 2 * n)]
    assert one.prompts == some.prompts
    assert_same(one, three.select(np.arange(n)))
    written = [three.select(np.arange(k * n, (k + 1) * n)) for k in range(3)]
    assert len({text["token"].tobytes() for text in written}) == 3
    assert [p.id for p in written[2].prompts] == [p.id for p in some]
    # drawn anew: they agree on no more first tokens than texts of other seeds do
    firsts = [text["token"][text.offsets[:-1]] for text in written]
    assert (firsts[0] == firsts[1]).mean() < 0.5


def test_the_order_of_tracing_does_not_show(
    tmp_path: Path, pair: Pair, some: PromptSet
) -> None:
    """Backwards in two portions, or at once: the same header, the same prompts, the
    same numbers.
    """
    store = Store(tmp_path / "turned")
    turned = replace(some, prompts=some.prompts[::-1])
    tracing.traced(store, source(pair), turned.only(some.groups[4:]), quiet)
    found = tracing.traced(store, source(pair), some, quiet)
    expected = tracing.traced(Store(tmp_path / "straight"), source(pair), some, quiet)
    assert found.header == expected.header
    assert_same(found, expected)


def test_added_prompts_are_the_only_ones_traced(
    tmp_path: Path, pair: Pair, some: PromptSet, runs: list[tuple[str, int]]
) -> None:
    store, few = Store(tmp_path), some.only(some.groups[:4])
    first = tracing.traced(store, source(pair), few, quiet)
    whole = tracing.traced(store, source(pair), some, quiet)
    again = tracing.traced(store, source(pair), few, quiet)
    assert runs == [("trace_drafts", len(few)), ("trace_drafts", len(some) - len(few))]
    assert_same(first, again)
    assert_same(whole, tracer.trace(pair, some, DECODING))
    assert whole.header.prompts_fingerprint == some.fingerprint
    assert again.header.prompts_fingerprint == few.fingerprint


def test_every_portion_is_kept(
    tmp_path: Path,
    pair: Pair,
    some: PromptSet,
    runs: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that is killed within the second portion goes on where the first ended."""
    monkeypatch.setattr(tracing, "PORTION", 20)
    monkeypatch.setattr(pace, "PATIENCE", 0.0)
    half = len(some) // 2  # both portions are alike

    def stop(line: str) -> None:
        if "to go" in line and int(line.split(maxsplit=1)[0]) < len(some) - half:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tracing.traced(Store(tmp_path), source(pair), some, stop)
    portions = [("trace_drafts", half), ("trace_drafts", len(some) - half)]
    assert runs == portions
    found = tracing.traced(Store(tmp_path), source(pair), some, quiet)
    assert runs == [*portions, portions[1]]
    assert_same(found, tracer.trace(pair, some, DECODING))


def test_the_target_s_text_is_read_again_for_another_draft(
    tmp_path: Path, pair: Pair, some: PromptSet, runs: list[tuple[str, int]]
) -> None:
    store = Store(tmp_path)
    tracing.traced(store, source(pair), some, quiet)
    itself = replace(pair, draft=pair.target, draft_fingerprint=pair.target_fingerprint)
    second = tracing.traced(store, source(itself), some, quiet)
    assert runs == [("trace_drafts", len(some)), ("reread", len(some))]
    assert_same(second, tracer.trace(itself, some, DECODING))


def test_another_target_writes_its_own_text(
    tmp_path: Path, pair: Pair, some: PromptSet, runs: list[tuple[str, int]]
) -> None:
    store = Store(tmp_path)
    tracing.traced(store, source(pair), some, quiet)
    swapped = replace(
        pair, target=pair.draft, target_fingerprint=pair.draft_fingerprint
    )
    tracing.traced(store, source(swapped), some, quiet)
    assert [name for name, _ in runs] == ["trace_drafts", "trace_drafts"]


def _files(store: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(store)): file.read_bytes()
        for file in sorted(store.rglob("*"))
        if file.is_file()
    }


def test_the_files_do_not_tell_who_made_which_portion_when(
    tmp_path: Path, pair: Pair, some: PromptSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Portions lost in any order, and made again by others who want the same prompts in
    another order: texts, states and readings have the bytes they had. A reading is read
    again from the states.
    """
    monkeypatch.setattr(tracing, "PORTION", 7)
    store = tmp_path / "store"
    tracing.traced(Store(store), source(pair), some, quiet)
    expected = _files(store)
    names = [name for name in expected if "." not in name]
    assert len(names) == 3 * -(-len(some) // 7)
    rng = random.Random(0)
    for _ in range(4):
        for name in rng.sample([n for n in names if "states" not in n], 3):
            (store / name).unlink()
            (store / f"{name}.key.json").unlink()
        turned = replace(some, prompts=tuple(rng.sample(some.prompts, len(some))))
        tracing.traced(Store(store), source(pair), turned, quiet)
        assert _files(store).keys() == expected.keys()
        assert [n for n in names if _files(store)[n] != expected[n]] == []


def test_a_reading_of_another_text_is_none(
    tmp_path: Path, pair: Pair, some: PromptSet, runs: list[tuple[str, int]]
) -> None:
    """A text that was lost comes back with another token, as a near-tie may decide on
    another machine: the draft reads it again.
    """
    tracing.traced(Store(tmp_path), source(pair), some, quiet)
    (stored,) = (p for p in tmp_path.glob("texts/*/*") if p.name.isalnum())
    text = load_text(stored)
    token = text.columns["token"].copy()
    token[0] += 1
    changed = replace(text, columns={**text.columns, "token": token})
    manifest = stored.with_name(f"{stored.name}.key.json")
    key = json.loads(manifest.read_text())["key"]
    stored.unlink()
    Store(tmp_path).get_or_make(
        f"texts/{stored.parent.name}",
        key,
        make=partial(save_text, changed),
        read=load_text,
    )
    found = tracing.traced(Store(tmp_path), source(pair), some, quiet)
    assert runs == [("trace_drafts", len(some)), ("reread", 1)]
    assert sorted(found["token"]) == sorted(token)


@pytest.fixture
def ran(pair: Pair) -> Iterator[list[str]]:
    """Which of the target's modules ran."""
    seen: list[str] = []
    hooks = [
        module.register_forward_hook(lambda *_, name=name: seen.append(name))
        for name, module in pair.target.named_modules()
    ]
    yield seen
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_another_draft_in_a_later_run_reads_without_the_target(
    tmp_path: Path, pair: Pair, some: PromptSet, temperature: float, ran: list[str]
) -> None:
    """No layer of the target runs but the last, once a position, and every bit is what
    it would have been in the first run; for some of the prompts as well.
    """
    decoding = Decoding(6, temperature)
    other = replace(pair, draft=copy.deepcopy(pair.draft), draft_fingerprint="other")
    with torch.no_grad():
        other.draft.lm_head.weight *= 0.9
    tracing.traced(Store(tmp_path), source(pair, decoding), some, quiet)
    assert "model.layers.0" in ran
    ran.clear()
    found = tracing.traced(Store(tmp_path), source(other, decoding), some, quiet)
    again = replace(other, draft_fingerprint="another")
    few = some.only(some.groups[2:4])
    part = tracing.traced(Store(tmp_path), source(again, decoding), few, quiet)
    assert set(ran) == {"lm_head"}
    expected = tracing.traced(
        Store(tmp_path / "fresh"), source(other, decoding), some, quiet
    )
    place = {prompt: i for i, prompt in enumerate(expected.prompts)}
    assert_equal(found, expected)
    assert_same(part, expected.select(np.array([place[p] for p in few])))


def test_states_are_kept_up_to_a_size(
    tmp_path: Path,
    pair: Pair,
    some: PromptSet,
    ran: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the prompts' order: those of the first portions. The others are read again by
    the target, to the same columns.
    """
    monkeypatch.setattr(tracing, "PORTION", 20)
    size = len(some) // 2 * DECODING.max_new_tokens * output.size(pair.target)
    other = replace(pair, draft_fingerprint="other")
    for name, limit, n_kept in (("none", size - 1, 0), ("one", size, 1)):
        store = tmp_path / name
        first = tracing.traced(
            Store(store), source(pair, keep_states=limit), some, quiet
        )
        kept = [p for p in store.glob("states/*/*") if p.name.isalnum()]
        assert len(kept) == n_kept
        assert sum(p.stat().st_size for p in kept) <= limit + 128
        ran.clear()
        again = tracing.traced(Store(store), source(other), some, quiet)
        assert "model.layers.0" in ran
        assert_same(first, again)


def test_damaged_states_are_said_and_done_without(
    tmp_path: Path, pair: Pair, some: PromptSet
) -> None:
    first = tracing.traced(Store(tmp_path), source(pair), some, quiet)
    (kept,) = (p for p in tmp_path.glob("states/*/*") if p.name.isalnum())
    kept.write_bytes(kept.read_bytes()[:-1])
    other = replace(pair, draft_fingerprint="other")
    with pytest.warns(UserWarning, match=r"states/.* is damaged"):
        again = tracing.traced(Store(tmp_path), source(other), some, quiet)
    assert_same(first, again)


def test_the_text_of_the_version_before_is_taken_over(
    tmp_path: Path, pair: Pair, some: PromptSet, runs: list[tuple[str, int]]
) -> None:
    """Its target is not asked to write again, for this draft or another; more prompts
    are the only ones written.
    """
    few, who = some.only(some.groups[:4]), pair.identity
    key = tracing.key_of(who, DECODING) | {"truncate": False}
    del key["cut"], key["n_vocab"]
    old = tracer.trace(pair, few, DECODING)
    Store(tmp_path).get_or_make(
        "traces",
        key,
        make=partial(save_text, replace(old.text, inputs=())),
        read=load_text,
    )
    assert_same(tracing.traced(Store(tmp_path), source(pair), few, quiet), old)
    other = source(replace(pair, draft_fingerprint="other"))
    tracing.traced(Store(tmp_path), other, some, quiet)
    rest = len(some) - len(few)
    assert runs == [("reread", len(few)), ("trace_drafts", rest), ("reread", len(few))]


@pytest.mark.parametrize("draft", ["prompt-lookup:10/3", "ngram:5,1-2"])
def test_a_lookup_in_a_later_run_calls_no_model(
    tmp_path: Path, pair: Pair, some: PromptSet, draft: str, ran: list[str]
) -> None:
    """Neither does it need the target's states, and it reads what it would have read in
    the first run.
    """
    first = Store(tmp_path / "first")
    tracing.traced(first, source(pair, keep_states=0), some, quiet)
    kind = kind_of(draft)
    other = replace(pair, draft=kind, draft_fingerprint=kind.fingerprint(""))
    ran.clear()
    found = tracing.traced(first, source(other, keep_states=0), some, quiet)
    assert ran == []
    at_once = tracing.traced(Store(tmp_path / "other"), source(other), some, quiet)
    assert ran != []
    for name in ("ahead", "drafted", "accepted"):
        np.testing.assert_array_equal(found[name], at_once[name])
    assert found["drafted"].any()


def test_who_waits_long_is_told_how_much_is_left(
    tmp_path: Path, pair: Pair, some: PromptSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    tracing.traced(Store(tmp_path / "quick"), source(pair), some, said.append)
    assert said == [f"{len(some)} of {len(some)} prompts, greedy, at most 6 new tokens"]
    monkeypatch.setattr(pace, "PATIENCE", 0.0)
    tracing.traced(Store(tmp_path / "slow"), source(pair), some, said.append)
    assert said[-1] == "0 prompts to go, 0:00 left"
