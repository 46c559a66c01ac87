"""Ways of counting: what a server would have counted while it wrote the same text.

Knows what ends a round, where the first one starts, what is carried from prompt to
prompt, and which outcome of the coins is looked at; the loops that count are replay's
and expectation's. A further server is a further value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from specfair.decoding import Lookahead
from specfair.errors import UsageError
from specfair.traces.expectation import Odds
from specfair.traces.trace import Trace

Ints: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

ENDLESS = 1 << 40  # tokens that a draft may propose where nothing ends it


@dataclass(frozen=True, slots=True)
class Counting:
    """One way of counting."""

    name: str
    # exact expectations over the coins, or the one outcome that the trace holds
    expected: bool
    # what ends a draft beside the lookahead: the text's end, or its own EOS and the
    # token budget
    ends: Literal["text", "draft"]
    carried: bool  # whether the heuristic's lookahead is carried from prompt to prompt
    # where the first round starts: tokens before it belong to no round
    first: int = 0

    def __post_init__(self) -> None:
        if self.expected and (self.ends == "draft" or self.carried):
            raise UsageError(
                f"counting {self.name!r} takes expectations over what only realised "
                "proposals show. Let ends = 'text', carried = False, or expected = "
                "False."
            )


# Each round drafts min(lookahead, tokens still to come - 1) tokens and the target adds
# one: drafts that would run past the end of the text (EOS or the token budget) are not
# counted, and the last token, however the text ends, is the target's own.
CANONICAL = Counting("canonical", expected=True, ends="text", carried=False)

# As servers do: the pass over the prompt writes the first token without a draft. So
# rounds start at position 1, and that pass and its token are in no count.
SERVED = Counting("served", expected=True, ends="text", carried=False, first=1)

# What transformers counts for these prompts in this order. An accepted EOS counts as
# the target's token and leaves its round short of a full match. The one thing a trace
# cannot show is what a draft wrote after its first rejected token, so n_drafted is an
# upper bound there (it might have been EOS).
AS_DEPLOYED = Counting("as_deployed", expected=False, ends="draft", carried=True)

COUNTED: Mapping[str, Counting] = {
    each.name: each for each in (CANONICAL, SERVED, AS_DEPLOYED)
}


class Path(NamedTuple):
    """One outcome of every coin."""

    offsets: Ints  # (n_prompts + 1,)
    limits: Ints  # (n_prompts,) a round starting at t drafts at most limit - t - 1
    runs: Ints  # (n_tokens,) proposals accepted in a row by a round that starts here
    most: Ints  # (n_tokens,) how many it proposes at most
    stops: Mask  # (n_tokens,) the draft ends its round after proposing this
    first: int  # where a prompt's first round starts


def odds(trace: Trace, lookahead: Lookahead, counting: Counting) -> Odds:
    """The coins as expectations need them."""
    if lookahead.schedule in ("adaptive", "pmin"):
        raise UsageError(
            f"lookahead {lookahead} has no expectation over what a sampling draft may "
            "propose. Use confidence-N@X, or proposals = 'greedy' for pmin."
        )
    most = _most(trace, lookahead)
    coins = trace["ahead"] if trace.by_start else trace["accept_prob"]
    coins = np.where(np.isfinite(coins), coins, 0.0)
    foreseen = not lookahead.doubts
    return Odds(trace.offsets, coins, most, counting.first, foreseen)


def path(
    trace: Trace, lookahead: Lookahead, counting: Counting, accepted: Mask
) -> Path:
    """The outcome with these coins, as this way of counting sees it."""
    offsets, lengths = trace.offsets, trace.lengths
    left = np.repeat(offsets[1:], lengths) - np.arange(trace.n_tokens) - 1
    # a prompt's last token is the target's own
    runs = np.minimum(_streaks(accepted), left)
    # what follows a rejected token is unknown: of a draft that stops at doubts, only
    # what was tested is counted
    stops = np.full(trace.n_tokens, lookahead.doubts)
    limits, most = lengths, _most(trace, lookahead)
    if counting.ends == "draft" and trace.by_start:
        limits = np.full_like(lengths, ENDLESS)  # what is drafted is known
    elif counting.ends == "draft":
        decoding = trace.header.decoding
        eos = () if decoding.ignore_eos else trace.header.eos
        ended = np.zeros(len(trace), dtype=np.bool_)
        written = lengths > 0
        ended[written] = np.isin(trace["token"][offsets[1:][written] - 1], eos)
        limits = np.where(ended, decoding.max_new_tokens, lengths)
        stops |= np.isin(trace["proposal"], eos)
    return Path(offsets, limits, runs, most, stops=stops, first=counting.first)


def _streaks(accepted: Mask) -> Ints:
    """From each start, how many proposals in a row are accepted: of coins by position,
    or by start and depth.
    """
    if accepted.ndim == 2:
        whole = accepted.shape[1]
        streaks: Ints = np.where(accepted.all(1), whole, accepted.argmin(1))
        return streaks
    return until(~accepted)


def until(marked: Mask) -> Ints:
    """From each place, how far it is to the next that is marked, or to the end."""
    place = np.arange(len(marked))
    breaks = np.where(marked, place, len(marked))
    distance: Ints = np.minimum.accumulate(breaks[::-1])[::-1] - place
    return distance


def _most(trace: Trace, lookahead: Lookahead) -> Ints:
    """How many tokens a round that starts at each place proposes, while accepted: all
    the draft has, or up to where it is not sure.
    """
    if trace.by_start:
        most = trace["drafted"].astype(np.int64)
    else:
        most = np.full(trace.n_tokens, ENDLESS)
    if not lookahead.doubts or lookahead.schedule == "adaptive":
        return most
    if "draft_prob" not in trace.reading.columns:
        raise UsageError(
            f"lookahead {lookahead}: draft {trace.reading.draft!r} gives no "
            "probabilities to doubt. Use constant-N."
        )
    if lookahead.schedule == "pmin":
        return until(trace["proposal_draft_prob"] < lookahead.threshold)
    # an accepted proposal is the token
    return until(trace["draft_prob"] < lookahead.threshold) + 1
