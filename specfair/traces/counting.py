"""Ways of counting: what a server would have counted while it wrote the same text.

Knows what ends a round, what is carried from prompt to prompt, and which outcome of the
coins is looked at; the loop that counts is replay's. A further server is a further
value.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from specfair.errors import UsageError
from specfair.traces.trace import Trace

Ints: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]


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

# What transformers counts for these prompts in this order. An accepted EOS counts as
# the target's token and leaves its round short of a full match. The one thing a trace
# cannot show is what a draft wrote after its first rejected token, so n_drafted is an
# upper bound there (it might have been EOS).
AS_DEPLOYED = Counting("as_deployed", expected=False, ends="draft", carried=True)


class Path(NamedTuple):
    """One outcome of every coin."""

    offsets: Ints  # (n_prompts + 1,)
    limits: Ints  # (n_prompts,) a round starting at t drafts at most limit - t - 1
    accepted: Mask  # (n_tokens,)
    stops: Mask  # (n_tokens,) the draft ends its round after proposing this


def path(trace: Trace, counting: Counting, accepted: Mask) -> Path:
    """The outcome with these coins, as this way of counting sees it."""
    offsets, lengths = trace.offsets, trace.lengths
    if counting.ends == "text":
        return Path(offsets, lengths, accepted, np.zeros_like(accepted))
    decoding = trace.header.decoding
    eos = () if decoding.ignore_eos else trace.header.eos
    ended = np.zeros(len(trace), dtype=np.bool_)
    written = lengths > 0
    ended[written] = np.isin(trace["token"][offsets[1:][written] - 1], eos)
    limits = np.where(ended, decoding.max_new_tokens, lengths)
    return Path(offsets, limits, accepted, np.isin(trace["proposal"], eos))
