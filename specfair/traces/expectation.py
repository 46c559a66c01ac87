"""Expected counts of speculative decoding over all outcomes of the coins, exactly.

Knows coins and lookaheads; does not know what a trace is.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from specfair.decoding import Lookahead
from specfair.traces.tally import Profile

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_CHUNK = 1 << 18  # numbers in one state array: about what a core's cache holds


class Odds(NamedTuple):
    """The coins of some prompts, by where a round starts and the place in its draft."""

    offsets: Ints  # (n_prompts + 1,)
    # (n_tokens, n_places), or (n_tokens,) where the place does not matter
    coins: NDArray[np.floating]
    most: Ints  # (n_tokens,) how many tokens a round that starts here proposes at most
    first: int = 0  # where the first round of a prompt starts
    # whether all proposals are known beforehand, also those behind a rejected one
    foreseen: bool = True


def expectations(odds: Odds, lookahead: Lookahead) -> Profile:
    """Counts by prompt and place; prompts of like length go together."""
    lengths = np.diff(odds.offsets)
    longest = int(lengths.max())
    widths = _widths(lookahead, min((longest, *odds.coins.shape[1:])))
    top = int(widths[-1])
    n_rounds = np.zeros(len(lengths))
    counts = np.zeros((3, len(lengths), top))
    per_chunk = max(1, _CHUNK // (len(widths) * (top + 1)))
    order = np.argsort(lengths, kind="stable")[np.count_nonzero(lengths == 0) :]
    for chunk in np.split(order, range(per_chunk, len(order), per_chunk)):
        n_rounds[chunk], by_place = _advance(odds, chunk, lookahead, widths)
        counts[:, chunk] = by_place.transpose(0, 2, 1)
    written = np.maximum(lengths - odds.first, 0).astype(np.float64)
    return Profile(written, n_rounds, *counts)


def _widths(lookahead: Lookahead, longest: int) -> Ints:
    """Every lookahead a prompt can come to; from the longest draft on, larger ones all
    act alike.
    """
    top = min(lookahead.n, longest)
    if not lookahead.adapts:
        return np.array([top])
    spent = top + 1
    while spent < longest:
        top, spent = top + 2, spent + top + 3
    return np.arange(1, min(top, longest) + 1)


def _advance(
    odds: Odds, chunk: Ints, lookahead: Lookahead, widths: Ints
) -> tuple[Floats, Floats]:
    """The probability of (lookahead, place in the draft), carried forward one position
    at a time: rounds (n_chunk,) and drafted, tested, accepted (3, n_places, n_chunk).
    """
    # Why this works: given the text, a round that starts at t proposes, as long as it
    # is accepted, exactly the text. So every position tosses one coin, which is known
    # once its place in its round is: that and the lookahead are all that the past
    # leaves to the future. Their law at one position follows from the law at the
    # position before and one coin a place. The place behind a draft's last is the
    # target's own token. Expected counts are sums of such probabilities, because an
    # expectation adds up whatever depends on what.
    lengths, n = np.diff(odds.offsets)[chunk], len(chunk)
    n_widths, n_places = len(widths), int(widths[-1])
    steps = np.arange(int(lengths[-1]))[:, None]
    rows = np.minimum(odds.offsets[chunk] + steps, len(odds.most) - 1)
    inner = (steps < lengths - 1).astype(np.float64)  # (n_steps, n) can be tested
    coins = _by_place(odds.coins[rows], n_places) * inner[:, None]
    most = odds.most[rows]
    short = None if (most >= n_places).all() else _ends(most, n_places)
    kind, own = np.arange(n_widths), widths
    after_full, after_miss = _moves(lookahead, widths)
    state = np.zeros((n_widths, n_places + 1, n))  # (lookahead, place, prompt)
    state[min(lookahead.n - int(widths[0]), n_widths - 1), 0] = 1.0
    n_rounds, counts = np.zeros(n), np.zeros((3, n_places, n))
    drafted_at, tested_at, accepted_at = counts
    places = np.arange(n_places)[:, None]
    wider = (places < widths).astype(np.float64)  # (place, lookahead)
    ahead = np.concatenate([inner, np.zeros((n_places, n))])
    for step in range(odds.first, len(steps)):
        coin, begun = coins[step], state[:, 0]
        n_rounds += begun.sum(0)
        drafting = (wider @ begun) * ahead[step : step + n_places]
        finished = state[kind, own]
        state[kind, own] = 0.0
        if short is not None:
            drafting *= places < most[step]
            finished += (state * short[step]).sum(1)
            state *= ~short[step]
        tested = state[:, :-1].sum(0) * inner[step]
        drafted_at += drafting if odds.foreseen else tested
        tested_at += tested
        accepted_at += tested * coin
        passed = state[:, :-1] * coin
        alike = len(coin) == 1  # one coin for all places
        missed = state.sum(1) * (1 - coin) if alike else (state[:, :-1] - passed).sum(1)
        state[:, 1:] = passed
        state[:, 0] = (after_full @ finished + after_miss @ missed) * inner[step]
    return n_rounds, counts


def _by_place(coins: NDArray[np.floating], n_places: int) -> Floats:
    """Coins (n_steps, n, ...) by where a round starts as coins by position and place:
    (n_steps, n_places, n), or 1 for all places.
    """
    if coins.ndim == 2:
        return coins[:, None].astype(np.float64)
    found = np.zeros((len(coins), n_places, coins.shape[1]))
    for place in range(n_places):
        found[place:, place] = coins[: len(coins) - place, :, place]
    return found


def _ends(most: Ints, n_places: int) -> NDArray[np.bool_]:
    """Where a draft is over before its lookahead, by position and place: (n_steps,
    n_places + 1, n).
    """
    found = np.zeros((len(most), n_places + 1, most.shape[1]), dtype=np.bool_)
    for place in range(n_places + 1):
        found[place:, place] = most[: len(most) - place] == place
    return found


def _moves(lookahead: Lookahead, widths: Ints) -> tuple[Floats, Floats]:
    # (n_widths, n_widths) each
    """Which lookahead follows which, after a full match and after a rejection."""
    n = len(widths)
    if not lookahead.adapts:
        return np.eye(1), np.eye(1)
    before = np.arange(n)
    after_full, after_miss = np.zeros((n, n)), np.zeros((n, n))
    after_full[np.minimum(before + 2, n - 1), before] = 1.0
    after_miss[np.maximum(before - 1, 0), before] = 1.0
    return after_full, after_miss
