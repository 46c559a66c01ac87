"""Traces made of the tokens a test writes down, and plain loops that count them; no
model anywhere.
"""

from collections.abc import Sequence

import numpy as np

from specfair.decoding import Decoding, Lookahead
from specfair.texts.prompts import Prompt
from specfair.traces.tally import Tally
from specfair.traces.trace import COLUMNS, Header, Trace

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
    header = Header(
        "target",
        "draft",
        "",
        "",
        "",
        "made up",
        "",
        decoding,
        "float32",
        "cpu",
        eos=(EOS,),
    )
    prompts = tuple(
        Prompt(str(i), "group", "cluster", "", "text") for i in range(len(texts))
    )
    return Trace(
        header,
        prompts,
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        columns,
    )


def coin_trace(coins: list[list[float]]) -> Trace:
    zeros = [[1] * len(c) for c in coins]
    return trace_of(zeros, zeros, coins, decoding=DECODING)


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
    header = Header(
        "t",
        "d",
        "",
        "",
        "",
        "made up",
        "",
        Decoding(n_tokens, 1.0),
        "float32",
        "cpu",
        (),
        cost_ratio=0.1,
    )
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
    return Trace(header, prompts, np.arange(n + 1) * n_tokens, columns)


def noise(n: int = 24, *, groups: Sequence[str] = ("a", "b"), seed: int = 0) -> Trace:
    """A trace of random numbers that could be one: n prompts a group in clusters of 2,
    3 to 9 tokens each.
    """
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 10, n * len(groups))
    size = int(lengths.sum())
    columns = {name: rng.random(size).astype(kind) for name, kind in COLUMNS.items()}
    columns["accepted"] = rng.random(size) < columns["accept_prob"]
    header = Header(
        "t",
        "d",
        "",
        "",
        "",
        "made up",
        "",
        Decoding(temperature=1.0),
        "float32",
        "cpu",
        (),
        cost_ratio=0.1,
    )
    prompts = tuple(
        Prompt(f"{g}{i}", g, f"{g}-{i // 2}", f"t{i % 6}", "text")
        for g in groups
        for i in range(n)
    )
    return Trace(
        header,
        prompts,
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        columns,
    )
