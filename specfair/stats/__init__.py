"""Statistics of groups: counts by prompt, ratios of sums, leave-one-out errors,
comparisons, power.

Pure numpy and scipy, closed forms and no simulation. Knows nothing of models, metrics'
names or bounds; docs/statistics.md says how each interval is made and how often it is
wrong.
"""

from specfair.stats.between import (
    Compared,
    Method,
    difference,
    furthest,
    furthest_pair,
    pairwise,
    ratio,
)
from specfair.stats.estimate import (
    Equivalence,
    Estimate,
    Part,
    Scope,
    equivalence,
    invalid,
)
from specfair.stats.explain import Split, Trend, frequency, kitagawa
from specfair.stats.families import Chance, false_failures, holm
from specfair.stats.groups import Evidence, gather
from specfair.stats.power import Needed, detectable, prompts_needed
from specfair.stats.ranks import Ranked, ranked
from specfair.stats.single import by_group, change, changes, estimate
from specfair.stats.slices import Slice, slices
from specfair.stats.tally import Sample, divide
from specfair.stats.widening import spread, widening

__all__ = [
    "Chance",
    "Compared",
    "Equivalence",
    "Estimate",
    "Evidence",
    "Method",
    "Needed",
    "Part",
    "Ranked",
    "Sample",
    "Scope",
    "Slice",
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
    "false_failures",
    "frequency",
    "furthest",
    "furthest_pair",
    "gather",
    "holm",
    "invalid",
    "kitagawa",
    "pairwise",
    "prompts_needed",
    "ranked",
    "ratio",
    "slices",
    "spread",
    "widening",
]
