"""Traces made of the tokens a test writes down, and plain loops that count them; no
model anywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from specfair.decoding import Decoding, Lookahead
from specfair.texts.prompts import Prompt
from specfair.traces.tally import Tally
from specfair.traces.trace import (
    COLUMNS,
    READING,
    TEXT,
    Header,
    Reading,
    Text,
    Trace,
    offsets_of,
)

EOS = 0
COUNTS = ("n_new_tokens", "n_rounds", "n_drafted", "n_tested", "n_accepted")

Tokens = Sequence[Sequence[int]]
BUDGET = 12
DECODING = Decoding(max_new_tokens=BUDGET)


def trace_of(
    texts: Tokens,
    proposals: Tokens,
    coins: Sequence[Sequence[float]] | None = None,
    *,
    decoding: Decoding,
) -> Trace:
    """Without coins the trace is greedy: a proposal is accepted where it is the
    token.
    """
    lengths = [len(text) for text in texts]
    columns = {
        name: np.zeros(sum(lengths), dtype=kind) for name, kind in COLUMNS.items()
    }
    columns["token"][:] = np.concatenate([[], *texts])
    columns["proposal"][:] = np.concatenate([[], *proposals])
    columns["accepted"][:] = columns["token"] == columns["proposal"]
    columns["accept_prob"][:] = (
        columns["accepted"] if coins is None else np.concatenate([[], *coins])
    )
    prompts = [
        Prompt(str(i), "group", "cluster", "", "text") for i in range(len(texts))
    ]
    return made(prompts, lengths, columns, decoding=decoding, eos=(EOS,))


def made(
    prompts: Sequence[Prompt],
    lengths: Sequence[int],
    columns: Mapping[str, np.ndarray],
    *,
    decoding: Decoding,
    eos: tuple[int, ...] = (),
) -> Trace:
    """A trace of no model, with a cost ratio of 0.1."""
    header = Header(
        target="target",
        target_fingerprint="",
        tokenizer_fingerprint="",
        prompts="made up",
        prompts_fingerprint="",
        decoding=decoding,
        dtype="float32",
        device="cpu",
        eos=eos,
    )
    text = {name: columns[name] for name in TEXT}
    reading = {name: columns[name] for name in READING}
    offsets = offsets_of(np.array(lengths, dtype=np.int64))
    return Trace(
        Text(header, tuple(prompts), offsets, text),
        Reading("draft", "", reading, cost_ratio=0.1),
    )


def altered(trace: Trace, **columns: np.ndarray) -> Trace:
    """The same trace with other numbers in some columns."""
    text = {n: columns.get(n, values) for n, values in trace.text.columns.items()}
    reading = {n: columns.get(n, values) for n, values in trace.reading.columns.items()}
    return Trace(
        replace(trace.text, columns=text), replace(trace.reading, columns=reading)
    )


def coin_trace(coins: list[list[float]]) -> Trace:
    zeros = [[1] * len(c) for c in coins]
    return trace_of(zeros, zeros, coins, decoding=DECODING)


def by_start(trace: Trace, n: int) -> Trace:
    """The same coins, seen from every start, n places deep."""
    coins = np.pad(trace["accept_prob"], (0, n))
    ahead = np.stack([coins[j : j + trace.n_tokens] for j in range(n)], axis=1)
    drafted = np.full(trace.n_tokens, n, np.int32)
    few = {name: trace[name] for name in ("accept_prob", "proposal", "accepted")}
    columns = few | {"ahead": ahead, "drafted": drafted}
    return Trace(trace.text, replace(trace.reading, columns=columns))


def plain_loop(
    text: list[int], proposals: list[int], lookahead: Lookahead
) -> list[float]:
    """Canonical greedy counts of one prompt: draft one token, look at it, draft the
    next.
    """
    written, k = 0, lookahead.n
    rounds = drafted = tested = accepted = 0
    while written < len(text):
        rounds += 1
        to_draft = min(k, len(text) - written - 1)
        drafted += to_draft
        good = 0
        while good < to_draft and proposals[written + good] == text[written + good]:
            good += 1
        tested += good if good == to_draft else good + 1
        accepted += good
        written += good + 1
        if lookahead.schedule != "constant":
            k = k + 2 if good == to_draft else max(1, k - 1)
    return [len(text), rounds, drafted, tested, accepted]


def deployed_loop(
    text: list[int], proposals: list[int], lookahead: Lookahead, budget: int
) -> tuple[list[float], int]:
    """One prompt as transformers goes about it, and the lookahead it leaves behind."""
    written: list[int] = []
    k, rounds, drafted, tested, accepted = lookahead.n, 0, 0, 0, 0
    while len(written) < budget and (not written or written[-1] != EOS):
        at, draft, known = len(written), [], True
        while len(draft) < min(k, budget - at - 1) and (not draft or draft[-1] != EOS):
            here = at + len(draft)
            # -1: nobody knows
            draft.append(proposals[here] if known and here < len(text) else -1)
            known = known and here < len(text) and draft[-1] == text[here]
        matches = 0
        while (
            matches < len(draft)
            and at + matches < len(text)
            and draft[matches] == text[at + matches]
        ):
            matches += 1
        valid = text[at : at + matches + 1]
        if EOS in valid:
            valid = valid[: valid.index(EOS) + 1]
        matches = len(valid) - 1
        rounds, drafted, accepted = rounds + 1, drafted + len(draft), accepted + matches
        tested += matches + (matches < len(draft))
        if lookahead.schedule != "constant":
            k = k + 2 if matches == len(draft) else max(1, k - 1)
        written += valid
    return [len(written), rounds, drafted, tested, accepted], k


def table(tally: Tally) -> np.ndarray:
    """The five counts, one row a prompt."""
    return np.column_stack([getattr(tally, name) for name in COUNTS])


def crowd(
    n: int, *, n_groups: int, n_clusters: int, n_tokens: int = 32, greedy: bool = False
) -> Trace:
    """A trace of n prompts in groups with rates of their own; without clusters every
    prompt is one of its own.
    """
    rng = np.random.default_rng(0)
    group, place = np.arange(n) % n_groups, np.arange(n) // n_groups
    cluster = place % n_clusters if n_clusters else place
    effects = rng.normal(0, 0.03, (n_groups, int(cluster.max()) + 1))
    rate = np.repeat(
        0.75 + rng.normal(0, 0.05, n_groups)[group] + effects[group, cluster], n_tokens
    ).clip(0.02, 0.98)
    size = n * n_tokens
    columns = {
        name: rng.random(size, dtype=np.float32).astype(kind)
        for name, kind in COLUMNS.items()
    }
    columns |= {
        name: rng.integers(0, 500, size).astype(np.int32)
        for name in ("token", "proposal")
    }
    columns["accepted"] = rng.random(size) < rate
    coins = (
        columns["accepted"] if greedy else (rate + rng.normal(0, 0.2, size)).clip(0, 1)
    )
    columns["accept_prob"] = coins.astype(np.float32)
    names = zip(group.tolist(), cluster.tolist(), place.tolist(), strict=True)
    prompts = tuple(
        Prompt(
            f"p{i}",
            f"group {g}",
            f"group {g} {c}",
            f"t{p % 15}" if n_clusters else "",
            f"The person number {i} is",
        )
        for i, (g, c, p) in enumerate(names)
    )
    return made(prompts, [n_tokens] * n, columns, decoding=Decoding(n_tokens, 1.0))


def noise(n: int = 24, *, groups: Sequence[str] = ("a", "b"), seed: int = 0) -> Trace:
    """A trace of random numbers that could be one: n prompts a group in clusters of 2,
    3 to 9 tokens each.
    """
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 10, n * len(groups))
    size = int(lengths.sum())
    columns = {name: rng.random(size).astype(kind) for name, kind in COLUMNS.items()}
    columns["accepted"] = rng.random(size) < columns["accept_prob"]
    prompts = tuple(
        Prompt(f"{g}{i}", g, f"{g}-{i // 2}", f"t{i % 6}", "text")
        for g in groups
        for i in range(n)
    )
    return made(prompts, lengths.tolist(), columns, decoding=Decoding(temperature=1.0))


def numbered(lengths: list[int], first: int = 0) -> Trace:
    """Prompts with names and texts of their own, random columns, a full header."""
    n = sum(lengths)
    rng = np.random.default_rng(first)
    columns = {
        name: (rng.random(n) * (5 if kind is np.int32 else 1)).astype(kind)
        for name, kind in COLUMNS.items()
    }
    prompts = [
        Prompt(f"p{first + i}", "gäb"[i % 3], f"c{i}", "t", f"text {i}\n\u202e")
        for i in range(len(lengths))
    ]
    found = made(prompts, lengths, columns, decoding=Decoding(temperature=0.5))
    header = replace(
        found.header,
        target="t",
        target_fingerprint="ft",
        tokenizer_fingerprint="fk",
        prompts="set",
        prompts_fingerprint="fp",
        eos=(0,),
        versions={"x": "1"},
    )
    reading = replace(found.reading, draft="d", draft_fingerprint="fd")
    return Trace(replace(found.text, header=header), reading)
