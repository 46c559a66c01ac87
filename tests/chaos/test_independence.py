"""Bar 3: what a prompt's text and numbers are does not depend on who was decoded beside
it, before it, or where.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from specfair.decoding import Decoding
from specfair.engine import speculate, tracer
from specfair.models import load
from specfair.models.pair import Pair, encode
from specfair.texts.prompts import Prompt
from specfair.texts.prompts import load as load_prompts
from specfair.traces.trace import COLUMNS, Trace, concatenate
from tests.chaos.conftest import Chaos, Counting, Promise
from tests.made_traces import altered

DECODINGS = (
    Decoding(16),
    Decoding(16, temperature=1.0),
    Decoding(16, temperature=0.7, top_k=40, top_p=0.9, seed=4),
)
COUNTS = ("n_rounds", "n_drafted", "n_tested", "n_accepted")
NEAR_TIE = 1e-4  # between two probabilities: rounding may choose either
CLOSE = 1e-5  # of every probability
# share of sampled prompts whose uniform number may fall within rounding of two tokens'
# boundary
EDGE = 1e-3
# chosen on 24 prompts: of a probability; of prompts whose greedy text may differ
BF16_CLOSE, BF16_SHARE = 0.05, 0.1


@pytest.fixture(scope="module")
def pair() -> Pair:
    return load.load("embedded", "embedded", device="cpu", dtype="float32")


def some(n: int) -> list[Prompt]:
    """Prompts of all groups, of many lengths."""
    every = list(load_prompts("embedded").prompts)
    return [every[i] for i in np.random.default_rng(n).permutation(len(every))[:n]]


@dataclass(frozen=True)
class Ways:
    """The same prompts traced in many ways; each returns the trace in the order of the
    prompts.
    """

    pair: Pair
    prompts: list[Prompt]
    decoding: Decoding

    def trace(self, prompts: Sequence[Prompt], n_rows: int = 0) -> Trace:
        longest = max(
            len(ids)
            for ids in encode(self.pair, prompts, self.decoding.max_new_tokens)[0]
        )
        size = longest + self.decoding.max_new_tokens
        return tracer.trace(
            self.pair, prompts, self.decoding, batch_tokens=n_rows * size or None
        )

    def ordered(self, order: Sequence[int]) -> Trace:
        return self.trace([self.prompts[i] for i in order]).select(np.argsort(order))

    def parts(self, parts: Sequence[Sequence[int]]) -> Trace:
        """Each part by itself, as another worker or a resumed run would, and put
        together.
        """
        traces = [
            self.trace([self.prompts[i] for i in part]) for part in parts if len(part)
        ]
        return concatenate(traces).select(
            np.argsort(np.concatenate([p for p in parts if len(p)]))
        )

    def all(
        self, rng: np.random.Generator, n_random: int
    ) -> dict[str, Callable[[], Trace]]:
        n, groups = len(self.prompts), [p.group for p in self.prompts]
        ways: dict[str, Callable[[], Trace]] = {
            f"batches of {k}": lambda k=k: self.trace(self.prompts, k)
            for k in (1, 3, 32)
        }
        ways["two threads"] = lambda: _on_two_threads(lambda: self.trace(self.prompts))
        ways["read again"] = lambda: tracer.reread(
            [self.pair], self.trace(self.prompts, 5).text
        )[0]
        ways["backwards"] = lambda: self.ordered(range(n)[::-1])
        for first in sorted(set(groups))[:: max(1, 5 // n_random)]:
            ways[f"{first} first"] = lambda g=first: self.ordered(
                sorted(range(n), key=lambda i: groups[i] != g)
            )
        for k in (2, 3, 4)[: 1 + n_random]:
            ways[f"{k} workers"] = lambda k=k: self.parts(
                [range(w, n, k) for w in range(k)]
            )
        for _ in range(n_random):
            cut, order = int(rng.integers(1, n)), rng.permutation(n).tolist()
            ways[f"resumed at {cut}"] = lambda c=cut: self.parts(
                [range(c), range(c, n)]
            )
            ways[f"shuffled, resumed at {cut}"] = lambda c=cut, o=order: self.parts(
                [o[:c], o[c:]]
            )
        return ways


def _on_two_threads(work: Callable[[], Trace]) -> Trace:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        return work()
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
def test_company_does_not_matter(chaos: Chaos, pair: Pair, decoding: Decoding) -> None:
    """A greedy difference must be a near-tie; a sampled one may befall fewer than one
    prompt in 1,000.
    """
    sentence = (
        f"{'greedy' if decoding.greedy else str(decoding).split(', at')[0]}, float32: "
        "the same tokens and decisions, "
        "probabilities within 1e-5, whatever the batch, order, first group, split, "
        "resume point or number of threads"
    )
    ways = Ways(pair, some(chaos.n(full=120, reduced=6)), decoding)
    alone = ways.trace(ways.prompts)
    with chaos.promise("independence", sentence) as tried:
        n_edges = 0
        for name, way in ways.all(
            np.random.default_rng(7), chaos.n(full=5, reduced=1)
        ).items():
            n_edges += same(alone, way(), name, tried)
        assert n_edges <= EDGE * tried.promise.tried


def same(one: Trace, other: Trace, name: str, tried: Counting) -> int:
    """Compare prompt by prompt; how many differ only because a draw fell on a
    boundary.
    """
    n_edges = 0
    for i in range(len(one)):
        a, b = (
            {c: t[c][slice(*t.offsets[i : i + 2])] for c in COLUMNS}
            for t in (one, other)
        )
        upto = first_difference(a, b)
        if upto is not None:
            if one.header.decoding.greedy:
                assert near_tie(a, b, upto), (
                    f"{name}: {one.prompts[i].id} differs at {upto}"
                )
            n_edges += not one.header.decoding.greedy
            tried.note(
                "near-ties" if one.header.decoding.greedy else "draws on a boundary"
            )
        for column in floats():
            np.testing.assert_allclose(
                a[column][:upto],
                b[column][:upto],
                atol=CLOSE,
                rtol=CLOSE,
                err_msg=f"{name}, {column}",
            )
        tried.case()
    return n_edges


def floats() -> list[str]:
    return [column for column, kind in COLUMNS.items() if kind is np.float32]


def first_difference(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> int | None:
    """The first position whose token, proposal or decision differs."""
    n = min(len(a["token"]), len(b["token"]))
    differs = np.any(
        [a[c][:n] != b[c][:n] for c in ("token", "proposal", "accepted")], axis=0
    )
    if differs.any():
        return int(differs.argmax())
    assert len(a["token"]) == len(b["token"])
    return None


def near_tie(a: dict[str, np.ndarray], b: dict[str, np.ndarray], at: int) -> bool:
    """Whether the target's two best, or the two drafts' best, are as good as equal
    there.
    """
    if a["token"][at] != b["token"][at]:
        return bool(a["margin"][at] < NEAR_TIE)
    return bool(
        abs(a["proposal_draft_prob"][at] - b["proposal_draft_prob"][at]) < NEAR_TIE
    )


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
def test_live_decoding_does_not_depend_on_its_slots(
    chaos: Chaos, pair: Pair, decoding: Decoding
) -> None:
    """Rows enter and leave at other times, beside others; texts and every count are the
    same. Fewer than one prompt in 1,000 may differ, where a draw falls on a boundary or
    two best tokens nearly tie.
    """
    prompts = some(chaos.n(full=96, reduced=6))
    sentence = (
        f"live, {str(decoding).split(', at')[0]}: the same texts and counts "
        "whatever the slots and the order"
    )
    with chaos.promise("independence", sentence) as tried:
        n_differing = 0
        for lookahead in (1, 5) if chaos.full else (4,):
            alone = speculate.speculate(pair, prompts, decoding, lookahead)
            for n_slots in (1, 3, 32):
                for step in (1, -1):
                    other = speculate.speculate(
                        pair, prompts[::step], decoding, lookahead, n_slots=n_slots
                    )
                    texts = zip(alone.texts, other.texts[::step], strict=True)
                    equal = np.array([np.array_equal(*both) for both in texts])
                    for name in COUNTS:
                        equal &= (
                            getattr(alone.tally, name)
                            == getattr(other.tally, name)[::step]
                        )
                    n_differing += int((~equal).sum())
                    tried.case(len(prompts))
        tried.note("on a boundary", n_differing)
        assert n_differing <= EDGE * tried.promise.tried


def test_half_precision_keeps_its_tolerance(chaos: Chaos) -> None:
    """bfloat16 has 8 bits: a sum in another order is another number, and the texts of a
    few prompts part.
    """
    pair = load.load("embedded", "embedded", device="cpu", dtype="bfloat16")
    ways = Ways(pair, some(chaos.n(full=240, reduced=12)), DECODINGS[0])
    alone = ways.trace(ways.prompts)
    sentence = (
        f"greedy, bfloat16, batches of 1, 3 and 32: probabilities within {BF16_CLOSE} "
        "up to a prompt's first differing "
        f"token, and at most {BF16_SHARE:.0%} of prompts have one"
    )
    with chaos.promise("independence", sentence) as tried:
        n_parted, worst = 0, 0.0
        for n_rows in (1, 3, 32):
            other = ways.trace(ways.prompts, n_rows)
            for i in range(len(alone)):
                a, b = (
                    {c: t[c][slice(*t.offsets[i : i + 2])] for c in COLUMNS}
                    for t in (alone, other)
                )
                n = min(len(a["token"]), len(b["token"]))
                differs = a["token"][:n] != b["token"][:n]
                n_parted += bool(differs.any())
                upto = int(differs.argmax()) if differs.any() else n
                probabilities = ("target_prob", "draft_prob", "overlap", "margin")
                worst = max(
                    worst,
                    *(
                        float(np.abs(a[c][:upto] - b[c][:upto]).max(initial=0))
                        for c in probabilities
                    ),
                )
                tried.case()
        tried.note("texts that part", n_parted)
        tried.note(
            "largest difference of a probability, in thousandths", round(1000 * worst)
        )
        assert worst <= BF16_CLOSE
        assert n_parted <= BF16_SHARE * tried.promise.tried


def test_the_comparison_sees_what_it_should(pair: Pair) -> None:
    """Numbers that come from a prompt's place instead of its id, and probabilities off
    by 3e-5, are refused.
    """
    ways = Ways(pair, some(12), DECODINGS[1])
    one, counting = ways.trace(ways.prompts), Counting(Promise("", ""))
    placed = ways.trace(
        [replace(p, id=str(i)) for i, p in enumerate(ways.prompts[::-1])]
    ).select(np.arange(12)[::-1])
    assert same(one, placed, "by place", counting) > EDGE * 12
    nudged = altered(one, overlap=one["overlap"] + np.float32(3e-5))
    with pytest.raises(AssertionError, match="nudged, overlap"):
        same(one, nudged, "nudged", counting)
