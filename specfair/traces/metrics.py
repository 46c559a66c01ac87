"""Metrics: how a Trace becomes a Sample of each.

Knows how every metric is a ratio of sums over prompts. Does not know bounds, intervals'
mathematics or models.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from specfair.decoding import Lookahead
from specfair.errors import UsageError, unknown
from specfair.stats import Sample, divide
from specfair.stats.tally import Array
from specfair.texts.prompts import Prompt
from specfair.traces.replay import replay
from specfair.traces.tally import RATES, Tally
from specfair.traces.trace import LIMITED, Trace
from specfair.traces.written import OF_TOKENS, as_written
from specfair.vocabulary import CONFIDENT, METRICS

Sums = tuple[Array, Array]  # numerators and denominators by prompt
Count = Callable[[], Tally]  # made only where a metric needs it
Engine = Callable[[Trace, Lookahead], Tally]


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


def _alpha(trace: Trace, _: Count) -> Sums:
    return trace.per_prompt(trace.acceptance), trace.lengths.astype(np.float64)


def _reach(trace: Trace, _: Count) -> Sums:
    return trace.per_prompt(trace["reached"]), trace.lengths.astype(np.float64)


def _alpha_within_reach(trace: Trace, count: Count) -> Sums:
    """Beyond it no coin is ever anything but 0."""
    return _alpha(trace, count)[0], _reach(trace, count)[0]


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


def _written(name: str) -> Callable[[Trace, Count], Sums]:
    return lambda trace, _: as_written(trace.text, OF_TOKENS[name](trace.text))


# what a reading need not have: a lookup gives no probabilities, and most drafts propose
# from the whole vocabulary
_NEEDED: Mapping[str, str] = {
    "overlap": "overlap",
    "kl": "kl",
    "cross_entropy": "kl",
    "confident_rejections": "proposal_draft_prob",
    "reach": "reached",
    "alpha_within_reach": "reached",
}


# in the vocabulary's names; those that only a server's clients feel are not here, nor
# those that need a lexicon or another model beside the trace
SUMS: Mapping[str, Callable[[Trace, Count], Sums]] = {
    **{name: _rate(name) for name in RATES},
    "alpha": _alpha,
    "overlap": _mean("overlap"),
    "kl": _mean("kl"),
    "cross_entropy": _mean("target_entropy", "kl"),
    "confident_rejections": _confident_rejections,
    "speedup_predicted": _speedup_predicted,
    "reach": _reach,
    "alpha_within_reach": _alpha_within_reach,
    **{name: _written(name) for name in OF_TOKENS},
}


def sample(
    trace: Trace, metric: str, lookahead: Lookahead, *, engine: Engine = replay
) -> Sample:
    """The metric's numerators and denominators for every prompt of a trace, counted by
    replay or by another engine.
    """
    counts = sums(trace, metric, lambda: engine(trace, lookahead))
    return labelled(trace.prompts).with_counts(*counts).by_prompt()


def has(trace: Trace, metric: str) -> bool:
    """Whether a trace shows the metric, and its draft gives what it is about."""
    return metric in SUMS and not _lacking(trace, metric)


def _lacking(trace: Trace, metric: str) -> str:
    """Why the trace does not show it."""
    if metric == "own_endings" and not trace.header.eos:
        return "nothing but the budget ends a text (ignore_eos). Ask for length"
    needed = _NEEDED.get(metric, "token")
    if needed in trace.columns:
        return ""
    why = "gives no probabilities at a position"
    if needed in LIMITED:
        why = "can propose every token"
    return f"draft {trace.reading.draft!r} {why}. Ask for alpha or acceptance_rate"


def sums(trace: Trace, metric: str, count: Count) -> Sums:
    """Numerators and denominators of a metric, without the prompts' labels."""
    if metric not in SUMS:
        raise UsageError(unknown("metric of a pair", metric, SUMS))
    if lacking := _lacking(trace, metric):
        raise UsageError(f"metric {metric!r}: {lacking}.")
    over, under = SUMS[metric](trace, count)
    return (
        without_luck(trace, over, under) if METRICS[metric].per_lookahead else over
    ), under


def without_luck(trace: Trace, over: Array, under: Array) -> Array:
    """The numerators of a count less what the coins' luck explains of them.

    Where the target samples, coins of its text are higher or lower than the overlap by
    luck whose mean is 0 in every prompt, so the ratio keeps its meaning and loses
    noise. Greedy coins have none.
    """
    luck = trace.per_prompt(trace["accept_prob"] - trace.acceptance)
    known = np.isfinite(luck + over + under)
    rate = divide(over[known].sum(), under[known].sum())
    left, some = (over - rate * under)[known], luck[known]
    slope = left @ some / max(float(some @ some), np.finfo(np.float64).tiny)
    return np.asarray(over - slope * luck)


def labelled(prompts: Sequence[Prompt]) -> Sample:
    """A Sample of these prompts, text by text, in which nothing is counted yet."""
    names = ("id", "group", "cluster", "template")
    labels = (
        np.array([getattr(p, name) for p in prompts], dtype=np.str_) for name in names
    )
    return Sample(np.zeros(len(prompts)), np.zeros(len(prompts)), *labels)
