"""Metrics: what each is in one sentence, and how a Trace becomes a Sample of it.

Knows how every metric is a ratio of sums over prompts. Does not know bounds, intervals'
mathematics or models.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from specfair.decoding import Lookahead
from specfair.errors import UsageError, unknown
from specfair.stats import Sample
from specfair.stats.tally import Array
from specfair.texts.prompts import Prompt
from specfair.traces.replay import replay
from specfair.traces.tally import RATES, Tally
from specfair.traces.trace import Trace

CONFIDENT = 0.9  # a draft probability from which on a proposal counts as confident

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
    cost = trace.reading.cost_ratio
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
