"""Metrics: what each is in one sentence, how a Trace becomes a Sample of it, and
fairlearn's vocabulary for groups.

Knows how every metric is a ratio of sums over prompts. Does not know bounds, intervals'
mathematics or models.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from specfair import stats
from specfair.errors import DataError, UsageError, unknown
from specfair.stats import (
    RATES,
    Compared,
    Estimate,
    Evidence,
    Part,
    Ranked,
    Sample,
    Split,
    Tally,
)
from specfair.stats.tally import Array, Codes
from specfair.stats.units import counted_by_group
from specfair.texts.prompts import Prompt
from specfair.traces.replay import Lookahead, replay
from specfair.traces.trace import Trace

CONFIDENT = 0.9  # a draft probability from which on a proposal counts as confident
N_STRATA = 5  # of target entropy, in `split`

Sums = tuple[Array, Array]  # numerators and denominators by prompt
Count = Callable[[], Tally]  # made only where a metric needs it
Engine = Callable[[Trace, Lookahead], Tally]


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric in words, and how to sum it by prompt."""

    sentence: str
    known_as: str
    higher_is_better: bool
    sums: Callable[[Trace, Count], Sums]


def _rate(name: str) -> Callable[[Trace, Count], Sums]:
    over, under = RATES[name]

    def sums(_: Trace, count: Count) -> Sums:
        tally = count()
        return getattr(tally, over), getattr(tally, under)

    return sums


def _mean(*columns: str) -> Callable[[Trace, Count], Sums]:
    """The mean over positions of the sum of columns."""

    def sums(trace: Trace, _: Count) -> Sums:
        summed = np.sum([trace[c].astype(np.float64) for c in columns], axis=0)
        return trace.per_prompt(summed), trace.lengths.astype(np.float64)

    return sums


def _confident_rejections(trace: Trace, _: Count) -> Sums:
    confidence, accepted = trace["proposal_draft_prob"], trace["accepted"]
    # a decision on NaN is none: it stays visible
    known = np.isfinite(confidence) & np.isfinite(trace["accept_prob"])
    confident = np.where(known, confidence >= CONFIDENT, np.nan)
    return trace.per_prompt(confident * ~accepted), trace.per_prompt(confident)


def _speedup_predicted(trace: Trace, count: Count) -> Sums:
    cost = trace.header.cost_ratio
    tally = count()
    return tally.n_new_tokens, tally.n_rounds + (
        np.nan if cost is None else cost
    ) * tally.n_drafted


METRICS: Mapping[str, Definition] = {
    "acceptance_rate": Definition(
        (
            "accepted tokens / tested tokens, where tested means accepted or the "
            "first rejected of its round"
        ),
        "accepted / (accepted + rejected)",
        True,
        _rate("acceptance_rate"),
    ),
    "draft_acceptance_rate": Definition(
        "accepted tokens / drafted tokens; depends on the lookahead",
        "vLLM's draft acceptance rate; llama.cpp n_accepted / n_draft",
        True,
        _rate("draft_acceptance_rate"),
    ),
    "mean_acceptance_length": Definition(
        "new tokens for each call of the target",
        (
            "vLLM's mean acceptance length; Spec-Bench's mean accepted tokens; "
            "block efficiency"
        ),
        True,
        _rate("mean_acceptance_length"),
    ),
    "assisted_share": Definition(
        "accepted tokens / new tokens",
        "n_matches / max_new_tokens",
        True,
        _rate("assisted_share"),
    ),
    "alpha": Definition(
        (
            "mean probability that a token of the target's own text is accepted, "
            "as deployed; free of the lookahead"
        ),
        "alpha of Leviathan et al. 2023",
        True,
        _mean("accept_prob"),
    ),
    "overlap": Definition(
        (
            "mean of sum(min(target, draft)) at temperature 1, which is 1 - total "
            "variation"
        ),
        "",
        True,
        _mean("overlap"),
    ),
    "kl": Definition(
        (
            "mean Kullback-Leibler divergence of the draft from the target at "
            "temperature 1, in nats"
        ),
        "KL_T of arXiv 2510.02128",
        False,
        _mean("kl"),
    ),
    "cross_entropy": Definition(
        (
            "mean of -sum(target log draft) at temperature 1, in nats: the "
            "target's own entropy plus kl"
        ),
        "D_T of arXiv 2510.02128",
        False,
        _mean("target_entropy", "kl"),
    ),
    "confident_rejections": Definition(
        (
            "share rejected of the proposals to which the draft gives a "
            f"probability of {CONFIDENT:g} or more"
        ),
        "confident mistakes",
        False,
        _confident_rejections,
    ),
    "speedup_predicted": Definition(
        (
            "mean_acceptance_length / (1 + c * drafted per round), c = draft step "
            "time / target step time, measured"
        ),
        "Theorem 3.8 of Leviathan et al. 2023",
        True,
        _speedup_predicted,
    ),
}


def definition(metric: str) -> Definition:
    """The metric of this name."""
    if metric not in METRICS:
        raise UsageError(unknown("metric", metric, METRICS))
    return METRICS[metric]


def sample(
    trace: Trace, metric: str, lookahead: Lookahead, *, engine: Engine = replay
) -> Sample:
    """The metric's numerators and denominators for every prompt of a trace, counted by
    replay or by another engine.
    """
    return labelled(trace.prompts).with_counts(
        *sums(trace, metric, lambda: engine(trace, lookahead))
    )


def sums(trace: Trace, metric: str, count: Count) -> Sums:
    """Numerators and denominators of a metric, without the prompts' labels."""
    return definition(metric).sums(trace, count)


def labelled(prompts: Sequence[Prompt]) -> Sample:
    """A Sample of these prompts in which nothing is counted yet."""
    names = ("id", "group", "cluster", "template")
    labels = (
        np.array([getattr(p, name) for p in prompts], dtype=np.str_) for name in names
    )
    return Sample(np.zeros(len(prompts)), np.zeros(len(prompts)), *labels)


class Groups:
    """One metric by group, in fairlearn's words. Errors are found once and answer every
    question.
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


def unfairness(trace: Trace) -> Mapping[str, float]:
    """Variance over groups of cross_entropy, kl and alpha: our reading of U in arXiv
    2510.02128 (no public code).
    """
    found = {
        name: sample(trace, name, Lookahead())
        for name in ("cross_entropy", "kl", "alpha")
    }
    return {
        name: float(np.var([s.of(g).value for g in s.groups]))
        for name, s in found.items()
    }


def split(trace: Trace, group_a: str, group_b: str) -> Split:
    """alpha of group_a less that of group_b: the part due to harder text, and the part
    due to a worse draft on it.

    Harder means a higher entropy of the target, in strata with equally many tokens.
    """
    return next(splits(trace, labelled(trace.prompts), (group_a,), group_b))


def splits(
    trace: Trace, labels: Sample, groups: Sequence[str], against: str
) -> Iterator[Split]:
    """Each of these groups against one, as `split` has it; `labels` are those of the
    trace's prompts.
    """
    theirs = _tokens(trace, labels, against)
    for group in groups:
        mine = _tokens(trace, labels, group)
        if not mine.parts or not theirs.parts:
            raise DataError(
                f"split of {group!r} and {against!r}: one has no prompts in "
                "the trace. Name two that have."
            )
        edges = np.quantile(
            np.concatenate([mine.entropy, theirs.entropy]),
            np.linspace(0, 1, N_STRATA + 1)[1:-1],
        )
        cells = [t.cells(edges) for t in (mine, theirs)]
        yield stats.kitagawa(
            cells, [*mine.parts, *theirs.parts], groups=(group, against)
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Tokens:
    """What a split needs of one group's tokens."""

    unit: Codes  # of evidence
    entropy: Array
    accepted: Array
    parts: tuple[Part, ...]

    def cells(self, edges: Array) -> Array:
        """Accepted and all tokens by unit and stratum: (units, 2, strata)."""
        codes = self.unit * N_STRATA + np.searchsorted(
            edges, self.entropy, side="right"
        )
        counts = (self.accepted, np.ones(len(codes)))
        return np.stack(
            [stats.explain.cells_of(codes, N_STRATA, each) for each in counts], axis=1
        )


def _tokens(trace: Trace, labels: Sample, group: str) -> _Tokens:
    rows = np.flatnonzero(labels.group == group)
    lengths, mine = trace.lengths[rows], labels[rows]
    tokens = np.arange(lengths.sum()) + np.repeat(
        trace.offsets[rows] - np.cumsum(lengths) + lengths, lengths
    )
    entropy, accepted = (
        trace[name][tokens].astype(np.float64)
        for name in ("target_entropy", "accept_prob")
    )
    return _Tokens(
        np.repeat(stats.explain.units_of(mine), lengths),
        entropy,
        accepted,
        counted_by_group(mine),
    )
