"""Bar 4: what is no number is never a pass, extremes are decoded like anything else,
and memory only costs time.
"""

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from specfair import cli, gates
from specfair.decoding import Decoding, Lookahead
from specfair.engine import agreement, clock, speculate, tracer
from specfair.errors import ModelError
from specfair.gates import Bound
from specfair.models import load
from specfair.models.pair import Pair, encode
from specfair.texts.prompts import Prompt
from specfair.traces.counting import AS_DEPLOYED
from specfair.traces.measured import Measured
from specfair.traces.replay import replay
from specfair.traces.trace import COLUMNS, Trace
from specfair.traces.written import OF_TOKENS
from specfair.vocabulary import METRICS
from tests import tiny_models
from tests.chaos.conftest import Chaos

PROBABILITIES = [
    c
    for c, kind in COLUMNS.items()
    if kind is np.float32 and c not in ("target_entropy", "kl")
]
COUNTS = ("n_new_tokens", "n_rounds", "n_drafted", "n_tested", "n_accepted")
TEXTS = (
    "kind words",
    "the moon is low",
    "x",
    "they ran far",
    "we sing",
    "cold bread",
    "a lamp",
    "old maps lie",
)
PROMPTS = [
    Prompt(f"p{i}", "ab"[i % 2], f"c{i}", "", text) for i, text in enumerate(TEXTS)
]


@contextmanager
def silent() -> Iterator[None]:
    """No RuntimeWarning reaches a terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def untied(seed: int = 0) -> Pair:
    """What a token's embedding holds tells on those who read it only, not on every
    row's logits.
    """
    target = tiny_models.model(seed=seed, tie_word_embeddings=False)
    return load.assemble(
        target, tiny_models.relative(target, 0.3), tiny_models.tokenizer()
    )


def poison(pair: Pair, role: str, token: int, value: float) -> Pair:
    """One number of one token's embedding."""
    model = getattr(pair, role)
    with torch.no_grad():
        model.get_input_embeddings().weight[token, 3] = value
    return pair


def readers(pair: Pair, clean: Trace) -> list[tuple[int, int, int]]:
    """Of tokens that one prompt alone reads: the prompt, the token, and how many clean
    positions its text has.
    """
    ids, _ = encode(pair, clean.prompts, clean.header.decoding.max_new_tokens)
    texts = np.split(clean["token"], clean.offsets[1:-1])
    first: dict[int, list[tuple[int, int]]] = {}
    for i, (prompt, text) in enumerate(zip(ids, texts, strict=True)):
        for place, token in reversed(list(enumerate([*prompt, *text.tolist()[:-1]]))):
            seen = first.setdefault(token, [])
            seen[:] = [s for s in seen if s[0] != i] + [
                (i, max(0, place + 1 - len(prompt)))
            ]
    return [
        (seen[0][0], token, seen[0][1])
        for token, seen in sorted(first.items())
        if len(seen) == 1
    ]


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_what_is_no_number_is_invalid_and_named(
    chaos: Chaos, temperature: float
) -> None:
    """Real weights: an embedding that one prompt's text alone holds, so that it is lost
    from that position on.
    """
    decoding = Decoding(10, temperature, ignore_eos=True)
    rng = np.random.default_rng(0)
    kind = "sampled" if temperature else "greedy"
    sentence = (
        f"{kind}: NaN or infinity in one prompt of one model, from one position "
        "on: invalid, and the prompt named"
    )
    with chaos.promise("numbers", sentence) as tried, silent():
        for case in range(chaos.n(full=150, reduced=4)):
            pair = untied(case % 5)
            clean = tracer.trace(pair, PROMPTS, decoding)
            prompt, token, n_clean = _any(rng, readers(pair, clean))
            value, role = (
                (np.nan, np.inf, -np.inf)[case % 3],
                ("target", "draft")[case % 2],
            )
            found = tracer.trace(poison(pair, role, token, value), PROMPTS, decoding)
            spoiled(clean, found, prompt, n_clean)
            judged(found, PROMPTS[prompt].id, role)
            live_too(
                pair,
                found,
                prompt,
                read=not temperature and (role == "target" or n_clean < 8),
            )
            tried.case()


def _any(
    rng: np.random.Generator, choices: list[tuple[int, int, int]]
) -> tuple[int, int, int]:
    return choices[int(rng.integers(len(choices)))]


def spoiled(clean: Trace, found: Trace, prompt: int, n_clean: int) -> None:
    """The positions behind are NaN and never an acceptance, and everybody else is as
    before.

    So is what precedes them, unless it was read together with them: a masked NaN times
    0 is NaN.
    """
    start, end = found.offsets[prompt : prompt + 2]
    lost = np.zeros(found.n_tokens, dtype=np.bool_)
    lost[start + n_clean : end] = True
    assert lost.any()
    same = ~np.isnan(found["kl"])
    same[:start], same[end:] = True, True
    for column in COLUMNS:
        np.testing.assert_allclose(
            found[column][same],
            clean[column][same],
            atol=1e-5,
            rtol=1e-5,
            err_msg=column,
        )
    for column in ("accept_prob", "overlap", "kl"):
        assert np.isnan(found[column][lost]).all(), column
    assert not found["accepted"][lost].any()


def judged(found: Trace, name: str, role: str) -> None:
    """No verdict on any metric that rests on the model is a pass, and each says whose
    numbers are lost.
    """
    priced = replace(found, reading=replace(found.reading, cost_ratio=0.3))
    measured = Measured(priced, Lookahead(3))
    for metric in filter(measured.tells, METRICS):
        if role == "draft" and metric in OF_TOKENS:
            continue  # the target's text, whatever the draft makes of it
        for estimate in (
            measured.groups(metric).difference(),
            measured.groups(metric).ratio(),
        ):
            verdict = gates.check(estimate, Bound("gap", 0.99, metric=metric))
            assert verdict.decision == "invalid", (metric, role)
            assert "NaN" in verdict.sentence
            assert repr(name) in verdict.sentence


def live_too(pair: Pair, found: Trace, prompt: int, *, read: bool) -> None:
    """Live decoding that reads the token loses the same prompt (and those whose draft
    proposes it), which is named.

    A sampled text is another than the trace's and need not hold the token, and of the
    last two the draft reads none.
    """
    live = speculate.speculate(pair, PROMPTS, found.header.decoding, 3)
    counted = speculate.count(pair, PROMPTS, found.header.decoding, 3)
    replayed = [
        replay(found, Lookahead(3)),
        replay(found, Lookahead(2, "heuristic"), counting=AS_DEPLOYED),
    ]
    for tally in (live.tally, counted, *replayed) if read else replayed:
        assert np.isnan([getattr(tally, name)[prompt] for name in COUNTS[1:]]).all()
    assert np.array_equal(np.isnan(live.tally.n_accepted), np.isnan(counted.n_accepted))
    problem = agreement.compare(found, live).problem
    assert "NaN" in problem
    lost = np.flatnonzero(
        np.isnan(live.tally.n_accepted) | np.isnan(replayed[0].n_accepted)
    )
    assert (
        f"for {len(lost)} of {len(PROMPTS)} prompts, {PROMPTS[lost[0]].id!r} first"
        in problem
    )


@pytest.mark.parametrize("role", ["target", "draft"])
def test_an_audit_of_a_broken_model_ends_in_words(
    chaos: Chaos,
    role: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From files to the terminal: exit 1, `invalid`, the prompt, no warning and no
    traceback.
    """
    monkeypatch.chdir(tmp_path)
    with chaos.promise(
        "numbers",
        f"an audit with NaN weights in the {role} exits 1 and names the prompt",
    ) as tried:
        for value in (np.nan, np.inf)[: chaos.n(full=2, reduced=1)]:
            pair = poison(untied(), role, encode(untied(), PROMPTS, 1)[0][2][0], value)
            for name in ("target", "draft"):
                getattr(pair, name).save_pretrained(tmp_path / name)
                pair.tokenizer.save_pretrained(tmp_path / name)
            rows = "".join(
                f'{{"group": "{p.group}", "identity": "{p.id}", "text": "{p.text}"}}\n'
                for p in PROMPTS
            )
            Path("own.jsonl").write_text(rows)
            asked = (
                "audit --target ./target --draft ./draft --prompts file:own.jsonl "
                "--min-prompts 1 --ignore-eos"
            )
            asked += " --max-new-tokens 6 --device cpu --dtype float32"
            capfd.readouterr()
            code = cli.main(asked.split())
            said = "".join(capfd.readouterr())
            assert code == 1, said
            assert re.search(
                r"invalid .* NaN or infinite for 1 of 8 prompts, 'a-[0-9a-f]+' first",
                said,
            )
            assert "Warning" not in said
            assert "Traceback" not in said
            tried.case()


HOT = [Decoding(6, temperature=t, seed=1) for t in (1e-9, 5e-324, 1e-38, 100.0, 1e300)]
FILTERED = [
    Decoding(6, temperature=0.8, top_k=10**9),
    Decoding(6, temperature=1.3, top_k=1),
    Decoding(6, temperature=1.0, top_p=1e-9),
    Decoding(6, temperature=1.0, top_p=1e-300, top_k=3),
    Decoding(6, temperature=1e-9, top_p=0.5, top_k=7),
]
EXTREMES = [
    Decoding(1),
    Decoding(1, temperature=1.0),
    Decoding(6),
    Decoding(6, ignore_eos=True),
    *HOT,
    *FILTERED,
]


def worlds() -> dict[str, Callable[[], tuple[Pair, list[Prompt]]]]:
    """Models at their limits, and prompts that reach them."""
    return {
        "short": lambda: (tiny_models.pair(noise=0.3, n_positions=8), at_the_limit(2)),
        "at the limit": lambda: (
            tiny_models.pair(noise=0.3, n_positions=24),
            at_the_limit(18),
        ),
        "ends at once": lambda: (ending(range(300)), tiny_models.prompts(6)),
        "ends soon": lambda: (ending(range(0, 300, 3)), tiny_models.prompts(6)),
        "one token": lambda: (
            lone(),
            [Prompt(f"p{i}", "ab"[i % 2], f"c{i}", "", "") for i in range(4)],
        ),
        "windows": lambda: (
            tiny_models.pair("mistral", noise=0.3, max_position_embeddings=24),
            at_the_limit(18),
        ),
    }


def at_the_limit(longest: int) -> list[Prompt]:
    """Up to exactly as many tokens as leave room for six new ones."""
    return [
        Prompt(f"p{i}", "ab"[i % 2], f"c{i}", "", "bcdfghjklm"[i] * (1 + i % longest))
        for i in range(6)
    ] + [Prompt("long", "a", "c9", "", "q" * longest)]


def ending(eos: range) -> Pair:
    pair = tiny_models.pair(noise=0.3)
    pair.target.generation_config.eos_token_id = list(eos)
    return pair


def lone() -> Pair:
    """A vocabulary of one token, which begins and ends every text."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    only = Tokenizer(models.WordLevel({tiny_models.EOS: 0}, unk_token=tiny_models.EOS))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=only, eos_token=tiny_models.EOS
    )
    target = tiny_models.model(vocab_size=1)
    return load.assemble(target, tiny_models.relative(target), tokenizer)


@pytest.mark.parametrize("world", worlds())
def test_extremes_are_decoded_like_anything_else(chaos: Chaos, world: str) -> None:
    pair, prompts = worlds()[world]()
    with chaos.promise("numbers", f"{WORLDS[world]}: {SENTENCE}") as tried, silent():
        for decoding in EXTREMES:
            traced = tracer.trace(pair, prompts, decoding)
            sane(traced)
            for n in (1, 5, 50)[: chaos.n(full=3, reduced=1)]:
                live = speculate.speculate(pair, prompts, decoding, n)
                sane(live.trace)
                counts_add_up(traced, live)
            sane(tracer.reread([pair], traced.text)[0])
            if 0 < decoding.temperature < 1e-8:
                coldest(pair, prompts, decoding, traced)
            tried.case(len(prompts))
        assert (
            0 < clock.cost_ratio(pair, n_repeats=chaos.n(full=15, reduced=9)) < np.inf
        )
        clock.clock(pair, prompts, Decoding(6), 3, n_rounds=2)


SENTENCE = (
    "temperatures from 5e-324 to 1e300, top_k beyond the vocabulary, top_p of 1e-300, "
    "one new token or six: no "
    "traceback, no warning, sane columns, 1e-9 as greedy"
)
WORLDS = {
    "short": "a context of 8 tokens",
    "at the limit": "prompts at exactly the context limit",
    "ends at once": "texts that end with their first token",
    "ends soon": "texts that end soon",
    "one token": "a vocabulary of one token, empty prompts",
    "windows": "windows of local attention, at the context limit",
}


def sane(traced: Trace) -> None:
    """Every column within its range; accepted means proposed."""
    for column in PROBABILITIES:
        values = traced[column]
        assert ((values >= 0) & (values <= 1 + 1e-5)).all(), column
    assert ((traced["target_entropy"] >= 0) & (traced["kl"] >= 0)).all()
    assert np.isfinite(traced["target_entropy"] + traced["kl"]).all()
    assert (traced["target_prob"] > 0).all()
    assert np.array_equal(traced["accepted"], traced["proposal"] == traced["token"])


def counts_add_up(traced: Trace, live: speculate.Live) -> None:
    tally = live.tally
    assert (tally.n_rounds + tally.n_accepted == tally.n_new_tokens).all()
    assert (tally.n_accepted <= tally.n_tested).all()
    assert (tally.n_tested <= tally.n_drafted).all()
    if traced.header.decoding.greedy:
        assert agreement.compare(traced, live).problem == ""


def coldest(
    pair: Pair, prompts: list[Prompt], decoding: Decoding, traced: Trace
) -> None:
    """Nothing is left to chance: greedy's tokens, the decisions of the draft's first
    choice.
    """
    greedy = tracer.trace(pair, prompts, Decoding(6, ignore_eos=decoding.ignore_eos))
    for column in ("token", "proposal", "accepted", "accept_prob"):
        assert np.array_equal(traced[column], greedy[column]), column


def real_cpu() -> object:
    return torch.empty(1 << 62, dtype=torch.uint8)


def real_numpy() -> object:
    return np.empty(1 << 62, dtype=np.uint8)


def real_limit() -> object:
    """As a GPU's allocator: the error itself is torch's."""
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def driver() -> object:
    raise RuntimeError(
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"
    )


def blas() -> object:
    raise RuntimeError(
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
    )


SHORTAGES = (real_cpu, real_numpy, real_limit, driver, blas)


@contextmanager
def short_of_memory(
    pair: Pair, limit: int, fail: Callable[[], object], after: int
) -> Iterator[list[int]]:
    """From the n-th call on, a model that is fed more than `limit` rows runs out of
    memory; the rows of every call.
    """
    fed: list[int] = []

    def hook(_: object, __: object, given: dict[str, torch.Tensor]) -> None:
        fed.append(len(given["input_ids"]))
        if fed[-1] > limit and len(fed) > after:
            fail()

    handles = [
        m.register_forward_pre_hook(hook, with_kwargs=True)
        for m in (pair.target, pair.draft)
    ]
    try:
        yield fed
    finally:
        for handle in handles:
            handle.remove()


def outcomes(
    decoding: Decoding,
) -> dict[str, Callable[[Pair, list[Prompt]], list[np.ndarray]]]:
    """Each way of decoding, as arrays that must not change."""

    def columns(traced: Trace) -> list[np.ndarray]:
        return [traced.offsets, *(traced[name] for name in COLUMNS)]

    return {
        "tracing": lambda pair, prompts: columns(tracer.trace(pair, prompts, decoding)),
        "rescoring": lambda pair, _: columns(
            tracer.reread([pair], WRITTEN[decoding].text)[0]
        ),
        "live": lambda pair, prompts: columns(
            speculate.speculate(pair, prompts, decoding, 3).trace
        ),
        "counting": lambda pair, prompts: [
            getattr(
                speculate.count(pair, prompts, decoding, Lookahead(3, "heuristic")),
                name,
            )
            for name in COUNTS
        ],
    }


WRITTEN: dict[Decoding, Trace] = {}


@pytest.mark.parametrize(
    "decoding", [Decoding(8), Decoding(8, temperature=0.9, top_p=0.9)], ids=str
)
def test_out_of_memory_halves_the_batch(chaos: Chaos, decoding: Decoding) -> None:
    pair, prompts = ending(range(0, 300, 25)), tiny_models.prompts(11)
    how = "greedy" if decoding.greedy else "sampled"
    sentence = (
        f"{how}: out of memory (five kinds of error, two from real allocations) "
        "halves the batch: the same numbers"
    )
    WRITTEN[decoding] = tracer.trace(pair, prompts, decoding)
    rng = np.random.default_rng(1)
    with chaos.promise("numbers", sentence) as tried:
        for i, (name, way) in enumerate(outcomes(decoding).items()):
            expected = way(pair, prompts)
            for fail in SHORTAGES if chaos.full else SHORTAGES[i : i + 1]:
                for limit in (1, 2, 5)[: chaos.n(full=3, reduced=1)]:
                    with short_of_memory(
                        pair, limit, fail, after=int(rng.integers(6))
                    ) as fed:
                        found = way(pair, prompts)
                    assert max(fed) > limit, name
                    for one, other in zip(expected, found, strict=True):
                        np.testing.assert_allclose(
                            one,
                            other,
                            atol=1e-5,
                            rtol=1e-5,
                            err_msg=f"{name}, {fail.__name__}",
                        )
                    tried.case()


def test_out_of_memory_halves_what_is_timed(chaos: Chaos) -> None:
    """All batches of a clock are of one size, so all shrink; the tokens are those of
    the smaller batches.
    """
    pair, prompts = tiny_models.pair(), tiny_models.prompts(24)
    with chaos.promise(
        "numbers", "out of memory halves the batches that are timed, all alike"
    ) as tried:
        for fail in SHORTAGES[: chaos.n(full=5, reduced=2)]:
            with short_of_memory(pair, 2, fail, after=9) as fed:
                times = clock.clock(
                    pair, prompts, Decoding(4, ignore_eos=True), 2, n_rounds=2
                )
            assert max(fed) == 6
            assert fed[-1] <= 2
            assert (times.n_tokens == 4 * 1).all()  # 6 prompts, then 3, then 1
            assert (times.alone > 0).all()
            assert (times.speculative > 0).all()
            tried.case()


def test_a_prompt_too_large_alone_ends_in_one_line(chaos: Chaos) -> None:
    pair, prompts = tiny_models.pair(), tiny_models.prompts(5)
    ways = outcomes(Decoding(3)) | {
        "clock": lambda pair, prompts: [clock.clock(pair, prompts, Decoding(3), 2)]
    }
    WRITTEN[Decoding(3)] = tracer.trace(pair, prompts, Decoding(3))
    sentence = (
        "a prompt that does not fit alone: one line with its name, the batch, its "
        "length and the way out"
    )
    with chaos.promise("numbers", sentence) as tried:
        for i, way in enumerate(ways.values()):
            for fail in SHORTAGES if chaos.full else SHORTAGES[i : i + 1]:
                with (
                    short_of_memory(pair, 0, fail, after=0),
                    pytest.raises(ModelError) as caught,
                ):
                    way(pair, prompts)
                said = str(caught.value)
                assert (
                    "does not fit into the memory of cpu even in a batch of 1" in said
                )
                assert "3 new ones" in said
                assert "bfloat16" in said
                assert any(repr(p.id) in said for p in prompts)
                assert "\n" not in said
                tried.case()


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def wrong() -> object:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    pair = tiny_models.pair()
    with (
        short_of_memory(pair, 1, wrong, after=0),
        pytest.raises(RuntimeError, match="shapes"),
    ):
        tracer.trace(pair, tiny_models.prompts(4), Decoding(2))
