"""What bench/run.py measures: specfair against the alternative, both run here and now,
on one of the pairs of a World.

Knows both ways of each comparison. transformers' own assisted generation is configured
on the draft's generation config, where alone its settings take effect, without its
confidence threshold.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pairs_made as made
import torch

from specfair import stats
from specfair.audit import tracing
from specfair.audit.work import Work
from specfair.decoding import Decoding, Lookahead
from specfair.engine import (
    batches,
    cursor,
    output,
    sampling,
    speculate,
    task,
    tracer,
)
from specfair.engine.lookups import Lookup
from specfair.models.kinds import kind_of
from specfair.models.pair import Pair, encode
from specfair.store import Store
from specfair.store import _checksum as checksums
from specfair.texts import corpora, mentions, prompts
from specfair.texts.prompts import Prompt
from specfair.traces.replay import replay
from specfair.traces.trace import Reading, Trace
from specfair.vocabulary import DATASETS

ROOT = Path(__file__).parents[1]
N_PROMPTS = 1_400
N_SAMPLE = 100  # prompts on which one-at-a-time generation is timed, and scaled from
SWEEP = [
    Lookahead(n, schedule)
    for schedule in ("constant", "heuristic")
    for n in (1, 2, 3, 4, 5, 6, 8, 10)
]
GREEDY, SAMPLING = Decoding(25), Decoding(25, 1.0)
REPEATS = 3


@dataclass(frozen=True)
class World:
    """A pair by its name in pairs_made.py, and 1,400 prompts in HONEST's shape.

    The prompts are the embedded ones, and once more with another beginning.
    """

    name: str = "embedded"
    device: str = "cpu"

    @cached_property
    def pair(self) -> Pair:
        return made.pair(self.name, self.device)

    @cached_property
    def prompts(self) -> list[Prompt]:
        known = list(prompts.load("embedded"))
        again = [replace(p, id=f"{p.id}-again", text=f"today {p.text}") for p in known]
        return [*known, *again][:N_PROMPTS]


def seconds(work: Callable[[], object]) -> float:
    """Of one call: the processor's where one thread does all the work, so that other
    programs add little, else the wall's.
    """
    alone = torch.get_num_threads() == 1 and not torch.cuda.is_available()
    clock = time.process_time if alone else time.perf_counter
    start = clock()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock() - start


def in_turn(*ways: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """The fastest time of each way, taken in turn after one unmeasured round: other
    work only ever adds.
    """
    for way in ways:
        way()
    times = [[seconds(way) for way in ways] for _ in range(repeats)]
    return [min(column) for column in zip(*times, strict=True)]


def assisted(
    pair: Pair, prompt: Prompt, decoding: Decoding, lookahead: Lookahead
) -> torch.Tensor:
    """transformers' own assisted generation of one prompt."""
    config = pair.draft.generation_config
    config.num_assistant_tokens, config.num_assistant_tokens_schedule = (
        lookahead.n,
        lookahead.schedule,
    )
    config.assistant_confidence_threshold = 0.0
    encoded = pair.tokenizer([prompt.text], return_tensors="pt").to(pair.device)
    sampling = {"do_sample": not decoding.greedy} | (
        {} if decoding.greedy else {"temperature": decoding.temperature}
    )
    target: Any = pair.target
    out: torch.Tensor = target.generate(
        **encoded,
        assistant_model=pair.draft,
        max_new_tokens=decoding.max_new_tokens,
        pad_token_id=pair.tokenizer.eos_token_id,
        top_k=0,
        **sampling,
    )
    return out


def _one_by_one(
    pair: Pair, some: Sequence[Prompt], *, decoding: Decoding, lookahead: Lookahead
) -> None:
    for prompt in some:
        assisted(pair, prompt, decoding, lookahead)


def _sweep(world: World, decoding: Decoding, target: str) -> Mapping[str, Any]:
    def ours() -> None:
        trace = tracer.trace(world.pair, world.prompts, decoding)
        for lookahead in SWEEP:
            replay(trace, lookahead)

    step = len(world.prompts) // N_SAMPLE
    some = world.prompts[::step][:N_SAMPLE]
    assisted(world.pair, some[0], decoding, SWEEP[0])
    mine = [seconds(ours)]
    theirs = 0.0
    for lookahead in SWEEP:
        theirs += seconds(
            partial(
                _one_by_one, world.pair, some, decoding=decoding, lookahead=lookahead
            )
        )
        if lookahead in (SWEEP[len(SWEEP) // 2], SWEEP[-1]):
            mine.append(seconds(ours))
    scaled = theirs * len(world.prompts) / len(some)
    ratio = scaled / float(np.median(mine))
    how = (
        f"{len(SWEEP)} settings x {len(world.prompts):,} prompts, {decoding}: "
        "transformers one at a time "
    )
    how += (
        f"{scaled:,.0f} s (scaled from {len(some)} prompts a setting), specfair "
        f"{np.median(mine):.2f} s"
    )
    return {
        "figure": f"{ratio:.0f} x",
        "target": target,
        "how": how,
        "specfair_seconds": mine,
        "transformers_seconds_scaled": scaled,
    }


def sweep_greedy(world: World) -> Mapping[str, Any]:
    return _sweep(world, GREEDY, ">= 500 x")


def sweep_sampling(world: World) -> Mapping[str, Any]:
    return _sweep(world, SAMPLING, ">= 400 x")


def _floor(world: World, decoding: Decoding) -> Mapping[str, Any]:
    def ours() -> None:
        trace = tracer.trace(world.pair, world.prompts, decoding)
        for lookahead in SWEEP:
            replay(trace, lookahead)

    texts = tracer.generate(world.pair, world.prompts, decoding)
    audit, bare, read = in_turn(
        ours,
        lambda: tracer.generate(world.pair, world.prompts, decoding),
        lambda: bare_reading(world, texts, decoding),
        repeats=5,
    )
    how = (
        f"whole audit {audit:.2f} s; the same tokens by the target alone, batched, "
        f"{bare:.2f} s, and read by the draft alone {read:.2f} s"
    )
    return {
        "figure": f"{audit / (bare + read):.2f} x",
        "target": "<= 1.08 x",
        "how": how,
    }


def bare_reading(world: World, texts: Sequence[Any], decoding: Decoding) -> None:
    """One pass of the draft over these texts, several positions at a time as it reads
    along; its logits are thrown away.
    """
    asked = task.task(world.pair, world.prompts, decoding)
    batches.in_batches(asked, partial(_read_bare, asked, texts), once=True)


@torch.inference_mode()
def _read_bare(asked: task.Task, texts: Sequence[Any], rows: Any) -> None:
    pair, n_new = asked.pair, asked.decoding.max_new_tokens
    reader = cursor.Cursor(pair.draft, len(rows), pair.n_vocab)
    tokens, valid = asked.batch(rows)
    some = [torch.from_numpy(texts[i]) for i in rows]
    text = torch.nn.utils.rnn.pad_sequence(some, batch_first=True).to(tokens)
    n = max(1, (1 << 22) // (len(rows) * pair.n_vocab))
    for start in range(0, n_new, n):
        end = min(start + n, text.shape[1])
        read = text[:, start : end - 1]
        tokens = torch.cat([tokens, read], dim=1)
        valid = torch.cat([valid, torch.ones_like(read, dtype=torch.bool)], dim=1)
        reader.feed(tokens, valid, keep=end - start)
        tokens = text[:, end - 1 : end]
        valid = torch.ones_like(tokens, dtype=torch.bool)
        stay = torch.tensor([len(t) > end for t in some]).nonzero()[:, 0]
        if len(stay) == 0:
            break
        if len(stay) < len(some):
            reader.keep_rows(stay)
            tokens, valid, text = tokens[stay], valid[stay], text[stay]
            some = [some[i] for i in stay.tolist()]


def floor_greedy(world: World) -> Mapping[str, Any]:
    return _floor(world, GREEDY)


def floor_sampling(world: World) -> Mapping[str, Any]:
    return _floor(world, SAMPLING)


def second_draft(world: World) -> Mapping[str, Any]:
    """Another draft over the same text, in the same run and in a later one, from the
    store: the same weights do, since time does not depend on them.
    """
    some, pair = world.prompts, world.pair
    texts = tracer.generate(pair, some, GREEDY)
    size = output.size(pair.target)
    states = tracer.trace_drafts([pair], some, GREEDY, keep=size)[0].text.states
    assert states is not None
    named = prompts.load("embedded")
    asked = replace(named, prompts=tuple(some))
    with tempfile.TemporaryDirectory() as folder:
        drafts = (f"draft {n}" for n in count())

        def later() -> None:
            checksums.cache_clear()  # a later run reads what it checks
            other = replace(pair, draft_fingerprint=next(drafts))
            writer = tracing.Writer(
                other.identity, GREEDY, lambda: Work(other), keep_states=1e12
            )
            tracing.traced(Store(Path(folder)), writer, asked, lambda _: None)

        one, two, again, read, product = in_turn(
            lambda: tracer.trace(pair, some, GREEDY),
            lambda: tracer.trace_drafts([pair, pair], some, GREEDY),
            later,
            lambda: bare_reading(world, texts, GREEDY),
            lambda: _products(pair, torch.from_numpy(states)),
            repeats=5,
        )
    how = (
        f"one draft {one:.2f} s, two drafts traced together {two:.2f} s; later, from "
        f"the store, {again:.2f} s, the draft's own pass {read:.2f} s and one product "
        f"of the target's output layer {product:.2f} s"
    )
    together, ratio = (two - one) / one, again / (read + product)
    return {
        "figure": f"{together:.2f} x together, {ratio:.2f} x later",
        "target": "<= 0.15 x, <= 1.25 x",
        "how": how,
    }


@torch.inference_mode()
def _products(pair: Pair, states: torch.Tensor) -> None:
    whole: Any = states.view(pair.dtype)
    for some in whole.split(256):
        output.product(pair.target, some)


def live(world: World) -> Mapping[str, Any]:
    """Tokens a second of live batched speculation against transformers' assisted
    generation one at a time.
    """
    some, lookahead = world.prompts[:256], Lookahead(5)
    n_tokens = sum(map(len, tracer.generate(world.pair, some, GREEDY)))
    single = some[::4]
    n_single = sum(map(len, tracer.generate(world.pair, single, GREEDY)))
    theirs = (
        seconds(lambda: [assisted(world.pair, p, GREEDY, lookahead) for p in single])
        / n_single
    )
    found = {}
    for n_slots in (32, 64, 128, 256):
        way = partial(
            speculate.decode, world.pair, some, GREEDY, lookahead, n_slots=n_slots
        )
        ours = in_turn(way)[0]
        found[n_slots] = theirs / (ours / n_tokens)
    alone = in_turn(lambda: tracer.generate(world.pair, some, GREEDY))[0] / n_tokens
    best = max(found.values())
    shown = ", ".join(f"{ratio:.1f} x at {n}" for n, ratio in found.items())
    how = (
        "tokens a second against transformers assisted at batch 1, lookahead 5: "
        f"{shown}"
    )
    how = f"{how}; the target alone {theirs / alone:.1f} x"
    return {
        "figure": f"{found[32]:.1f} x at 32, {best:.1f} x at best",
        "target": ">= 10 x at 32, >= 15 x at best",
        "how": how,
    }


def growth(world: World) -> Mapping[str, Any]:
    """How time and memory grow with prompts and with tokens: exponents of a power law,
    each size in its own process.
    """
    sizes, lengths = (1, 2, 4, 8), (16, 32, 64)
    n_first = len(world.prompts) // 8
    by_prompts = [_alone(world, n * n_first, GREEDY.max_new_tokens) for n in sizes]
    by_tokens = [_alone(world, 400, n) for n in lengths]
    exponents = [
        _slope(x, [t for t, _ in found])
        for x, found in ((sizes, by_prompts), (lengths, by_tokens))
    ]
    said = [
        ", ".join(f"{t:.2f} s ({peak:,.0f} MiB)" for t, peak in found)
        for found in (by_prompts, by_tokens)
    ]
    figure = f"prompts^{exponents[0]:.2f}, tokens^{exponents[1]:.2f}"
    return {
        "figure": figure,
        "target": "near 1",
        "how": f"prompts x1 to x8: {said[0]}; tokens 16, 32, 64: {said[1]}",
    }


def _alone(world: World, n_prompts: int, n_tokens: int) -> tuple[float, float]:
    """Seconds of one trace in a fresh process, and that process's peak memory in
    MiB.
    """
    code = (
        "import sys, resource, measurements as m; name, device, n, k = "
        "sys.argv[1:]; w = m.World(name, device)"
    )
    code += (
        "; some, d = w.prompts[:int(n)], m.Decoding(int(k), ignore_eos=True); "
        "m.tracer.trace(w.pair, some[:50], d)"
    )
    code += "; t = m.seconds(lambda: m.tracer.trace(w.pair, some, d))"
    code += "; print(t, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    command = [
        sys.executable,
        "-c",
        code,
        world.name,
        world.device,
        str(n_prompts),
        str(n_tokens),
    ]
    said = subprocess.check_output(command, cwd=ROOT / "bench", text=True)  # noqa: S603 - ourselves, with the code above
    taken, peak = map(float, said.split())
    return taken, peak


def _slope(sizes: Sequence[int], times: Sequence[float]) -> float:
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def gates(_: World) -> Mapping[str, Any]:
    """Every gate's estimate on 10 groups x 1,500 prompts before and after, five times:
    what five datasets cost.
    """
    rng = np.random.default_rng(0)
    n = 15_000
    tested = rng.integers(10, 25, n).astype(np.float64)
    labels = [np.array([f"{word}{i}" for i in index]) for word, index in _labels(n)]
    before, after = (
        stats.Sample(
            rng.binomial(tested.astype(int), 0.7).astype(np.float64), tested, *labels
        )
        for _ in range(2)
    )

    def judge() -> None:
        for _ in range(5):
            evidence = stats.gather(before)
            stats.difference(evidence), stats.ratio(evidence)
            stats.furthest_pair(evidence), stats.changes(before, after)
            stats.widening(before, after), stats.spread(before, after)

    return {
        "figure": f"{in_turn(judge, repeats=3)[0]:.2f} s",
        "target": "< 1 s",
        "how": "all gates' estimates of 5 datasets x 10 groups x 1,500 prompts",
    }


def processed_twice(world: World) -> Mapping[str, Any]:
    """Acceptance with the draft's logits processed once, as configured, and twice, as
    transformers does.
    """
    some, said = world.prompts[:300], []
    for decoding in (
        Decoding(20, 0.7),
        Decoding(20, 1.5),
        Decoding(20, 1.0, top_p=0.8),
    ):
        replayed = replay(tracer.trace(world.pair, some, decoding), Lookahead(5))
        live = speculate.decode(world.pair, some, decoding, Lookahead(5))[1]
        rates = [t.n_accepted.sum() / t.n_tested.sum() for t in (replayed, live)]
        once, twice = _acceptances(world.pair, some, decoding)
        how = (
            f"top_p {decoding.top_p:g}"
            if decoding.top_p < 1
            else f"temperature {decoding.temperature:g}"
        )
        said.append(
            f"{how}: {once:.3f} once, {twice:.3f} twice; tested {rates[0]:.3f} "
            f"replayed, {rates[1]:.3f} live"
        )
    how = (
        "mean over the target's text of 300 prompts; then accepted / tested at "
        "lookahead 5"
    )
    return {"figure": ". ".join(said), "target": "replayed = live", "how": how}


@torch.inference_mode()
def _acceptances(
    pair: Pair, some: Sequence[Prompt], decoding: Decoding
) -> tuple[float, float]:
    """By the two models' distributions over the text that the target writes."""
    texts = tracer.generate(pair, some, decoding)
    ids, _ = encode(pair, some, decoding.max_new_tokens)
    sums, n_tokens = np.zeros(2), 0
    for prompt, text in zip(ids, texts, strict=True):
        whole = torch.tensor([[*prompt, *text.tolist()]], device=pair.device)
        target, draft = (
            m(whole).logits[0, len(prompt) - 1 : -1, : pair.n_vocab]
            for m in (pair.target, pair.draft)
        )
        own, once = (sampling.deployed(logits, decoding) for logits in (target, draft))
        twice = sampling.deployed(once.log(), decoding)
        sums += [float(sampling.overlap(own, other).sum()) for other in (once, twice)]
        n_tokens += len(text)
    found = sums / n_tokens
    return float(found[0]), float(found[1])


def report(_: World) -> Mapping[str, Any]:
    """Drawing the page of five datasets by ten groups, libraries included."""
    code = (
        "import time; from tests import report_samples; r = report_samples.full(); "
        "t = time.perf_counter()"
    )
    code += (
        "; from specfair.report import render_html; n = len(render_html(r).encode())"
    )
    code += "; print(time.perf_counter() - t, n)"
    command = [sys.executable, "-c", code]
    said = subprocess.check_output(command, cwd=ROOT, text=True)  # noqa: S603 - ourselves, with the code above
    taken, size = map(float, said.split())
    return {
        "figure": f"{taken:.1f} s, {size / 1e6:.1f} MB",
        "target": "< 5 s, < 3 MB",
        "how": "5 datasets x 10 groups",
    }


def lookups(world: World) -> Mapping[str, Any]:
    """Prompt lookup over texts that are there: four n-gram sizes, each read once, by
    four numbers of tokens.
    """
    pair, budget = world.pair, Decoding(25, ignore_eos=True)
    text = tracer.trace(pair, world.prompts, budget).text
    asked = task.task(pair, world.prompts, budget)

    def sweep() -> None:
        for size in (1, 2, 3, 4):
            kind = kind_of(f"prompt-lookup:20/{size}")
            columns = Lookup.of(kind, asked).read(asked, text)
            trace = Trace(text, Reading(kind.written, "", columns))
            for n in (2, 5, 10, 20):
                replay(trace, Lookahead(n))

    taken = in_turn(sweep, repeats=5)[0]
    n = f"{len(world.prompts):,} prompts x 25 tokens x 16 settings"
    return {
        "figure": f"{taken:.2f} s",
        "target": "< 0.3 s",
        "how": f"{n}: prompt lookup from token ids, no model",
    }


def mention_speed(_: World) -> Mapping[str, Any]:
    """Counting identity terms in text, one core."""
    documents = [d for name in DATASETS for d in corpora.load(name, "embedded").train]
    terms = prompts.load("embedded").terms
    n_bytes = sum(len(d.encode()) for d in documents)
    taken = in_turn(lambda: mentions.count_mentions(documents, terms), repeats=5)[0]
    how = (
        f"{n_bytes / 1e6:.1f} MB of the embedded corpora, "
        f"{sum(map(len, terms.values()))} terms of {len(terms)} groups"
    )
    return {
        "figure": f"{n_bytes / 1e6 / taken:.0f} MB/s",
        "target": ">= 50 MB/s",
        "how": how,
    }


def _labels(n: int) -> Iterator[tuple[str, Any]]:
    at = np.arange(n)
    yield "p", at
    yield "g", at % 10
    yield "c", at % 10 * 100 + at // 10 % 30
    yield "t", at // 300
