"""The rows of a Report, from measured traces: what a reader wants to see of every
stage.

Knows which metrics and lookaheads are shown, and of which groups. It does not know
bounds or verdicts, nor how a row is drawn."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from specfair import config, stats
from specfair.audit.audit import Audit
from specfair.audit.token_rows import Decode, histogram_rows, mistake_rows
from specfair.decoding import Lookahead
from specfair.gates import baseline
from specfair.gates.baseline import Baseline
from specfair.run.rows import (
    ENDS,
    MANY,
    BaselineRow,
    EstimateRow,
    FrequencyRow,
    GapRow,
    MentionRow,
    PairRow,
    RankRow,
    SplitRow,
)
from specfair.stats import Estimate
from specfair.texts.mentions import Mentions
from specfair.traces.causes import splits
from specfair.traces.groups import Groups
from specfair.traces.measured import Measured
from specfair.vocabulary import ACROSS, GATED, METRICS, STORED, Stage

LOOKAHEADS = tuple(Lookahead.parse(text) for text in config.LOOKAHEADS)
ALONG = ("kl", "acceptance_rate")  # metrics shown over training
PATIENCE = 3.0  # seconds without a word


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
    asked = [(m, measured.lookahead) for m in measured.given or STORED]
    asked = [(m, k) for m, k in asked if measured.tells(m)]
    if not measured.given:
        others = [k for k in LOOKAHEADS if k != measured.lookahead]
        asked += [(m, k) for m in ACROSS for k in others]
    estimates: list[EstimateRow] = []
    gaps: list[GapRow] = []
    pairs: list[PairRow] = []
    waited = time.monotonic()
    # everything about one metric together: its draws are not kept for ever
    for i, (metric, k) in enumerate(asked):
        if time.monotonic() - waited > PATIENCE:
            waited = time.monotonic()
            say(
                "statistics "
                f"{f'after {stage}' if stage.tuned else 'of the base pair'}: "
                f"{i} of {len(asked)} done"
            )
        estimates += _estimates(measured, stage, metric, k)
        few = len(measured.labels.groups) <= MANY
        # the others' gaps are stored and not drawn
        if few or k == measured.lookahead or metric == measured.gated:
            gaps.append(_gap(measured, stage, metric, k))
        if metric == measured.gated and k == measured.lookahead:
            pairs += _pairs(measured, stage, metric)
    found: dict[str, tuple[Any, ...]] = {
        "estimates": tuple(estimates),
        "gaps": tuple(gaps),
        "pairs": tuple(pairs),
        "ranks": tuple(_ranks(measured, stage)),
    }
    if measured.given:  # and no token is known
        return found
    return found | {
        "histograms": tuple(histogram_rows(measured, stage)),
        "mistakes": tuple(mistake_rows(measured, stage, decode)),
        "splits": tuple(_splits(measured, stage)),
    }


def change_rows(audit: Audit, stage: Stage) -> tuple[EstimateRow, ...]:
    """Before to after, for every group and for everyone."""
    deployed = audit.settings.deployed
    found = []
    for metric in filter(audit.base.tells, STORED):
        gains = {"": audit.gain(stage, metric), **audit.gains(stage, metric)}
        found += [
            _estimate(stage, _named(metric, deployed), group, change)
            for group, change in gains.items()
        ]
    return tuple(found)


def widening_row(audit: Audit, stage: Stage) -> GapRow:
    """How much further apart groups lie than before, slowest and fastest after."""
    name = _named(GATED, audit.settings.deployed)
    return _gap_row(stage, name, audit.widening(stage), np.nan)


def training_rows(along: Mapping[int, Measured], dataset: str) -> Iterator[EstimateRow]:
    """How alignment moved along the fine-tuning, where checkpoints were kept."""
    for step, measured in sorted(along.items()):
        for metric in filter(measured.tells, ALONG):
            stage = Stage(dataset, step)
            yield from _estimates(measured, stage, metric, measured.lookahead)


def against(
    old: Baseline, now: Baseline, settings: config.Settings
) -> Iterator[BaselineRow]:
    """Every figure of a stored baseline beside today's; stages that nothing is
    configured to measure are gone.
    """
    for stage in old.counts:
        if stage in now.counts:
            before, after = old.sample(stage), now.sample(stage)
            found = baseline.change_at(old, now, stage, settings.scope)
            for group, change in ((None, found.overall), *found.by_group.items()):
                then, today = (
                    s if group is None else s.of(group) for s in (before, after)
                )
                moved = "unclear"
                if change.low > 0 or change.high < 0:
                    moved = "better" if change.low > 0 else "worse"
                yield BaselineRow(
                    name=baseline.case_of(stage, group),
                    baseline=then.value,
                    value=today.value,
                    low=change.low,
                    high=change.high,
                    decision=moved,
                )
        elif stage not in settings.stages:
            yield BaselineRow(
                name=str(stage),
                baseline=old.sample(stage).value,
                value=np.nan,
                low=np.nan,
                high=np.nan,
                decision="gone",
            )


def mention_rows(
    dataset: str, counts: Mapping[str, Mentions]
) -> tuple[MentionRow, ...]:
    """How often the corpus mentions each group."""
    return tuple(
        MentionRow(dataset, g, c.n_words, c.n_documents, c.n_substrings)
        for g, c in counts.items()
    )


def frequency_row(stage: Stage, trend: stats.Trend) -> FrequencyRow:
    """Gain against mentions, over groups."""
    return FrequencyRow(
        stage=stage,
        slope=trend.slope.value,
        low=trend.slope.low,
        high=trend.slope.high,
        rank_correlation=trend.rank_correlation,
        p_value=trend.p_value,
    )


def _named(metric: str, lookahead: Lookahead) -> tuple[str, str]:
    """The metric with the lookahead it depends on, if it does."""
    return metric, str(lookahead) if METRICS[metric].per_lookahead else ""


def _estimates(
    measured: Measured, stage: Stage, metric: str, lookahead: Lookahead
) -> Iterator[EstimateRow]:
    groups = measured.groups(metric, lookahead)
    name = _named(metric, lookahead)
    yield _estimate(stage, name, "", groups.overall)
    for group, estimate in groups.by_group.items():
        yield _estimate(stage, name, group, estimate)


def _estimate(
    stage: Stage, name: tuple[str, str], group: str, e: Estimate
) -> EstimateRow:
    return EstimateRow(
        stage=stage,
        metric=name[0],
        lookahead=name[1],
        group=group,
        value=e.value,
        low=e.low,
        high=e.high,
        n_prompts=e.n_prompts,
        n_clusters=e.n_clusters,
    )


def _gap(measured: Measured, stage: Stage, metric: str, lookahead: Lookahead) -> GapRow:
    groups = measured.groups(metric, lookahead)
    return _gap_row(
        stage, _named(metric, lookahead), groups.difference(), _ratio(groups)
    )


def _gap_row(
    stage: Stage, name: tuple[str, str], gap: Estimate, ratio: float
) -> GapRow:
    lowest, highest = gap.groups if len(gap.groups) == 2 else ("", "")
    return GapRow(
        stage=stage,
        metric=name[0],
        lookahead=name[1],
        gap=gap.value,
        low=gap.low,
        high=gap.high,
        null=gap.null,
        ratio=ratio,
        lowest_group=lowest,
        highest_group=highest,
    )


def _ratio(groups: Groups) -> float:
    """The slowest over the fastest, the value alone; NaN where one was not measured or
    is not positive.
    """
    values = [e.value for e in groups.by_group.values()]
    return min(values) / max(values) if all(v > 0 for v in values) else np.nan


def _pairs(measured: Measured, stage: Stage, metric: str) -> Iterator[PairRow]:
    """All pairs after Holm's correction; of many groups the pairs among the slowest and
    the fastest.
    """
    groups = measured.groups(metric)
    if len(groups.by_group) > MANY:
        compared = [(found.pair, found.p_value) for found in groups.furthest(ENDS)]
    else:
        pairs = groups.pairwise()
        compared = list(
            zip(pairs, stats.holm([e.p_value() for e in pairs]), strict=True)
        )
    for e, p in compared:
        first, second = e.groups
        yield PairRow(
            stage=stage,
            metric=metric,
            group_a=first,
            group_b=second,
            difference=e.value,
            low=e.low,
            high=e.high,
            p_holm=p,
        )


def _ranks(measured: Measured, stage: Stage) -> Iterator[RankRow]:
    """The lowest first, which is the slowest: of what gates look at, more is better."""
    found = measured.groups(measured.gated).ranked()
    for each in found:
        yield RankRow(stage, measured.gated, **asdict(each), n_groups=len(found))


def _splits(measured: Measured, stage: Stage) -> Iterator[SplitRow]:
    """Each group against the fastest: is its text harder, or is the draft worse on it?
    Of many, the slowest ones.
    """
    alpha = measured.groups("alpha")
    fastest = alpha.group_max().groups[0]
    others = [group for group in alpha.by_group if group != fastest]
    if len(others) >= MANY:
        slowest = sorted(others, key=lambda g: alpha.by_group[g].value)[: 2 * ENDS]
        others = [group for group in others if group in slowest]
    for group, parts in zip(
        others, splits(measured.trace, measured.labels, others, fastest), strict=True
    ):
        worse = parts.worse_draft
        yield SplitRow(
            stage=stage,
            group_a=group,
            group_b=fastest,
            total=parts.total.value,
            harder_text=parts.harder_text.value,
            worse_draft=worse.value,
            low=worse.low,
            high=worse.high,
        )
