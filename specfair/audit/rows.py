"""The rows of a Report, from measured traces: what a reader wants to see of every
stage.

Knows which metrics and lookaheads are shown, and of which groups. It does not know
bounds or verdicts, nor how a row is drawn. A stage is a dataset ("" for the base pair)
and "before", "after" or "change".
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from specfair import config, stats, vocabulary
from specfair.audit.audit import Audit
from specfair.audit.token_rows import (
    EXPLAINED,
    MANY,
    N_ENDS,
    Decode,
    Stage,
    histograms,
    mistakes,
)
from specfair.decoding import Lookahead
from specfair.gates import baseline
from specfair.gates.baseline import Baseline
from specfair.report import page
from specfair.stats import Estimate
from specfair.texts.mentions import Mentions
from specfair.traces.causes import splits
from specfair.traces.groups import Groups
from specfair.traces.measured import Measured

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
N_EXAMPLES = 3
PATIENCE = 3.0  # seconds without a word
_CHANGES = ("gain", "improve", "widening")
_DEPENDENT = {
    "acceptance_rate",
    "draft_acceptance_rate",
    "mean_acceptance_length",
    "assisted_share",
    "speedup_predicted",
}


def of_stage(
    measured: Measured,
    stage: Stage,
    decode: Decode,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, tuple[Any, ...]]:
    """Every table that one trace fills. Those who wait for hundreds of groups are told
    how far it is.
    """
    lookaheads = dict.fromkeys([measured.lookahead, *LOOKAHEADS])
    asked = [(m, measured.lookahead) for m in SHOWN] + [
        (m, k) for m in ACROSS for k in lookaheads if k != measured.lookahead
    ]
    estimates: list[page.EstimateRow] = []
    gaps: list[page.GapRow] = []
    pairs: list[page.PairRow] = []
    waited = time.monotonic()
    # everything about one metric together: its draws are not kept for ever
    for i, (metric, k) in enumerate(asked):
        if time.monotonic() - waited > PATIENCE:
            waited = time.monotonic()
            say(
                "statistics "
                f"{f'after {stage[0]}' if stage[0] else 'of the base pair'}: "
                f"{i} of {len(asked)} done"
            )
        estimates += _estimates(measured, stage, metric, k)
        few = len(measured.labels.groups) <= MANY
        # the others' gaps are stored and not drawn
        if few or k == measured.lookahead or metric == EXPLAINED:
            gaps.append(_gap(measured, stage, metric, k))
        if metric in PAIRED and k == measured.lookahead:
            pairs += _pairs(measured, stage, metric)
    return {
        "estimates": tuple(estimates),
        "gaps": tuple(gaps),
        "pairs": tuple(pairs),
        "histograms": tuple(histograms(measured, stage)),
        "mistakes": tuple(mistakes(measured, stage, decode)),
        "splits": tuple(_splits(measured, stage)),
    }


def changes(audit: Audit, dataset: str) -> tuple[page.EstimateRow, ...]:
    """Before to after, for every group and for everyone."""
    stage, deployed = (dataset, "change"), audit.settings.deployed
    found = []
    for metric in SHOWN:
        gains = {"": audit.gain(dataset, metric), **audit.gains(dataset, metric)}
        found += [
            _estimate(stage, _named(metric, deployed), group, change)
            for group, change in gains.items()
        ]
    return tuple(found)


def widening(audit: Audit, dataset: str) -> page.GapRow:
    """How much further apart groups lie than before, slowest and fastest after."""
    gap = audit.widening(dataset)
    name = _named(EXPLAINED, audit.settings.deployed)
    lowest, highest = gap.groups if len(gap.groups) == 2 else ("", "")
    return page.GapRow(
        dataset,
        "change",
        *name,
        gap.value,
        gap.low,
        gap.high,
        None,
        np.nan,
        lowest,
        highest,
    )


def training(audit: Audit, dataset: str) -> Iterator[page.TrainingRow]:
    """How alignment moved along the fine-tuning, where checkpoints were kept."""
    for step, measured in audit.training(dataset).items():
        for metric in ALONG:
            groups = measured.groups(metric)
            for group, estimate in {"": groups.overall, **groups.by_group}.items():
                yield page.TrainingRow(dataset, step, group, metric, estimate.value)


def against(
    old: Baseline, now: Baseline, configured: Sequence[vocabulary.Stage]
) -> Iterator[page.BaselineRow]:
    """Every figure of a stored baseline beside today's; stages that nothing is
    configured to measure are gone.
    """
    for stage in old.counts:
        if stage in now.counts:
            before, after = old.sample(stage), now.sample(stage)
            found = baseline.compare(old, now, stage)
            for group, change in ((None, found.overall), *found.by_group.items()):
                then, today = (
                    s if group is None else s.of(group) for s in (before, after)
                )
                moved = (
                    "better"
                    if change.low > 0
                    else "worse"
                    if change.high < 0
                    else "unclear"
                )
                yield page.BaselineRow(
                    baseline.case_of(stage, group),
                    then.value,
                    today.value,
                    change.low,
                    change.high,
                    moved,
                )
        elif stage not in configured:
            yield page.BaselineRow(
                str(stage), old.sample(stage).value, np.nan, np.nan, np.nan, "gone"
            )


def mentions(
    dataset: str, counts: Mapping[str, Mentions]
) -> tuple[page.MentionRow, ...]:
    """How often the corpus mentions each group."""
    return tuple(
        page.MentionRow(dataset, g, c.n_words, c.n_documents, c.n_substrings)
        for g, c in counts.items()
    )


def examples(audit: Audit, verdict: Mapping[str, Any]) -> Iterator[page.ExampleRow]:
    """The prompts that contribute most to a verdict that did not pass: those that lost
    most, or are slowest.
    """
    stage = vocabulary.Stage.of(verdict["dataset"])
    groups = tuple(verdict["groups"])
    if (
        verdict["decision"] not in ("fail", "insufficient")
        or not verdict["dataset"]
        or stage not in audit.stages
        or not groups
    ):
        return
    now = audit.measured(stage).sample(EXPLAINED).of(groups[0]).macro()
    before = (
        audit.base.sample(EXPLAINED).of(groups[0]).macro()
        if verdict["gate"] in _CHANGES
        else None
    )
    effect = now.numerator if before is None else now.numerator - before.numerator
    texts = {p.id: p.text for p in audit.prompts}
    for row in np.argsort(effect, kind="stable")[:N_EXAMPLES]:
        reference = None if before is None else float(before.numerator[row])
        value, name = float(now.numerator[row]), str(now.prompt[row])
        yield page.ExampleRow(
            verdict["case"], verdict["gate"], groups[0], texts[name], value, reference
        )


def frequency(dataset: str, trend: stats.Trend) -> page.FrequencyRow:
    """Gain against mentions, over groups."""
    slope = trend.slope
    return page.FrequencyRow(
        dataset,
        slope.value,
        slope.low,
        slope.high,
        trend.rank_correlation,
        trend.p_value,
    )


def _named(metric: str, lookahead: Lookahead) -> tuple[str, str]:
    """The metric with the lookahead it depends on, if it does."""
    return metric, str(lookahead) if metric in _DEPENDENT else ""


def _estimates(
    measured: Measured, stage: Stage, metric: str, lookahead: Lookahead
) -> Iterator[page.EstimateRow]:
    groups = measured.groups(metric, lookahead)
    name = _named(metric, lookahead)
    yield _estimate(stage, name, "", groups.overall)
    for group, estimate in groups.by_group.items():
        yield _estimate(stage, name, group, estimate)


def _estimate(
    stage: Stage, name: tuple[str, str], group: str, e: Estimate
) -> page.EstimateRow:
    return page.EstimateRow(
        *stage, *name, group, e.value, e.low, e.high, e.n_prompts, e.n_clusters
    )


def _gap(
    measured: Measured, stage: Stage, metric: str, lookahead: Lookahead
) -> page.GapRow:
    groups = measured.groups(metric, lookahead)
    gap, ratio = groups.difference(), _ratio(groups)
    lowest, highest = gap.groups if len(gap.groups) == 2 else ("", "")
    name = _named(metric, lookahead)
    return page.GapRow(
        *stage, *name, gap.value, gap.low, gap.high, gap.null, ratio, lowest, highest
    )


def _ratio(groups: Groups) -> float:
    """The slowest over the fastest, the value alone; NaN where one was not measured or
    is not positive.
    """
    values = [e.value for e in groups.by_group.values()]
    return min(values) / max(values) if all(v > 0 for v in values) else np.nan


def _pairs(measured: Measured, stage: Stage, metric: str) -> Iterator[page.PairRow]:
    """All pairs after Holm's correction; of many groups the pairs among the slowest and
    the fastest.
    """
    groups = measured.groups(metric)
    if len(groups.by_group) > MANY:
        compared = [(found.pair, found.p_value) for found in groups.furthest(N_ENDS)]
    else:
        pairs = groups.pairwise()
        compared = list(
            zip(pairs, stats.holm([e.p_value() for e in pairs]), strict=True)
        )
    for e, p in compared:
        first, second = e.groups
        yield page.PairRow(*stage, metric, first, second, e.value, e.low, e.high, p)


def _splits(measured: Measured, stage: Stage) -> Iterator[page.SplitRow]:
    """Each group against the fastest: is its text harder, or is the draft worse on it?
    Of many, the slowest ones.
    """
    alpha = measured.groups("alpha")
    fastest = alpha.group_max().groups[0]
    others = [group for group in alpha.by_group if group != fastest]
    if len(others) >= MANY:
        slowest = sorted(others, key=lambda g: alpha.by_group[g].value)[: 2 * N_ENDS]
        others = [group for group in others if group in slowest]
    for group, parts in zip(
        others, splits(measured.trace, measured.labels, others, fastest), strict=True
    ):
        worse = parts.worse_draft
        yield page.SplitRow(
            *stage,
            group,
            fastest,
            parts.total.value,
            parts.harder_text.value,
            worse.value,
            worse.low,
            worse.high,
        )
