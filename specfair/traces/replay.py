"""A trace replayed under a lookahead: what speculative decoding would have counted,
without running a model again.

Given the text the target wrote, a round that starts at t proposes, as long as it is
accepted, exactly the text: so what becomes of it depends on t and on a coin for each
depth, and the law of every count follows from the trace's coins. Where the depth does
not matter, the coin at t + j is that of depth j. Follows one outcome of the coins round
by round; expectations over them are taken next door. Knows nothing of models, groups or
intervals, and nothing of drafts that remember other requests: theirs are no such coins.
"""

from typing import NamedTuple

import numpy as np

from specfair.decoding import Lookahead
from specfair.traces.adaptive import adapted
from specfair.traces.counting import (
    CANONICAL,
    Counting,
    Ints,
    Mask,
    Path,
    odds,
    path,
)
from specfair.traces.expectation import expectations
from specfair.traces.tally import Profile, Tally, veiled
from specfair.traces.trace import Trace


def replay(
    trace: Trace, lookahead: Lookahead, *, counting: Counting = CANONICAL
) -> Tally:
    """Counts per prompt of speculative decoding with this lookahead."""
    return profile(trace, lookahead, counting=counting).tally


def profile(
    trace: Trace, lookahead: Lookahead, *, counting: Counting = CANONICAL
) -> Profile:
    """Counts per prompt and place in the draft."""
    coins = trace["ahead"] if trace.by_start else trace["accept_prob"]
    known = np.isfinite(coins)
    certain = np.isin(coins[known], (0.0, 1.0)).all()
    # greedy: one path through the coins, so following it is the expectation
    if counting.expected and not certain:
        counts = expectations(odds(trace, lookahead, counting), lookahead)
    else:
        accepted = coins == 1.0 if certain else _tossed(trace)
        way = path(trace, lookahead, counting, accepted)
        if lookahead.schedule == "adaptive":
            way = way._replace(most=adapted(way, trace, lookahead))
        carried = counting.carried and lookahead.schedule == "heuristic"
        counts = _walk(way, lookahead, carried=carried)
    unknown = ~(known if known.ndim == 1 else known.all(1))
    return veiled(counts, trace.per_prompt(unknown) > 0)


def _tossed(trace: Trace) -> Mask:
    """One outcome of the coins: the one that was realised, or by start a fresh one."""
    if not trace.by_start:
        return trace["accepted"]
    rng = np.random.default_rng(trace.header.decoding.seed)
    return rng.random(trace["ahead"].shape, dtype=np.float32) < trace["ahead"]


class _Rounds(NamedTuple):
    """A round of each of some prompts."""

    prompt: Ints
    drafted: Ints
    tested: Ints
    accepted: Ints


def _walk(way: Path, lookahead: Lookahead, *, carried: bool) -> Profile:
    """Round by round through the realised coins, all prompts abreast."""
    lengths = np.diff(way.offsets)
    width = np.full(len(lengths), lookahead.n)
    if carried:
        width = _carry(way, lookahead.n)
    position, rounds = np.full_like(lengths, way.first), []
    live = np.flatnonzero(position < lengths)
    while live.size:
        here = way.offsets[live] + position[live]
        room = np.minimum(width[live], way.limits[live] - position[live] - 1)
        room = np.minimum(room, way.most[here])
        matched = np.minimum(way.runs[here], room)
        full = matched == room
        tested = matched + ~full
        drafted = np.where(way.stops[here + matched], tested, room)
        rounds.append(_Rounds(live, drafted, tested, matched))
        if lookahead.adapts:
            narrower = np.maximum(width[live] - 1, 1)
            width[live] = np.where(full, width[live] + 2, narrower)
        position[live] += matched + 1
        live = live[position[live] < lengths[live]]
    return _gather(np.maximum(lengths - way.first, 0), rounds)


def _carry(way: Path, n: int) -> Ints:
    """The lookahead each prompt starts with when the one before it leaves its own
    behind.
    """
    starts, runs, most = [], way.runs.tolist(), way.most.tolist()
    first, ends = way.offsets[:-1], way.offsets[1:]
    spans = np.stack([first, ends, first + way.limits], axis=1)
    for position, end, limit in spans.tolist():
        starts.append(n)
        here = position + way.first
        while here < end:
            room = min(n, limit - here - 1, most[here])
            matched = min(runs[here], room)
            n = n + 2 if matched == room else max(n - 1, 1)
            here += matched + 1
    return np.array(starts, dtype=np.int64)


def _gather(lengths: Ints, rounds: list[_Rounds]) -> Profile:
    """Rounds of all prompts as counts by prompt and place."""
    empty = np.zeros((4, 0), dtype=np.int64)
    prompt, *counts = np.concatenate([empty, *(np.stack(r) for r in rounds)], axis=1)
    shape = len(lengths), int(counts[0].max(initial=0)) + 1
    by_place = []
    for count in counts:
        cells = np.bincount(prompt * shape[1] + count, minlength=shape[0] * shape[1])
        exactly = cells.reshape(shape)  # rounds that counted 0, 1, 2, ...
        at_least = exactly[:, :0:-1].cumsum(1)[:, ::-1]
        by_place.append(at_least.astype(np.float64))
    n_rounds = np.bincount(prompt, minlength=len(lengths)).astype(np.float64)
    return Profile(lengths.astype(np.float64), n_rounds, *by_place)
