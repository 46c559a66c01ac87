"""One trace under one lookahead: every metric by group, each drawn once, answered by
the replay or by live decoding.

Knows how a metric's groups come from a trace. It does not know where the trace came
from, nor what it is compared with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from specfair.decoding import Lookahead
from specfair.errors import unknown
from specfair.stats import Sample
from specfair.traces.groups import Groups
from specfair.traces.metrics import Engine, Sums, has, labelled, sums
from specfair.traces.replay import replay as replayed
from specfair.traces.tally import Tally
from specfair.traces.trace import Trace
from specfair.vocabulary import GATED, METRICS


@dataclass(frozen=True, slots=True)
class Measured:
    """What is asked of a trace: `measured.alpha.by_group`,
    `measured.acceptance_rate.difference()`.
    """

    trace: Trace
    lookahead: Lookahead
    engine: Engine = replayed
    scope: str = "identities"  # what more evidence would be more of
    # metrics that were reported, where nothing else is known of the trace
    given: Mapping[str, Sums] = field(default_factory=dict, compare=False)
    # of its texts, which a lexicon or another model found
    scores: Mapping[str, Sums] = field(default_factory=dict, compare=False)
    _groups: dict[tuple[str, Lookahead], Groups] = field(
        default_factory=dict, repr=False, compare=False
    )
    _tallies: dict[Lookahead, Tally] = field(
        default_factory=dict, repr=False, compare=False
    )
    # of the prompts, once known
    _labels: list[Sample] = field(default_factory=list, repr=False, compare=False)

    def groups(self, metric: str, lookahead: Lookahead | None = None) -> Groups:
        """The metric with `.overall`, `.by_group`, `.difference()`, `.ratio()` and
        `.worst_pair()`.
        """
        key = (metric, lookahead or self.lookahead)
        if key not in self._groups:
            self._groups[key] = Groups(self._sample(*key), metric)
        return self._groups[key]

    def _sample(self, metric: str, lookahead: Lookahead) -> Sample:
        """Labels are made once, and counts once for each lookahead."""
        if self.given:
            return self.labels.with_counts(*self.given[metric])
        counts = self.scores.get(metric)
        if counts is None:
            counts = sums(self.trace, metric, lambda: self._count(lookahead))
        return self.labels.with_counts(*counts).by_prompt()

    @property
    def gated(self) -> str:
        """The metric that gates look at unless told otherwise."""
        return next(iter(self.given), GATED)

    def tells(self, metric: str) -> bool:
        """Whether the metric is known of it."""
        if metric not in METRICS:  # of the clock
            return True
        if self.given:
            return metric in self.given
        return metric in self.scores or has(self.trace, metric)

    @property
    def tally(self) -> Tally:
        """What the deployed lookahead counts of each text."""
        return self._count(self.lookahead)

    @property
    def labels(self) -> Sample:
        """The texts' prompts without any count: what all metrics of the trace have in
        common.
        """
        if not self._labels:
            self._labels.append(labelled(self.trace.prompts).within(self.scope))
        return self._labels[0]

    def _count(self, lookahead: Lookahead) -> Tally:
        if lookahead not in self._tallies:
            self._tallies[lookahead] = self.engine(self.trace, lookahead)
        return self._tallies[lookahead]

    def sample(self, metric: str) -> Sample:
        """The metric's numerators and denominators by prompt."""
        return self.groups(metric).sample

    def __getattr__(self, name: str) -> Groups:
        if name in METRICS:
            return self.groups(name)
        raise AttributeError(unknown("metric", name, METRICS))
