"""A trace replayed under a lookahead: what speculative decoding would have counted,
without running a model again.

Given the text the target wrote, whether a tested proposal is accepted is a coin of its
own at each position, so the law of every count follows from the trace's coins. Two
countings:

canonical: each round drafts min(lookahead, tokens still to come - 1) tokens and the
    target adds one, so drafts that would run past the end of the text (EOS or the
    token budget) are not counted and the last token, however the text ends, is the
    target's own. A draft's wish to stop early changes nothing, every prompt starts at
    the same lookahead, and counts are exact expectations over the coins.
as_deployed: what transformers counts for these prompts in this order. Rounds draft up
    to the token budget or the draft's own EOS; an accepted EOS counts as the target's
    token and leaves its round short of a full match; the heuristic's lookahead is
    carried from prompt to prompt. Realised coins. The one thing a trace cannot show is
    what a draft wrote after its first rejected token, so n_drafted is an upper bound
    there (it might have been EOS).

Knows nothing of models, groups or intervals.
"""

from dataclasses import dataclass, fields, replace
from typing import Literal, NamedTuple, TypeAlias, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from specfair.errors import UsageError, unknown
from specfair.stats import Tally
from specfair.traces.trace import Trace

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Schedule: TypeAlias = Literal["constant", "heuristic", "heuristic_transient"]
Counting: TypeAlias = Literal["canonical", "as_deployed"]

_CHUNK = 1 << 18  # numbers in one state array: about what a core's cache holds


@dataclass(frozen=True, slots=True)
class Lookahead:
    """How many tokens a round drafts. heuristic: start at n, +2 after a full match,
    else -1, never below 1; heuristic_transient forgets between prompts (canonical
    counting always does).

    >>> str(Lookahead()), Lookahead.parse("heuristic-3")
    ('constant-5', Lookahead(n=3, schedule='heuristic'))
    """

    n: int = 5
    schedule: Schedule = "constant"

    def __post_init__(self) -> None:
        if self.schedule not in get_args(Schedule):
            raise UsageError(unknown("schedule", self.schedule, get_args(Schedule)))
        if self.n < 1:
            raise UsageError(
                f"lookahead {self}: {self.n} tokens a round; a round drafts at "
                "least 1. Use 1 or more."
            )

    def __str__(self) -> str:
        return f"{self.schedule}-{self.n}"

    @classmethod
    def parse(cls, text: str) -> "Lookahead":
        """The lookahead that prints as this text."""
        schedule, _, n = text.strip().rpartition("-")
        if not (schedule and n.isdecimal()):
            raise UsageError(
                f"lookahead {text!r}; it must be a schedule and a number. "
                "Write constant-5 or heuristic-5."
            )
        return cls(int(n), schedule)  # type: ignore[arg-type]  # __post_init__ checks it


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts by prompt and by place in the draft: column j is a round's (j + 1)-th
    drafted token.
    """

    n_new_tokens: Floats  # (n_prompts,)
    n_rounds: Floats  # (n_prompts,)
    n_drafted: Floats  # (n_prompts, n_places)
    n_tested: Floats  # (n_prompts, n_places)
    n_accepted: Floats  # (n_prompts, n_places)

    @property
    def tally(self) -> Tally:
        """The same counts, summed over places."""
        by_place = (self.n_drafted, self.n_tested, self.n_accepted)
        return Tally(
            self.n_new_tokens, self.n_rounds, *(counts.sum(1) for counts in by_place)
        )

    @property
    def accepted_lengths(self) -> Floats:
        # (n_prompts, n_places + 1)
        """Rounds that accepted exactly 0, 1, 2, ... tokens."""
        at_least = np.column_stack(
            [self.n_rounds, self.n_accepted, np.zeros_like(self.n_rounds)]
        )
        return at_least[:, :-1] - at_least[:, 1:]

    @property
    def conditional(self) -> Floats:
        # (n_places,)
        """Over all prompts, by place: share accepted of the tokens tested there. NaN
        where none was.
        """
        return _share(self.n_accepted, self.n_tested)

    @property
    def joint(self) -> Floats:
        # (n_places,)
        """Over all prompts, by place: share accepted of the tokens drafted there. NaN
        where none was.
        """
        return _share(self.n_accepted, self.n_drafted)


Counts = TypeVar("Counts", Tally, Profile)


def replay(
    trace: Trace, lookahead: Lookahead, *, counting: Counting = "canonical"
) -> Tally:
    """Counts per prompt of speculative decoding with this lookahead."""
    return profile(trace, lookahead, counting=counting).tally


def profile(
    trace: Trace, lookahead: Lookahead, *, counting: Counting = "canonical"
) -> Profile:
    """Counts per prompt and place in the draft."""
    if counting not in get_args(Counting):
        raise UsageError(unknown("counting", counting, get_args(Counting)))
    known = np.isfinite(trace["accept_prob"])
    coins = np.where(known, trace["accept_prob"].astype(np.float64), 0.0)
    return veiled(
        _counts(trace, lookahead, counting, coins), trace.per_prompt(~known) > 0
    )


def _counts(
    trace: Trace, lookahead: Lookahead, counting: Counting, coins: Floats
) -> Profile:
    if counting == "as_deployed":
        return _walk(
            _deployed(trace), lookahead, carried=lookahead.schedule == "heuristic"
        )
    # greedy: one path through the coins, so following it is the expectation
    if np.isin(coins, (0.0, 1.0)).all():
        return _walk(
            _Path(
                trace.offsets, trace.lengths, coins == 1.0, np.zeros(len(coins), bool)
            ),
            lookahead,
        )
    return _expectations(trace, coins, lookahead)


def veiled(counts: Counts, unknown: NDArray[np.bool_]) -> Counts:
    """NaN in every count but the tokens, for the prompts where a decision rested on
    something that is no number.
    """
    parts = {
        f.name: getattr(counts, f.name).copy()
        for f in fields(counts)
        if f.name != "n_new_tokens"
    }
    for part in parts.values():
        part[unknown] = np.nan
    return replace(counts, **parts)


class _Path(NamedTuple):
    """One outcome of every coin."""

    offsets: Ints  # (n_prompts + 1,)
    limits: Ints  # (n_prompts,) a round starting at t drafts at most limit - t - 1
    accepted: NDArray[np.bool_]  # (n_tokens,)
    # (n_tokens,) the draft ends its round after proposing this
    stops: NDArray[np.bool_]


def _deployed(trace: Trace) -> _Path:
    decoding, lengths = trace.header.decoding, trace.lengths
    eos = () if decoding.ignore_eos else trace.header.eos
    last = (
        trace["token"][np.maximum(trace.offsets[1:] - 1, 0)]
        if trace.n_tokens
        else np.zeros(len(trace))
    )
    limits = np.where(np.isin(last, eos), decoding.max_new_tokens, lengths)
    return _Path(
        trace.offsets, limits, trace["accepted"], np.isin(trace["proposal"], eos)
    )


def _walk(path: _Path, lookahead: Lookahead, *, carried: bool = False) -> Profile:
    """Round by round through the realised coins, all prompts abreast."""
    lengths, streak = np.diff(path.offsets), _streaks(path)
    width = np.full(len(lengths), lookahead.n)
    if carried:
        width = _carry(path, streak, lookahead.n)
    position, rounds = np.zeros_like(lengths), []
    live = np.flatnonzero(lengths)
    while live.size:
        here = path.offsets[live] + position[live]
        room = np.minimum(width[live], path.limits[live] - position[live] - 1)
        matched = np.minimum(streak[here], room)
        full = matched == room
        rounds.append(
            (
                live,
                np.where(path.stops[here + matched], matched + ~full, room),
                matched + ~full,
                matched,
            )
        )
        if lookahead.schedule != "constant":
            width[live] = np.where(
                full, width[live] + 2, np.maximum(width[live] - 1, 1)
            )
        position[live] += matched + 1
        live = live[position[live] < lengths[live]]
    return _gather(lengths, rounds)


def _streaks(path: _Path) -> Ints:
    """From each position, how many proposals in a row are accepted; a prompt's last
    token is the target's own.
    """
    n = len(path.accepted)
    breaks = np.where(path.accepted, n, np.arange(n))
    ends = path.offsets[1:][np.diff(path.offsets) > 0] - 1
    breaks[ends] = ends
    return np.minimum.accumulate(breaks[::-1])[::-1] - np.arange(n)


def _carry(path: _Path, streak: Ints, n: int) -> Ints:
    """The lookahead each prompt starts with when the one before it leaves its own
    behind.
    """
    starts, streaks = [], streak.tolist()
    spans = np.stack(
        [path.offsets[:-1], path.offsets[1:], path.offsets[:-1] + path.limits], axis=1
    )
    for first, end, limit in spans.tolist():
        starts.append(n)
        position = first
        while position < end:
            room = min(n, limit - position - 1)
            matched = min(streaks[position], room)
            n = n + 2 if matched == room else max(n - 1, 1)
            position += matched + 1
    return np.array(starts, dtype=np.int64)


def _gather(lengths: Ints, rounds: list[tuple[Ints, Ints, Ints, Ints]]) -> Profile:
    """Rounds of all prompts, each (prompt, drafted, tested, accepted), as counts by
    prompt and place.
    """
    empty = np.zeros((4, 0), dtype=np.int64)
    prompt, *counts = np.concatenate([empty, *(np.stack(r) for r in rounds)], axis=1)
    n_places = int(max(counts[0], default=0))
    by_place = []
    for count in counts:
        cells = np.bincount(
            prompt * (n_places + 1) + count, minlength=len(lengths) * (n_places + 1)
        )
        exactly = cells.reshape(len(lengths), n_places + 1)
        by_place.append(exactly[:, :0:-1].cumsum(1)[:, ::-1].astype(np.float64))
    n_rounds = np.bincount(prompt, minlength=len(lengths)).astype(np.float64)
    return Profile(lengths.astype(np.float64), n_rounds, *by_place)


def _expectations(trace: Trace, coins: Floats, lookahead: Lookahead) -> Profile:
    """Exact expectations over the coins, prompts of like length together."""
    lengths = trace.lengths
    widths = _widths(lookahead, int(lengths.max()))
    n_rounds = np.zeros(len(trace))
    counts = np.zeros((3, len(trace), widths[-1]))
    per_chunk = max(1, _CHUNK // (len(widths) * (widths[-1] + 1)))
    order = np.argsort(lengths, kind="stable")[np.count_nonzero(lengths == 0) :]
    for chunk in np.split(order, range(per_chunk, len(order), per_chunk)):
        steps = np.arange(lengths[chunk[-1]])[:, None]  # (n_steps, 1)
        rows = np.minimum(trace.offsets[chunk] + steps, len(coins) - 1)
        # (n_steps, n_chunk) a position that can be tested
        inner = (steps < lengths[chunk] - 1).astype(np.float64)
        n_rounds[chunk], by_place = _advance(
            np.where(inner, coins[rows], 0.0), inner, lookahead, widths
        )
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
    at a time.

    Place equal to the lookahead is the target's own token. Returns rounds (n_chunk,)
    and drafted, tested, accepted (3, n_places, n_chunk).
    """
    n = coins.shape[1]
    n_widths, n_places = len(widths), int(widths[-1])
    kind, own = np.arange(n_widths), widths
    after_full, after_miss = _moves(lookahead, widths)
    state = np.zeros((n_widths, n_places + 1, n))  # (lookahead, place, prompt)
    state[min(lookahead.n - int(widths[0]), n_widths - 1), 0] = 1.0
    n_rounds, counts = np.zeros(n), np.zeros((3, n_places, n))
    # (place, lookahead)
    wider = (np.arange(n_places)[:, None] < widths).astype(np.float64)
    ahead = np.concatenate([inner, np.zeros((n_places, n))])
    for step, coin in enumerate(coins):
        begun = state[:, 0]
        n_rounds += begun.sum(0)
        counts[0] += (wider @ begun) * ahead[step : step + n_places]
        finished = state[kind, own]
        state[kind, own] = 0.0
        tested = state[:, :-1].sum(0) * inner[step]
        counts[1] += tested
        counts[2] += tested * coin
        missed = state.sum(1) * (1.0 - coin)
        state[:, 1:] = state[:, :-1] * coin
        state[:, 0] = (after_full @ finished + after_miss @ missed) * inner[step]
    return n_rounds, counts


def _moves(lookahead: Lookahead, widths: Ints) -> tuple[Floats, Floats]:
    # (n_widths, n_widths) each
    """Which lookahead follows which, after a full match and after a rejection."""
    if lookahead.schedule == "constant":
        return np.eye(1), np.eye(1)
    columns = np.arange(len(widths))
    moves = np.zeros((2, len(widths), len(widths)))
    moves[0, np.minimum(columns + 2, len(widths) - 1), columns] = 1.0
    moves[1, np.maximum(columns - 1, 0), columns] = 1.0
    return moves[0], moves[1]


def _share(part: Floats, whole: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(part.sum(0) / whole.sum(0))
