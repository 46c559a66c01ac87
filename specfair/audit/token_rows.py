"""The rows of a Run that show tokens and texts: histograms of probabilities, the
proposals the draft was surest of, the prompts behind a verdict.

Knows which of them are worth reading. Does not know intervals, bounds or how a row is
drawn.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from specfair import stats
from specfair.audit.audit import Audit
from specfair.run.rows import (
    ENDS,
    MANY,
    N_BINS,
    N_EXAMPLES,
    ExampleRow,
    HistogramRow,
    MistakeRow,
)
from specfair.run.verdict import Verdict
from specfair.traces.measured import Measured
from specfair.traces.trace import Trace
from specfair.vocabulary import CONFIDENT, GATED, Stage

Decode: TypeAlias = Callable[[Sequence[int]], str]

N_MISTAKES = 5  # shown of each group and outcome
N_BEFORE = 12  # tokens of context before a mistake
_CHANGES = ("gain", "improve", "widening")  # gates about a before and an after
_TOKENS = 1 << 18  # counted at a time
_QUANTITIES = {"target_prob": (0, 1), "draft_prob": (0, 1), "difference": (-1, 1)}


def _codes(trace: Trace) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The groups, and for each token the number of its group."""
    index: dict[str, int] = {}
    of_prompt = np.array(
        [index.setdefault(p.group, len(index)) for p in trace.prompts], dtype=np.int32
    )
    return tuple(index), np.repeat(of_prompt, trace.lengths)


def histogram_rows(measured: Measured, stage: Stage) -> Iterator[HistogramRow]:
    """Proposals' probabilities, accepted and rejected, of each group and of all."""
    trace = measured.trace
    if not measured.tells("confident_rejections"):
        return
    target, draft = trace["proposal_target_prob"], trace["proposal_draft_prob"]
    names, codes = _codes(trace)
    values = {"target_prob": target, "draft_prob": draft, "difference": target - draft}
    cells = codes * 2 + ~trace["accepted"]
    counted = {
        q: _binned(values[q], cells, 2 * len(names), span=span)
        for q, span in _QUANTITIES.items()
    }
    for i, name in enumerate(("", *names)):
        for quantity, bins in counted.items():
            for outcome, rows in (("accepted", bins[0::2]), ("rejected", bins[1::2])):
                counts = rows[i - 1] if name else rows.sum(axis=0)
                yield HistogramRow(
                    stage=stage,
                    group=name,
                    quantity=quantity,
                    outcome=outcome,
                    counts=tuple(counts.tolist()),
                )


def _binned(
    values: NDArray[Any],
    cells: NDArray[np.int32],
    n_cells: int,
    *,
    span: tuple[int, int],
) -> NDArray[np.int64]:
    """A histogram for each cell: (n_cells, N_BINS). What lies outside, or is no number,
    is left out.
    """
    edges = np.linspace(*span, N_BINS + 1)
    counts = np.zeros((n_cells, N_BINS), dtype=np.int64)
    for start in range(0, len(values), _TOKENS):
        some = values[start : start + _TOKENS]
        at = np.searchsorted(edges, some, side="right") - 1
        at[some == span[1]] = N_BINS - 1
        inside = (some >= span[0]) & (some <= span[1])
        flat = (
            cells[start : start + _TOKENS][inside].astype(np.int64) * N_BINS
            + at[inside]
        )
        counts += np.bincount(flat, minlength=counts.size).reshape(counts.shape)
    return counts


def mistake_rows(
    measured: Measured, stage: Stage, decode: Decode
) -> Iterator[MistakeRow]:
    """The proposals the draft was surest of, rejected and accepted, at most one of each
    token and group.
    """
    trace = measured.trace
    if not measured.tells("confident_rejections"):
        return
    names, codes = _codes(trace)
    sure = np.flatnonzero(trace["proposal_draft_prob"] >= CONFIDENT)
    kinds = codes[sure] * 2 + trace["accepted"][sure]
    order = np.argsort(kinds, kind="stable")
    ends = np.cumsum(np.bincount(kinds, minlength=2 * len(names)))
    by_kind = np.split(sure[order], ends[:-1])
    shown = outermost(measured, names)
    for i, name in enumerate(names):
        for outcome, kind in (("rejected", 2 * i), ("accepted", 2 * i + 1)):
            for row in (
                _surest(trace["proposal_draft_prob"], trace["proposal"], by_kind[kind])
                if name in shown
                else []
            ):
                yield _mistake(measured, (stage, name, outcome), row, decode)


def outermost(measured: Measured, groups: Sequence[str]) -> set[str]:
    """All of a few groups; of many those whose tokens are worth reading, the slowest
    and the fastest.
    """
    if len(groups) <= MANY:
        return set(groups)
    rates = measured.sample(GATED)
    sums = stats.tally.sums_by(
        rates.codes("group"), np.stack([rates.numerator, rates.denominator], axis=-1)
    )
    ordered = [
        rates.groups[i]
        for i in np.argsort(stats.divide(sums[:, 0], sums[:, 1]), kind="stable")
    ]
    return {*ordered[:ENDS], *ordered[-ENDS:]}


def _surest(
    confidence: NDArray[Any], proposal: NDArray[Any], candidates: NDArray[np.int64]
) -> list[int]:
    ordered = candidates[np.argsort(-confidence[candidates], kind="stable")]
    _, first = np.unique(proposal[ordered], return_index=True)
    return [int(row) for row in ordered[np.sort(first)][:N_MISTAKES]]


def _mistake(
    measured: Measured, where: tuple[Stage, str, str], row: int, decode: Decode
) -> MistakeRow:
    trace, prompt = (
        measured.trace,
        int(np.searchsorted(measured.trace.offsets, row, side="right")) - 1,
    )
    start = max(int(trace.offsets[prompt]), row - N_BEFORE)
    written = decode(trace["token"][start:row].tolist())
    before = (
        trace.prompts[prompt].text + written
        if start == trace.offsets[prompt]
        else f"…{written}"
    )
    stage, group, outcome = where
    return MistakeRow(
        stage=stage,
        group=group,
        outcome=outcome,
        token=decode([int(trace["proposal"][row])]),
        before_text=before,
        target_prob=float(trace["proposal_target_prob"][row]),
        draft_prob=float(trace["proposal_draft_prob"][row]),
        target_token=decode([int(trace["token"][row])]),
    )


def example_rows(audit: Audit, verdict: Verdict) -> Iterator[ExampleRow]:
    """The prompts that contribute most to a verdict that did not pass: those that lost
    most, or are slowest.
    """
    stage, undone = verdict.stage, verdict.decision in ("fail", "insufficient")
    if not undone or stage not in audit.stages or not verdict.groups:
        return
    group = verdict.groups[0]
    metric = audit.base.gated
    now = audit.measured(stage).sample(metric).of(group).macro()
    before = (
        audit.base.sample(metric).of(group).macro()
        if verdict.gate in _CHANGES
        else None
    )
    effect = now.numerator if before is None else now.numerator - before.numerator
    texts = {p.id: p.text for p in audit.prompts}
    for row in np.argsort(effect, kind="stable")[:N_EXAMPLES]:
        reference = None if before is None else float(before.numerator[row])
        value, name = float(now.numerator[row]), str(now.prompt[row])
        yield ExampleRow(
            case=verdict.case,
            gate=verdict.gate,
            group=group,
            text=texts[name],
            value=value,
            reference=reference,
        )
