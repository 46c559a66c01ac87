"""What a server replied, what it says it counted, and the counts that follow in one way
for all servers.

Knows what must hold between a text and the rounds that wrote it: the prompt pass writes
the first token without a draft, a round with j accepted drafts writes j + 1 tokens, and
only the last round may be cut by the end of the text. Counts are canonical: the last
token is the target's own, and drafts beyond the end are not counted, whatever the
server counts. Does not know any server's names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

UNKNOWN = np.nan


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply as it is kept: the text's tokens, when they came, and the server's own
    figures under its own names.
    """

    n_tokens: int
    tokens: tuple[int, ...] = ()  # their ids; none where the server gives none
    # from sending to the first token, and to the end
    seconds: tuple[float, float] = (np.nan, np.nan)
    reported: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Reply":
        """As it was kept."""
        first, last = kept["seconds"]
        return cls(
            **{**kept, "tokens": tuple(kept["tokens"]), "seconds": (first, last)}
        )


class Rounds(NamedTuple):
    """The rounds that wrote a text, as a server reports them."""

    accepted: tuple[int, ...]
    drafted: tuple[int, ...] = ()  # none where only acceptance is reported
    in_order: bool = True  # else a histogram's
    # drafts of every round have this length, if that is known
    width: int = 0


class BrokenError(Exception):
    """A reply whose figures cannot all be true."""


def hold(told: Mapping[str, Any], **must: int) -> None:
    """What is told under these names is this, where it is told."""
    for name, value in must.items():
        if told.get(name, value) != value:
            raise BrokenError(f"{name} is {told[name]}, and {value} by its parts")


def spread(histogram: Sequence[int]) -> tuple[int, ...]:
    """The rounds of a histogram whose place j holds how many accepted j."""
    return tuple(j for j, n in enumerate(histogram) for _ in range(n))


def row(reply: Reply, rounds: Rounds, budget: int) -> tuple[float, ...]:
    """New tokens, rounds, drafted, tested and accepted of one reply, the fields of a
    Tally; NaN for what does not follow from what is reported.
    """
    _check(reply, rounds, budget)
    accepted = np.array(rounds.accepted, dtype=np.int64)
    n_new = max(reply.n_tokens - 1, 0)
    plain = max(n_new - int((accepted + 1).sum()), 0)  # rounds without a draft
    n_rounds = len(accepted) + plain
    known = (float(n_new), float(n_rounds), UNKNOWN, UNKNOWN, float(n_new - n_rounds))
    # where rounds without a draft stood decides which drafts reached beyond the end
    last = plain == 0 or (
        plain == 1 and reply.n_tokens == budget and _same_width(rounds)
    )
    if not rounds.drafted or not rounds.in_order or not last:
        return known
    starts = np.concatenate([[0], np.cumsum(accepted + 1)[:-1]])
    room = np.minimum(rounds.drafted, n_new - starts - 1)
    kept = np.minimum(accepted, n_new - starts - 1)
    tested = kept + (kept < room)
    return (*known[:2], float(room.sum()), float(tested.sum()), float(kept.sum()))


def _same_width(rounds: Rounds) -> bool:
    return set(rounds.drafted) <= {rounds.width}


def _check(reply: Reply, rounds: Rounds, budget: int) -> None:
    accepted, drafted = rounds.accepted, rounds.drafted
    n_new = max(reply.n_tokens - 1, 0)
    excess = sum(accepted) + len(accepted) - n_new
    cut = accepted[-1] if rounds.in_order and accepted else max(accepted, default=0)
    wrong = {
        "a count below zero": min((reply.n_tokens, *accepted, *drafted)) < 0,
        f"{reply.n_tokens} tokens of at most {budget}": reply.n_tokens > budget,
        f"{len(reply.tokens)} token ids of {reply.n_tokens} tokens": (
            bool(reply.tokens) and len(reply.tokens) != reply.n_tokens
        ),
        f"{len(drafted)} rounds that drafted, {len(accepted)} that were verified": (
            bool(drafted) and len(drafted) != len(accepted)
        ),
        "more accepted than drafted": any(
            a > d for a, d in zip(accepted, drafted, strict=False)
        ),
        f"rounds that wrote {excess} tokens more than the text has": excess > cut,
    }
    found = [what for what, holds in wrong.items() if holds]
    if found:
        raise BrokenError(found[0])
