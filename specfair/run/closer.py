"""Rows of a closer look: texts that somebody may want to read.

Knows nothing of how they are chosen or drawn.
"""

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
