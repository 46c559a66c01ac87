"""A trace replayed under a lookahead: what speculative decoding would have counted,
without running a model again.

Given the text the target wrote, whether a tested proposal is accepted is a coin of its
own at each position, so the law of every count follows from the trace's coins. Follows
one outcome of the coins round by round; expectations over them are taken next door.
Knows nothing of models, groups or intervals.
"""

from typing import NamedTuple

import numpy as np

from specfair.decoding import Lookahead
from specfair.traces.counting import CANONICAL, Counting, Ints, Mask, Path, path
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
    known = np.isfinite(trace["accept_prob"])
    coins = np.where(known, trace["accept_prob"].astype(np.float64), 0.0)
    # greedy: one path through the coins, so following it is the expectation
    if counting.expected and not np.isin(coins, (0.0, 1.0)).all():
        counts = expectations(trace.offsets, coins, lookahead)
    else:
        accepted = coins == 1.0 if counting.expected else trace["accepted"]
        carried = counting.carried and lookahead.schedule == "heuristic"
        counts = _walk(path(trace, counting, accepted), lookahead, carried=carried)
    return veiled(counts, trace.per_prompt(~known) > 0)


class _Rounds(NamedTuple):
    """A round of each of some prompts."""

    prompt: Ints
    drafted: Ints
    tested: Ints
    accepted: Ints


def _walk(way: Path, lookahead: Lookahead, *, carried: bool) -> Profile:
    """Round by round through the realised coins, all prompts abreast."""
    lengths, streak = np.diff(way.offsets), _streaks(way)
    width = np.full(len(lengths), lookahead.n)
    if carried:
        width = _carry(way, streak, lookahead.n)
    position, rounds = np.zeros_like(lengths), []
    live = np.flatnonzero(lengths)
    while live.size:
        here = way.offsets[live] + position[live]
        room = np.minimum(width[live], way.limits[live] - position[live] - 1)
        matched = np.minimum(streak[here], room)
        full = matched == room
        tested = matched + ~full
        drafted = np.where(way.stops[here + matched], tested, room)
        rounds.append(_Rounds(live, drafted, tested, matched))
        if lookahead.schedule != "constant":
            narrower = np.maximum(width[live] - 1, 1)
            width[live] = np.where(full, width[live] + 2, narrower)
        position[live] += matched + 1
        live = live[position[live] < lengths[live]]
    return _gather(lengths, rounds)


def _streaks(way: Path) -> Ints:
    """From each position, how many proposals in a row are accepted; a prompt's last
    token is the target's own.
    """
    ends: Mask = np.zeros(len(way.accepted), dtype=np.bool_)
    ends[way.offsets[1:][np.diff(way.offsets) > 0] - 1] = True
    place = np.arange(len(ends))
    breaks = np.where(way.accepted & ~ends, len(ends), place)
    return np.minimum.accumulate(breaks[::-1])[::-1] - place


def _carry(way: Path, streak: Ints, n: int) -> Ints:
    """The lookahead each prompt starts with when the one before it leaves its own
    behind.
    """
    starts, streaks = [], streak.tolist()
    first, ends = way.offsets[:-1], way.offsets[1:]
    spans = np.stack([first, ends, first + way.limits], axis=1)
    for position, end, limit in spans.tolist():
        starts.append(n)
        here = position
        while here < end:
            room = min(n, limit - here - 1)
            matched = min(streaks[here], room)
            n = n + 2 if matched == room else max(n - 1, 1)
            here += matched + 1
    return np.array(starts, dtype=np.int64)


def _gather(lengths: Ints, rounds: list[_Rounds]) -> Profile:
    """Rounds of all prompts as counts by prompt and place."""
    empty = np.zeros((4, 0), dtype=np.int64)
    prompt, *counts = np.concatenate([empty, *(np.stack(r) for r in rounds)], axis=1)
    shape = len(lengths), int(max(counts[0], default=0)) + 1
    by_place = []
    for count in counts:
        cells = np.bincount(prompt * shape[1] + count, minlength=shape[0] * shape[1])
        exactly = cells.reshape(shape)  # rounds that counted 0, 1, 2, ...
        at_least = exactly[:, :0:-1].cumsum(1)[:, ::-1]
        by_place.append(at_least.astype(np.float64))
    n_rounds = np.bincount(prompt, minlength=len(lengths)).astype(np.float64)
    return Profile(lengths.astype(np.float64), n_rounds, *by_place)
