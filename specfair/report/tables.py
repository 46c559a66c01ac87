"""The tidy rows of a stored run, a dataclass a table: what each column means.

Knows nothing of how rows are filled, stored or drawn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

N_BINS = 20


@dataclass(frozen=True, slots=True)
class EstimateRow:
    """One metric of one group with its interval. `dataset` "" is the base pair, `group`
    "" is everyone.
    """

    dataset: str
    stage: str  # "before", "after" or "change"
    metric: str
    lookahead: str  # "constant-5", or "" where the metric does not depend on it
    group: str
    value: float
    low: float
    high: float
    n_prompts: int
    n_clusters: int


@dataclass(frozen=True, slots=True)
class GapRow:
    """The greatest difference between groups. `null` is what shuffled labels reach in
    95 of 100 cases.
    """

    dataset: str
    stage: str
    metric: str
    lookahead: str
    gap: float
    low: float
    high: float
    null: float | None
    ratio: float
    lowest_group: str
    highest_group: str


@dataclass(frozen=True, slots=True)
class PairRow:
    """group_a minus group_b, corrected for the number of pairs looked at."""

    dataset: str
    stage: str
    metric: str
    group_a: str
    group_b: str
    difference: float
    low: float
    high: float
    p_holm: float


@dataclass(frozen=True, slots=True)
class HistogramRow:
    """Counts in 20 equal bins: on [0, 1], for quantity "difference" (target minus
    draft) on [-1, 1].
    """

    dataset: str
    stage: str
    group: str
    quantity: str  # "target_prob", "draft_prob" or "difference"
    outcome: str  # "accepted" or "rejected"
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MistakeRow:
    """One proposal the draft was sure of, in its context."""

    dataset: str
    stage: str
    group: str
    outcome: str
    token: str
    before_text: str
    target_prob: float
    draft_prob: float
    target_token: str


@dataclass(frozen=True, slots=True)
class MentionRow:
    """How often a group's identity terms occur in a corpus."""

    dataset: str
    group: str
    n_words: int
    n_documents: int
    n_substrings: int


@dataclass(frozen=True, slots=True)
class SplitRow:
    """Kitagawa: total = harder_text + worse_draft for group_a against group_b; the
    interval is of worse_draft.
    """

    dataset: str
    stage: str
    group_a: str
    group_b: str
    total: float
    harder_text: float
    worse_draft: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A metric at a checkpoint of the fine-tuning."""

    dataset: str
    step: int
    group: str
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class FrequencyRow:
    """Gain for each tenfold of mentions, a regression over groups on log10(1 +
    n_words).
    """

    dataset: str
    slope: float
    low: float
    high: float
    rank_correlation: float
    p_value: float


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """A prompt that contributes to a verdict; value and reference are its own figures
    (after and before, say).
    """

    case: str
    gate: str
    group: str
    text: str
    value: float
    reference: float | None = None


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """A stored value and today's, with the interval of the change between them."""

    name: str
    baseline: float
    value: float
    low: float
    high: float
    decision: str  # "better", "worse", "unclear" or "gone"


ROWS: Mapping[str, type] = {
    "estimates": EstimateRow,
    "gaps": GapRow,
    "pairs": PairRow,
    "histograms": HistogramRow,
    "mistakes": MistakeRow,
    "mentions": MentionRow,
    "splits": SplitRow,
    "training": TrainingRow,
    "frequency": FrequencyRow,
    "examples": ExampleRow,
    "baseline": BaselineRow,
}

# in the order a reader wants them
DECISIONS = ("fail", "invalid", "insufficient", "pass")
VERDICT: Mapping[str, Any] = {  # what a page reads of a verdict; it may have more
    **dict.fromkeys(
        (
            "case",
            "gate",
            "metric",
            "comparison",
            "sentence",
            "way_out",
            "reproduce",
            "about",
        ),
        str | None,
    ),
    **dict.fromkeys(
        ("value", "low", "high", "bound", "min_effect", "p_value", "p_holm"), float
    ),
    "strict": bool | None,
    "groups": tuple[str, ...] | None,
    "n": Mapping[str, tuple[int, ...]] | None,
}
