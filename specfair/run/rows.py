"""The tidy rows of a stored run, a dataclass a kind of row: what each column means.

Knows nothing of how rows are filled, stored or drawn.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from specfair.run.closer import TextRow, WaitRow
from specfair.run.drafts import DraftRow
from specfair.run.mended import MendingRow
from specfair.vocabulary import Stage

N_BINS = 20  # of a histogram
N_EXAMPLES = 3  # prompts stored of a verdict
MANY = 24  # groups, up to which pairs, splits and tokens are shown of all
CELLS = 400  # of a grouping's slices, up to which all are stored
ENDS = 5  # of the slowest and of the fastest groups, where there are more


@dataclass(frozen=True, slots=True)
class EstimateRow:
    """One metric of one group with its interval, or its change up to that stage.

    `group` "" is everyone.
    """

    stage: Stage
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
    """The greatest difference between groups. `null` is what groups that are alike
    show in 95 of 100 cases.
    """

    stage: Stage
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

    stage: Stage
    metric: str
    group_a: str
    group_b: str
    difference: float
    low: float
    high: float
    p_holm: float


@dataclass(frozen=True, slots=True)
class RankRow:
    """A group among the others: its value, what the next measurement is expected to
    find with that interval, and the ranks it may truly have; 1 is slowest.
    """

    stage: Stage
    metric: str
    group: str
    value: float
    shrunken: float
    low: float
    high: float
    rank_low: int
    rank_high: int
    n_groups: int

    @property
    def place(self) -> str:
        """The ranks in words."""
        return _place(self.rank_low, self.rank_high, self.n_groups)


@dataclass(frozen=True, slots=True)
class SliceRow:
    """One slice of the prompts among the others of its grouping, as a group among
    groups; p_holm is against all others, corrected for every slice of every grouping
    that was looked at. NaN where too few clusters accuse nobody.
    """

    stage: Stage
    metric: str
    by: tuple[str, ...]  # the attributes
    values: tuple[str, ...]  # what each of them is here
    value: float
    shrunken: float
    low: float
    high: float
    rank_low: int
    rank_high: int
    n_slices: int
    p_holm: float
    n_prompts: int
    n_clusters: int

    @property
    def place(self) -> str:
        """The ranks in words."""
        return _place(self.rank_low, self.rank_high, self.n_slices)

    @property
    def known(self) -> bool:
        """Whether it has clusters enough to say anything."""
        return not math.isnan(self.p_holm)

    @property
    def group(self) -> str:
        """Its name, for a table of slices."""
        return " & ".join(self.values)


def _place(low: int, high: int, n: int) -> str:
    return f"{low} of {n}" if low == high else f"{low} to {high} of {n}"


@dataclass(frozen=True, slots=True)
class HistogramRow:
    """Counts in 20 equal bins: on [0, 1], for quantity "difference" (target minus
    draft) on [-1, 1].
    """

    stage: Stage
    group: str
    quantity: str  # "target_prob", "draft_prob" or "difference"
    outcome: str  # "accepted" or "rejected"
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MistakeRow:
    """One proposal the draft was sure of, in its context."""

    stage: Stage
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

    stage: Stage
    group_a: str
    group_b: str
    total: float
    harder_text: float
    worse_draft: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class FrequencyRow:
    """Gain for each tenfold of mentions, a regression over groups on log10(1 +
    n_words).
    """

    stage: Stage
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
class SwapRow:
    """The worst identity swap that a search came upon: extra target calls of `slow` for
    100 tokens, as contexts that the search never saw have it. `first` and `second` are
    the smallest pair of prompts that shows it, by `shown`.
    """

    stage: Stage
    fast: str
    slow: str
    fast_group: str
    slow_group: str
    value: float
    low: float
    high: float
    p_value: float
    confirmed: bool
    first: str
    second: str
    shown: float
    n_searched: int  # prompts
    n_templates: int  # that confirm


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """A stored value and today's, with the interval of the change between them."""

    name: str
    baseline: float
    value: float
    low: float
    high: float
    decision: str  # "better", "worse", "unclear" or "gone"


# the tables of a run
ROWS: Mapping[str, type] = {
    "estimates": EstimateRow,  # at each stage
    "changes": EstimateRow,  # from the base pair to each stage after it
    "gaps": GapRow,
    "widenings": GapRow,  # likewise
    "pairs": PairRow,
    "ranks": RankRow,
    "slices": SliceRow,
    "drafts": DraftRow,
    "swaps": SwapRow,
    "histograms": HistogramRow,
    "mistakes": MistakeRow,
    "mentions": MentionRow,
    "splits": SplitRow,
    "training": EstimateRow,  # at checkpoints
    "frequency": FrequencyRow,
    "examples": ExampleRow,
    "texts": TextRow,
    "waits": WaitRow,
    "baseline": BaselineRow,
    "mending": MendingRow,
}
