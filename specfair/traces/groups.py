"""One metric by group, in fairlearn's words.

Knows samples and what is asked of them; not what the metric is.
"""

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from specfair import stats
from specfair.stats import Compared, Estimate, Evidence, Ranked, Sample


class Groups:
    """Errors are found once and answer every question.

    >>> from specfair.texts import prompts
    >>> from specfair.traces.metrics import labelled
    >>> few = prompts.load("embedded").only(["female", "male"]).limit(24)
    >>> accepted = np.array([3.0 if prompt.group == "male" else 2.0 for prompt in few])
    >>> rate = Groups(labelled(few).with_counts(accepted, np.full(len(few), 4.0)))
    >>> rate.overall.value, rate.difference().value, rate.difference().groups
    (0.625, 0.25, ('female', 'male'))
    """

    def __init__(self, sample: Sample, name: str = "") -> None:
        self.sample = sample
        self.name = name
        self._known: dict[tuple[str, str], Estimate] = {}

    def __repr__(self) -> str:
        return (
            f"Groups({self.name!r}, {len(self.sample):,} prompts of "
            f"{', '.join(self.sample.groups)})"
        )

    @cached_property
    def evidence(self) -> Evidence:
        return stats.gather(self.sample)

    @cached_property
    def overall(self) -> Estimate:
        """The pooled value."""
        return stats.estimate(self.evidence)

    @cached_property
    def by_group(self) -> Mapping[str, Estimate]:
        """Each group's value."""
        return stats.by_group(self.evidence)

    def macro(self) -> "Groups":
        """The same with every prompt weighing the same: the mean of prompts' own
        ratios.
        """
        return Groups(self.sample.macro(), self.name)

    def difference(self, *, method: stats.Method = "between_groups") -> Estimate:
        """max - min, or the largest distance from the overall value; `groups` names
        them, lowest first.
        """
        if ("difference", method) not in self._known:
            self._known["difference", method] = stats.difference(
                self.evidence, method=method
            )
        return self._known["difference", method]

    def ratio(self, *, method: stats.Method = "between_groups") -> Estimate:
        """min / max, or the smallest ratio between a group and the overall value,
        whichever way round.
        """
        if ("ratio", method) not in self._known:
            self._known["ratio", method] = stats.ratio(self.evidence, method=method)
        return self._known["ratio", method]

    def group_min(self) -> Estimate:
        """The lowest group's estimate; that it is the lowest may be chance, see
        `worst_pair`.
        """
        return self._first(sign=1.0)

    def group_max(self) -> Estimate:
        """The highest group's estimate."""
        return self._first(sign=-1.0)

    def worst_pair(self) -> Estimate:
        """The two groups most surely apart, with an interval that allows for having
        looked at all pairs.
        """
        return stats.furthest_pair(self.evidence)

    def pairwise(self) -> list[Estimate]:
        """Every pair by itself."""
        return stats.pairwise(self.evidence)

    def furthest(self, n: int) -> list[Compared]:
        """Pairs among the n lowest and the n highest groups, corrected for all
        pairs.
        """
        return stats.furthest(self.evidence, n)

    def ranked(self) -> list[Ranked]:
        """Each group's rate, drawn towards the others as far as it is noise, and the
        ranks it may have; the lowest first.
        """
        return stats.ranked(self.evidence)

    def _first(self, *, sign: float) -> Estimate:
        """The extreme group; one that could not be measured counts as extreme, so that
        it is never passed over.
        """
        return min(
            self.by_group.values(), key=lambda e: sign * e.value if e.valid else -np.inf
        )
