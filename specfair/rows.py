"""The rows of a Report, from measured traces: what a reader wants to see of every stage.

Knows which metrics, lookaheads, histograms and tokens are shown. It does not know bounds or verdicts, nor how a row is
drawn. A stage is a dataset ("" for the base pair) and "before", "after" or "change".
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from specfair import baseline, config, stats
from specfair.audit import Audit
from specfair.baseline import Baseline
from specfair.measured import Measured
from specfair.mentions import Mentions
from specfair.metrics import split
from specfair.replay import Lookahead
from specfair.report import page
from specfair.stats import Estimate

Stage: TypeAlias = tuple[str, str]
Decode: TypeAlias = Callable[[Sequence[int]], str]

SHOWN = (
    "acceptance_rate",
    "alpha",
    "mean_acceptance_length",
    "speedup_predicted",
    "overlap",
    "kl",
    "confident_rejections",
)
PAIRED = ("acceptance_rate",)  # metrics whose groups are compared two by two
LOOKAHEADS = tuple(Lookahead.parse(text) for text in config.LOOKAHEADS)
ACROSS = ("acceptance_rate", "mean_acceptance_length", "speedup_predicted")
ALONG = ("kl", "acceptance_rate")  # metrics shown over training
CONFIDENT = 0.9
N_MISTAKES = 5  # shown of each group and outcome
N_BEFORE = 12  # tokens of context before a mistake
EXPLAINED = "acceptance_rate"  # the metric that examples of prompts show
N_EXAMPLES = 3
_CHANGES = ("gain", "improve", "widening")
_DEPENDENT = {
    "acceptance_rate",
    "draft_acceptance_rate",
    "mean_acceptance_length",
    "assisted_share",
    "speedup_predicted",
}
_QUANTITIES = {"target_prob": (0, 1), "draft_prob": (0, 1), "difference": (-1, 1)}


def of_stage(measured: Measured, stage: Stage, decode: Decode) -> dict[str, tuple[Any, ...]]:
    """Every table that one trace fills."""
    lookaheads = dict.fromkeys([measured.lookahead, *LOOKAHEADS])
    asked = [(m, measured.lookahead) for m in SHOWN] + [
        (m, k) for m in ACROSS for k in lookaheads if k != measured.lookahead
    ]
    return {
        "estimates": tuple(row for metric, k in asked for row in _estimates(measured, stage, metric, k)),
        "gaps": tuple(_gap(measured, stage, metric, k) for metric, k in asked),
        "pairs": tuple(row for metric in PAIRED for row in _pairs(measured, stage, metric)),
        "histograms": tuple(_histograms(measured, stage)),
        "mistakes": tuple(_mistakes(measured, stage, decode)),
        "splits": tuple(_splits(measured, stage)),
    }


def changes(audit: Audit, dataset: str) -> tuple[page.EstimateRow, ...]:
    """Before to after, for every group and for everyone."""
    stage, deployed = (dataset, "change"), audit.settings.deployed
    found = []
    for metric in SHOWN:
        gains = {"": audit.gain(dataset, metric), **audit.gains(dataset, metric)}
        found += [_estimate(stage, _named(metric, deployed), group, change) for group, change in gains.items()]
    return tuple(found)


def training(audit: Audit, dataset: str) -> Iterator[page.TrainingRow]:
    """How alignment moved along the fine-tuning, where checkpoints were kept."""
    for step, measured in audit.training(dataset).items():
        for metric in ALONG:
            groups = measured.groups(metric)
            for group, estimate in {"": groups.overall, **groups.by_group}.items():
                yield page.TrainingRow(dataset, step, group, metric, estimate.value)


def against(old: Baseline, now: Baseline, configured: Sequence[str]) -> Iterator[page.BaselineRow]:
    """Every figure of a stored baseline beside today's; stages that nothing is configured to measure are gone."""
    for stage in old.counts:
        if stage in now.counts:
            before, after = old.sample(stage), now.sample(stage)
            found = baseline.compare(old, now, stage)
            for group, change in ((None, found.overall), *found.by_group.items()):
                then, today = (s if group is None else s.of(group) for s in (before, after))
                moved = "better" if change.low > 0 else "worse" if change.high < 0 else "unclear"
                yield page.BaselineRow(
                    baseline.case_of(stage, group), then.value, today.value, change.low, change.high, moved
                )
        elif stage not in configured:
            yield page.BaselineRow(stage, old.sample(stage).value, np.nan, np.nan, np.nan, "gone")


def mentions(dataset: str, counts: Mapping[str, Mentions]) -> tuple[page.MentionRow, ...]:
    """How often the corpus mentions each group."""
    return tuple(page.MentionRow(dataset, g, c.n_words, c.n_documents, c.n_substrings) for g, c in counts.items())


def examples(audit: Audit, verdict: Mapping[str, Any]) -> Iterator[page.ExampleRow]:
    """The prompts that contribute most to a verdict that did not pass: those that lost most, or are slowest."""
    stage, groups = verdict["dataset"], tuple(verdict["groups"])
    if verdict["decision"] not in ("fail", "insufficient") or stage not in audit.stages or not groups:
        return
    now = audit.measured(stage).sample(EXPLAINED).of(groups[0]).macro()
    before = audit.base.sample(EXPLAINED).of(groups[0]).macro() if verdict["gate"] in _CHANGES else None
    effect = now.numerator if before is None else now.numerator - before.numerator
    texts = {p.id: p.text for p in audit.prompts}
    for row in np.argsort(effect, kind="stable")[:N_EXAMPLES]:
        reference = None if before is None else float(before.numerator[row])
        value, name = float(now.numerator[row]), str(now.prompt[row])
        yield page.ExampleRow(verdict["case"], verdict["gate"], groups[0], texts[name], value, reference)


def frequency(dataset: str, trend: stats.Trend) -> page.FrequencyRow:
    """Gain against mentions, over groups."""
    slope = trend.slope
    return page.FrequencyRow(dataset, slope.value, slope.low, slope.high, trend.rank_correlation, trend.p_value)


def _named(metric: str, lookahead: Lookahead) -> tuple[str, str]:
    """The metric with the lookahead it depends on, if it does."""
    return metric, str(lookahead) if metric in _DEPENDENT else ""


def _estimates(measured: Measured, stage: Stage, metric: str, lookahead: Lookahead) -> Iterator[page.EstimateRow]:
    groups = measured.groups(metric, lookahead)
    name = _named(metric, lookahead)
    yield _estimate(stage, name, "", groups.overall)
    for group, estimate in groups.by_group.items():
        yield _estimate(stage, name, group, estimate)


def _estimate(stage: Stage, name: tuple[str, str], group: str, e: Estimate) -> page.EstimateRow:
    return page.EstimateRow(*stage, *name, group, e.value, e.low, e.high, e.n_prompts, e.n_clusters)


def _gap(measured: Measured, stage: Stage, metric: str, lookahead: Lookahead) -> page.GapRow:
    groups = measured.groups(metric, lookahead)
    gap, ratio = groups.difference(), groups.ratio()
    lowest, highest = gap.groups if len(gap.groups) == 2 else ("", "")
    name = _named(metric, lookahead)
    return page.GapRow(*stage, *name, gap.value, gap.low, gap.high, gap.null, ratio.value, lowest, highest)


def _pairs(measured: Measured, stage: Stage, metric: str) -> Iterator[page.PairRow]:
    compared = measured.groups(metric).pairwise()
    for e, p in zip(compared, stats.holm([e.p_value() for e in compared]), strict=True):
        first, second = e.groups
        yield page.PairRow(*stage, metric, first, second, e.value, e.low, e.high, p)


def _histograms(measured: Measured, stage: Stage) -> Iterator[page.HistogramRow]:
    """Proposals' probabilities, accepted and rejected, of each group and of all."""
    trace = measured.trace
    target, draft, accepted = trace["proposal_target_prob"], trace["proposal_draft_prob"], trace["accepted"]
    values = {"target_prob": target, "draft_prob": draft, "difference": target - draft}
    group = np.array([p.group for p in trace.prompts])[trace.rows]
    for name in ("", *dict.fromkeys(group.tolist())):
        inside = np.ones(len(group), bool) if not name else group == name
        for quantity, span in _QUANTITIES.items():
            for outcome, rows in (("accepted", accepted), ("rejected", ~accepted)):
                counts, _ = np.histogram(values[quantity][inside & rows], bins=page.N_BINS, range=span)
                yield page.HistogramRow(*stage, name, quantity, outcome, tuple(counts.tolist()))


def _mistakes(measured: Measured, stage: Stage, decode: Decode) -> Iterator[page.MistakeRow]:
    """The proposals the draft was surest of, rejected and accepted, at most one of each token and group."""
    trace = measured.trace
    group = np.array([p.group for p in trace.prompts])[trace.rows]
    for name in dict.fromkeys(group.tolist()):
        for outcome, wanted in (("rejected", ~trace["accepted"]), ("accepted", trace["accepted"])):
            for row in _surest(trace["proposal_draft_prob"], trace["proposal"], wanted & (group == name)):
                yield _mistake(measured, (*stage, name, outcome), row, decode)


def _surest(confidence: NDArray[Any], proposal: NDArray[Any], wanted: NDArray[np.bool_]) -> list[int]:
    candidates = np.flatnonzero(wanted & (confidence >= CONFIDENT))
    ordered = candidates[np.argsort(-confidence[candidates], kind="stable")]
    _, first = np.unique(proposal[ordered], return_index=True)
    return [int(row) for row in ordered[np.sort(first)][:N_MISTAKES]]


def _mistake(measured: Measured, names: tuple[str, str, str, str], row: int, decode: Decode) -> page.MistakeRow:
    trace, prompt = measured.trace, int(measured.trace.rows[row])
    start = max(int(trace.offsets[prompt]), row - N_BEFORE)
    written = decode(trace["token"][start:row].tolist())
    before = trace.prompts[prompt].text + written if start == trace.offsets[prompt] else f"…{written}"
    return page.MistakeRow(
        *names,
        token=decode([int(trace["proposal"][row])]),
        before_text=before,
        target_prob=float(trace["proposal_target_prob"][row]),
        draft_prob=float(trace["proposal_draft_prob"][row]),
        target_token=decode([int(trace["token"][row])]),
    )


def _splits(measured: Measured, stage: Stage) -> Iterator[page.SplitRow]:
    """Each group against the fastest: is its text harder, or is the draft worse on it?"""
    alpha = measured.groups("alpha")
    fastest = alpha.group_max().groups[0]
    for group in alpha.by_group:
        if group != fastest:
            parts = split(measured.trace, group, fastest)
            worse = parts.worse_draft
            yield page.SplitRow(
                *stage, group, fastest, parts.total.value, parts.harder_text.value, worse.value, worse.low, worse.high
            )
