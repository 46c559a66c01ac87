"""Statistics of groups: counts by prompt, ratios of sums, cluster bootstrap,
comparisons, power.

Pure numpy and scipy. Knows nothing of models, metrics' names or bounds;
docs/statistics.md says how each interval is made and how often it is wrong.
"""

from specfair.stats.between import (
    Compared,
    Method,
    difference,
    furthest,
    pairwise,
    ratio,
    worst_pair,
)
from specfair.stats.estimate import (
    Equivalence,
    Estimate,
    Part,
    equivalence,
    holm,
    invalid,
)
from specfair.stats.explain import Split, Trend, frequency, kitagawa
from specfair.stats.groups import Evidence, gather
from specfair.stats.lots import Lots
from specfair.stats.permute import permuted_gaps
from specfair.stats.power import Needed, detectable, prompts_needed
from specfair.stats.single import by_group, change, changes, estimate
from specfair.stats.tally import Sample, divide
from specfair.stats.widening import widening

__all__ = [
    "Compared",
    "Equivalence",
    "Estimate",
    "Evidence",
    "Lots",
    "Method",
    "Needed",
    "Part",
    "Sample",
    "Split",
    "Trend",
    "by_group",
    "change",
    "changes",
    "detectable",
    "difference",
    "divide",
    "equivalence",
    "estimate",
    "frequency",
    "furthest",
    "gather",
    "holm",
    "invalid",
    "kitagawa",
    "pairwise",
    "permuted_gaps",
    "prompts_needed",
    "ratio",
    "widening",
    "worst_pair",
]
