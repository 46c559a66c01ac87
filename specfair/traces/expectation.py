"""Expected counts of speculative decoding over all outcomes of the coins, exactly.

Knows coins and lookaheads; does not know what a trace is.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from specfair.decoding import Lookahead
from specfair.traces.tally import Profile

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_CHUNK = 1 << 18  # numbers in one state array: about what a core's cache holds


def expectations(offsets: Ints, coins: Floats, lookahead: Lookahead) -> Profile:
    """Counts by prompt and place; prompts of like length go together."""
    lengths = np.diff(offsets)
    widths = _widths(lookahead, int(lengths.max()))
    n_rounds = np.zeros(len(lengths))
    counts = np.zeros((3, len(lengths), widths[-1]))
    per_chunk = max(1, _CHUNK // (len(widths) * (widths[-1] + 1)))
    order = np.argsort(lengths, kind="stable")[np.count_nonzero(lengths == 0) :]
    for chunk in np.split(order, range(per_chunk, len(order), per_chunk)):
        steps = np.arange(lengths[chunk[-1]])[:, None]  # (n_steps, 1)
        rows = np.minimum(offsets[chunk] + steps, len(coins) - 1)
        # (n_steps, n_chunk) a position that can be tested
        inner = (steps < lengths[chunk] - 1).astype(np.float64)
        tossed = np.where(inner, coins[rows], 0.0)
        n_rounds[chunk], by_place = _advance(tossed, inner, lookahead, widths)
        counts[:, chunk] = by_place.transpose(0, 2, 1)
    return Profile(lengths.astype(np.float64), n_rounds, *counts)


def _widths(lookahead: Lookahead, longest: int) -> Ints:
    """Every lookahead a prompt can come to; from the longest text on, larger ones all
    act alike.
    """
    top = min(lookahead.n, longest)
    if lookahead.schedule == "constant":
        return np.array([top])
    spent = top + 1
    while spent < longest:
        top, spent = top + 2, spent + top + 3
    return np.arange(1, min(top, longest) + 1)


def _advance(
    coins: Floats, inner: Floats, lookahead: Lookahead, widths: Ints
) -> tuple[Floats, Floats]:
    """The probability of (lookahead, place in the draft), carried forward one position
    at a time: rounds (n_chunk,) and drafted, tested, accepted (3, n_places, n_chunk).
    """
    # Why this works: given the text, every position tosses one coin of its own, in
    # whichever round it is tested. So all that the past leaves to the future is which
    # lookahead and which place in its round a position has, and the law of those at one
    # position follows from the law at the position before and one coin. A place equal
    # to the lookahead is the target's own token. Expected counts are sums of such
    # probabilities, because an expectation adds up whatever depends on what.
    n = coins.shape[1]
    n_widths, n_places = len(widths), int(widths[-1])
    kind, own = np.arange(n_widths), widths
    after_full, after_miss = _moves(lookahead, widths)
    state = np.zeros((n_widths, n_places + 1, n))  # (lookahead, place, prompt)
    state[min(lookahead.n - int(widths[0]), n_widths - 1), 0] = 1.0
    n_rounds, counts = np.zeros(n), np.zeros((3, n_places, n))
    drafted_at, tested_at, accepted_at = counts
    # (place, lookahead)
    wider = (np.arange(n_places)[:, None] < widths).astype(np.float64)
    ahead = np.concatenate([inner, np.zeros((n_places, n))])
    for step, coin in enumerate(coins):
        begun = state[:, 0]
        n_rounds += begun.sum(0)
        drafted_at += (wider @ begun) * ahead[step : step + n_places]
        finished = state[kind, own]
        state[kind, own] = 0.0
        tested = state[:, :-1].sum(0) * inner[step]
        tested_at += tested
        accepted_at += tested * coin
        missed = state.sum(1) * (1.0 - coin)
        state[:, 1:] = state[:, :-1] * coin
        state[:, 0] = (after_full @ finished + after_miss @ missed) * inner[step]
    return n_rounds, counts


def _moves(lookahead: Lookahead, widths: Ints) -> tuple[Floats, Floats]:
    # (n_widths, n_widths) each
    """Which lookahead follows which, after a full match and after a rejection."""
    n = len(widths)
    if lookahead.schedule == "constant":
        return np.eye(1), np.eye(1)
    before = np.arange(n)
    after_full, after_miss = np.zeros((n, n)), np.zeros((n, n))
    after_full[np.minimum(before + 2, n - 1), before] = 1.0
    after_miss[np.maximum(before - 1, 0), before] = 1.0
    return after_full, after_miss
