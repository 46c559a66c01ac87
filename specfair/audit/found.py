"""What is known of a stage once it is measured, and why it may not be relied on.

Knows what a reader must be told of it; does not know how it was come by.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from specfair.audit.served import Served
from specfair.engine.agreement import Agreement
from specfair.models.identity import Identity
from specfair.traces.trace import Trace
from specfair.traces.written import Sums

# what greedy transformers does with a draft of another tokenizer, by engine
_ANEW = "transformers writes the draft's text anew in the target's tokens"
REWRITTEN = {
    "replay": f"{_ANEW}; counts are of the tokens that both have, engine = 'live' has "
    "its own",
    "live": f"{_ANEW}; counts are those of its own generate, the rest is of the tokens "
    "that both have",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A measured stage."""

    pair: Identity
    trace: Trace
    # None where nothing was replayed that could disagree
    agreement: Agreement | None
    served: Served | None = None  # where a server tells of it
    scores: Mapping[str, Sums] = field(default_factory=dict)  # of its texts
    # what is wrong with the texts that the deployed engine writes, and what was found
    fidelity: tuple[str, str] = ("", "")

    @property
    def problem(self) -> str:
        """Why its counts cannot be relied on, if they cannot."""
        return (self.agreement.problem if self.agreement else "") or self.fidelity[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a server said, what a draft cannot say, what a deployed engine
        writes.
        """
        served = self.served.notes if self.served else ()
        return *served, *filter(None, (self.pair.limits, self.fidelity[1]))
