"""The rows of a Report, from measured traces: what a reader wants to see of every stage.

Knows which metrics, lookaheads, histograms and tokens are shown. It does not know bounds or verdicts, nor how a row is
drawn. A stage is a dataset ("" for the base pair) and "before", "after" or "change".
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from specfair import config, stats
from specfair.audit.audit import Audit
from specfair.gates import baseline
from specfair.gates.baseline import Baseline
from specfair.report import page
from specfair.stats import Estimate
from specfair.texts.mentions import Mentions
from specfair.traces.measured import Measured
from specfair.traces.metrics import Groups, splits
from specfair.traces.replay import Lookahead
from specfair.traces.trace import Trace

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
MANY = 24  # groups from which on pairs, splits and tokens are shown of some only
N_ENDS = 5  # of the slowest and of the fastest groups, where there are many
PATIENCE = 3.0  # seconds without a word
_TOKENS = 1 << 18  # counted at a time
_CHANGES = ("gain", "improve", "widening")
_DEPENDENT = {
    "acceptance_rate",
    "draft_acceptance_rate",
    "mean_acceptance_length",
    "assisted_share",
    "speedup_predicted",
}
_QUANTITIES = {"target_prob": (0, 1), "draft_prob": (0, 1), "difference": (-1, 1)}


def of_stage(
    measured: Measured, stage: Stage, decode: Decode, *, say: Callable[[str], None] = lambda _: None
) -> dict[str, tuple[Any, ...]]:
    """Every table that one trace fills. Those who wait for hundreds of groups are told how far it is."""
    lookaheads = dict.fromkeys([measured.lookahead, *LOOKAHEADS])
    asked = [(m, measured.lookahead) for m in SHOWN] + [
        (m, k) for m in ACROSS for k in lookaheads if k != measured.lookahead
    ]
    estimates: list[page.EstimateRow] = []
    gaps: list[page.GapRow] = []
    pairs: list[page.PairRow] = []
    waited = time.monotonic()
    for i, (metric, k) in enumerate(asked):  # everything about one metric together: its draws are not kept for ever
        if time.monotonic() - waited > PATIENCE:
            waited = time.monotonic()
            say(f"statistics {f'after {stage[0]}' if stage[0] else 'of the base pair'}: {i} of {len(asked)} done")
        estimates += _estimates(measured, stage, metric, k)
        few = len(measured.labels.groups) <= MANY
        if few or k == measured.lookahead or metric == EXPLAINED:  # the others' gaps are stored and not drawn
            gaps.append(_gap(measured, stage, metric, k))
        if metric in PAIRED and k == measured.lookahead:
            pairs += _pairs(measured, stage, metric)
    return {
        "estimates": tuple(estimates),
        "gaps": tuple(gaps),
        "pairs": tuple(pairs),
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


def widening(audit: Audit, dataset: str) -> page.GapRow:
    """How much further apart groups lie than before, slowest and fastest after."""
    gap = audit.widening(dataset)
    name = _named(EXPLAINED, audit.settings.deployed)
    lowest, highest = gap.groups if len(gap.groups) == 2 else ("", "")
    return page.GapRow(dataset, "change", *name, gap.value, gap.low, gap.high, None, np.nan, lowest, highest)


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
    gap, ratio = groups.difference(), _ratio(groups)
    lowest, highest = gap.groups if len(gap.groups) == 2 else ("", "")
    name = _named(metric, lookahead)
    return page.GapRow(*stage, *name, gap.value, gap.low, gap.high, gap.null, ratio, lowest, highest)


def _ratio(groups: Groups) -> float:
    """The slowest over the fastest, the value alone; NaN where one was not measured or is not positive."""
    values = [e.value for e in groups.by_group.values()]
    return min(values) / max(values) if all(v > 0 for v in values) else np.nan


def _pairs(measured: Measured, stage: Stage, metric: str) -> Iterator[page.PairRow]:
    """All pairs after Holm's correction; of many groups the pairs among the slowest and the fastest."""
    groups = measured.groups(metric)
    if len(groups.by_group) > MANY:
        compared = [(found.pair, found.p_value) for found in groups.furthest(N_ENDS)]
    else:
        pairs = groups.pairwise()
        compared = list(zip(pairs, stats.holm([e.p_value() for e in pairs]), strict=True))
    for e, p in compared:
        first, second = e.groups
        yield page.PairRow(*stage, metric, first, second, e.value, e.low, e.high, p)


def _codes(trace: Trace) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The groups, and for each token the number of its group."""
    index: dict[str, int] = {}
    of_prompt = np.array([index.setdefault(p.group, len(index)) for p in trace.prompts], dtype=np.int32)
    return tuple(index), np.repeat(of_prompt, trace.lengths)


def _histograms(measured: Measured, stage: Stage) -> Iterator[page.HistogramRow]:
    """Proposals' probabilities, accepted and rejected, of each group and of all."""
    trace = measured.trace
    target, draft, accepted = trace["proposal_target_prob"], trace["proposal_draft_prob"], trace["accepted"]
    names, codes = _codes(trace)
    values = {"target_prob": target, "draft_prob": draft, "difference": target - draft}
    cells = codes * 2 + ~accepted
    counted = {q: _binned(values[q], cells, 2 * len(names), span=span) for q, span in _QUANTITIES.items()}
    for i, name in enumerate(("", *names)):
        for quantity, bins in counted.items():
            for outcome, rows in (("accepted", bins[0::2]), ("rejected", bins[1::2])):
                counts = rows[i - 1] if name else rows.sum(axis=0)
                yield page.HistogramRow(*stage, name, quantity, outcome, tuple(counts.tolist()))


def _binned(
    values: NDArray[Any], cells: NDArray[np.int32], n_cells: int, *, span: tuple[int, int]
) -> NDArray[np.int64]:
    """A histogram for each cell: (n_cells, N_BINS). What lies outside, or is no number, is left out."""
    edges = np.linspace(*span, page.N_BINS + 1)
    counts = np.zeros((n_cells, page.N_BINS), dtype=np.int64)
    for start in range(0, len(values), _TOKENS):
        some = values[start : start + _TOKENS]
        at = np.searchsorted(edges, some, side="right") - 1
        at[some == span[1]] = page.N_BINS - 1
        inside = (some >= span[0]) & (some <= span[1])
        flat = cells[start : start + _TOKENS][inside].astype(np.int64) * page.N_BINS + at[inside]
        counts += np.bincount(flat, minlength=counts.size).reshape(counts.shape)
    return counts


def _mistakes(measured: Measured, stage: Stage, decode: Decode) -> Iterator[page.MistakeRow]:
    """The proposals the draft was surest of, rejected and accepted, at most one of each token and group."""
    trace = measured.trace
    names, codes = _codes(trace)
    sure = np.flatnonzero(trace["proposal_draft_prob"] >= CONFIDENT)
    kinds = codes[sure] * 2 + trace["accepted"][sure]
    order = np.argsort(kinds, kind="stable")
    ends = np.cumsum(np.bincount(kinds, minlength=2 * len(names)))
    by_kind = np.split(sure[order], ends[:-1])
    shown = _ends(measured, names)
    for i, name in enumerate(names):
        for outcome, kind in (("rejected", 2 * i), ("accepted", 2 * i + 1)):
            for row in _surest(trace["proposal_draft_prob"], trace["proposal"], by_kind[kind]) if name in shown else []:
                yield _mistake(measured, (*stage, name, outcome), row, decode)


def _ends(measured: Measured, groups: Sequence[str]) -> set[str]:
    """All of a few groups; of many those whose tokens are worth reading, the slowest and the fastest."""
    if len(groups) <= MANY:
        return set(groups)
    rates = measured.sample(EXPLAINED)
    sums = stats.tally.sums_by(rates.codes("group"), np.stack([rates.numerator, rates.denominator], axis=-1))
    ordered = [rates.groups[i] for i in np.argsort(stats.divide(sums[:, 0], sums[:, 1]), kind="stable")]
    return {*ordered[:N_ENDS], *ordered[-N_ENDS:]}


def _surest(confidence: NDArray[Any], proposal: NDArray[Any], candidates: NDArray[np.int64]) -> list[int]:
    ordered = candidates[np.argsort(-confidence[candidates], kind="stable")]
    _, first = np.unique(proposal[ordered], return_index=True)
    return [int(row) for row in ordered[np.sort(first)][:N_MISTAKES]]


def _mistake(measured: Measured, names: tuple[str, str, str, str], row: int, decode: Decode) -> page.MistakeRow:
    trace, prompt = measured.trace, int(np.searchsorted(measured.trace.offsets, row, side="right")) - 1
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
    """Each group against the fastest: is its text harder, or is the draft worse on it? Of many, the slowest ones."""
    alpha = measured.groups("alpha")
    fastest = alpha.group_max().groups[0]
    others = [group for group in alpha.by_group if group != fastest]
    if len(others) >= MANY:
        slowest = sorted(others, key=lambda g: alpha.by_group[g].value)[: 2 * N_ENDS]
        others = [group for group in others if group in slowest]
    for group, parts in zip(others, splits(measured.trace, measured.labels, others, fastest), strict=True):
        worse = parts.worse_draft
        yield page.SplitRow(
            *stage, group, fastest, parts.total.value, parts.harder_text.value, worse.value, worse.low, worse.high
        )
