"""Rows of a closer look: texts that somebody may want to read,
and how much longer the slowest group waits.

Knows nothing of how they are chosen or drawn.
"""

import math
from dataclasses import dataclass

from specfair.vocabulary import Stage


@dataclass(frozen=True, slots=True)
class TextRow:
    """A text that somebody may want to read, and why it is among the few that are
    stored. NaN where nothing was asked.
    """

    stage: Stage
    group: str
    why: str  # "flagged", "slowest" or "by lot"
    prompt: str
    text: str
    words: str  # of the lexicon, by commas
    judged: float
    log_perplexity: float
    calls: float  # of the target, for 100 tokens


@dataclass(frozen=True, slots=True)
class WaitRow:
    """What 100 tokens of a text cost the slowest group more than the fastest, by the
    clock; predicted is the target's own time over the predicted speed-ups.
    """

    stage: Stage
    quantity: str  # "seconds" or "joules"
    slow: str
    fast: str
    value: float
    low: float
    high: float
    of_slow: float
    of_fast: float
    predicted: float  # NaN where that cannot be

    @property
    def said(self) -> str:
        """In words, without the stage."""
        unit = {"seconds": "s", "joules": "J"}.get(self.quantity, self.quantity)
        said = f"100 tokens take {self.slow} {self.value:.3f} {unit} "
        said += f"[{self.low:.3f}, {self.high:.3f}] more than {self.fast} "
        said += f"({self.of_slow:.3f} and {self.of_fast:.3f} {unit})"
        known = not math.isnan(self.predicted)
        return f"{said}; predicted {self.predicted:.3f}" if known else said
