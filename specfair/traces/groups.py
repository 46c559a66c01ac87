"""One metric by group, in fairlearn's words.

Knows samples and what is asked of them; not what the metric is.
"""

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from specfair import stats
from specfair.stats import Compared, Estimate, Evidence, Lots, Sample


class Groups:
    """Everything is drawn once and answers every question.

    >>> from specfair.texts import prompts
    >>> from specfair.traces.metrics import labelled
    >>> few = prompts.load("embedded").only(["female", "male"]).limit(24)
    >>> accepted = np.array([3.0 if prompt.group == "male" else 2.0 for prompt in few])
    >>> rate = Groups(labelled(few).with_counts(accepted, np.full(len(few), 4.0)))
    >>> rate.overall.value, rate.difference().value, rate.difference().groups
    (0.625, 0.25, ('female', 'male'))
    """

    def __init__(
        self, sample: Sample, name: str = "", *, seed: int = 0, lots: Lots | None = None
    ) -> None:
        self.sample = sample
        self.name = name
        self.seed = seed
        # of this seed, where other metrics of the same prompts draw from them too
        self.lots = lots
        self._known: dict[tuple[str, str], Estimate] = {}

    def __repr__(self) -> str:
        return (
            f"Groups({self.name!r}, {len(self.sample):,} prompts of "
            f"{', '.join(self.sample.groups)})"
        )

    @cached_property
    def evidence(self) -> Evidence:
        return stats.gather(self.sample, seed=self.seed, lots=self.lots)

    @cached_property
    def overall(self) -> Estimate:
        """The pooled value."""
        return stats.estimate(self.evidence)

    @cached_property
    def by_group(self) -> Mapping[str, Estimate]:
        """Each group's value."""
        return stats.by_group(self.evidence)

    def release(self) -> None:
        """Give up what takes memory: gaps and ratios stay, the rest is drawn again when
        asked for, with one result.
        """
        for name in ("evidence", "by_group"):
            self.__dict__.pop(name, None)

    def macro(self) -> "Groups":
        """The same with every prompt weighing the same: the mean of prompts' own
        ratios.
        """
        return Groups(self.sample.macro(), self.name, seed=self.seed)

    def difference(self, *, method: stats.Method = "between_groups") -> Estimate:
        """max - min, or the largest distance from the overall value; `groups` names
        them, lowest first.
        """
        if ("difference", method) not in self._known:
            self._known["difference", method] = stats.difference(
                self.evidence, method=method, seed=self.seed
            )
        return self._known["difference", method]

    def ratio(self, *, method: stats.Method = "between_groups") -> Estimate:
        """min / max, or the smallest ratio between a group and the overall value,
        whichever way round.
        """
        if ("ratio", method) not in self._known:
            self._known["ratio", method] = stats.ratio(
                self.evidence, method=method, seed=self.seed
            )
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
        """The two groups furthest apart, with an interval that allows for having looked
        at all pairs.
        """
        return stats.worst_pair(self.evidence, seed=self.seed)

    def pairwise(self) -> list[Estimate]:
        """Every pair by itself."""
        return stats.pairwise(self.evidence, seed=self.seed)

    def furthest(self, n: int) -> list[Compared]:
        """Pairs among the n lowest and the n highest groups, corrected for all
        pairs.
        """
        return stats.furthest(self.evidence, n, seed=self.seed)

    def _first(self, *, sign: float) -> Estimate:
        """The extreme group; one that could not be measured counts as extreme, so that
        it is never passed over.
        """
        return min(
            self.by_group.values(), key=lambda e: sign * e.value if e.valid else -np.inf
        )
