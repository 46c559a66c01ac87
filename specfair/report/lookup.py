"""Finding rows of a Run: which stages it has, which row answers a question, who is
slowest and who is fastest.

Knows the columns; knows nothing of words or drawing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specfair.run.rows import N_BINS, EstimateRow, GapRow
from specfair.run.run import Run
from specfair.vocabulary import BASE, DECISIONS, Decision, Stage


def stages(report: Run, rows: Iterable[Any]) -> tuple[Stage, ...]:
    """The stages these rows speak of, the base pair first, then datasets in the
    report's order.
    """
    present = {row.stage for row in rows}
    return tuple(s for s in (BASE, *map(Stage, report.datasets)) if s in present)


@dataclass(frozen=True, slots=True)
class Index:
    """The rows of one Run by key."""

    report: Run
    # by stage, metric, lookahead and, of estimates, group
    estimates: Mapping[tuple[Stage, str, str, str], EstimateRow]
    changes: Mapping[tuple[Stage, str, str, str], EstimateRow]
    gaps: Mapping[tuple[Stage, str, str], GapRow]
    widenings: Mapping[tuple[Stage, str, str], GapRow]
    lookaheads: Mapping[str, tuple[str, ...]]  # by metric, in the rows' order

    def estimate(
        self, metric: str, at: Stage, group: str = "", lookahead: str | None = None
    ) -> EstimateRow | None:
        """The row, at the gates' lookahead unless another is named; None where it is
        absent or not a number.
        """
        rows = (self.estimates.get((at, metric, k, group)) for k in self._at(lookahead))
        return next((row for row in rows if row and math.isfinite(row.value)), None)

    def gap(
        self, metric: str, at: Stage, lookahead: str | None = None
    ) -> GapRow | None:
        """Likewise for the gap between groups."""
        rows = (self.gaps.get((at, metric, k)) for k in self._at(lookahead))
        return next((row for row in rows if row and math.isfinite(row.gap)), None)

    def by_group(
        self, metric: str, at: Stage, lookahead: str | None = None
    ) -> list[EstimateRow]:
        """One row a group, in the report's order."""
        rows = (
            self.estimate(metric, at, group, lookahead) for group in self.report.groups
        )
        return [row for row in rows if row is not None]

    def change(self, dataset: str, group: str = "") -> EstimateRow | None:
        """What fine-tuning on the dataset did to the gates' metric."""
        stage, metric = Stage(dataset), self.report.metric
        rows = (self.changes.get((stage, metric, k, group)) for k in self._at())
        return next((row for row in rows if row and math.isfinite(row.value)), None)

    def widening(self, dataset: str) -> GapRow | None:
        """What it did to the gap between groups."""
        stage, metric = Stage(dataset), self.report.metric
        rows = (self.widenings.get((stage, metric, k)) for k in self._at())
        return next((row for row in rows if row and math.isfinite(row.gap)), None)

    def _at(self, lookahead: str | None = None) -> tuple[str, ...]:
        """The gates' lookahead, or none where the metric does not depend on it."""
        return (self.report.lookahead, "") if lookahead is None else (lookahead,)


def index(report: Run) -> Index:
    """The Run, made searchable."""
    lookaheads: dict[str, dict[str, None]] = {}
    for row in report.estimates:
        lookaheads.setdefault(row.metric, {})[row.lookahead] = None
    return Index(
        report=report,
        estimates=_by_group(report.estimates),
        changes=_by_group(report.changes),
        gaps={(r.stage, r.metric, r.lookahead): r for r in report.gaps},
        widenings={(r.stage, r.metric, r.lookahead): r for r in report.widenings},
        lookaheads={metric: tuple(names) for metric, names in lookaheads.items()},
    )


def _by_group(
    rows: Iterable[EstimateRow],
) -> dict[tuple[Stage, str, str, str], EstimateRow]:
    return {(r.stage, r.metric, r.lookahead, r.group): r for r in rows}


@dataclass(frozen=True, slots=True)
class Shape:
    """One histogram: counts of accepted and of rejected proposals in the same bins."""

    low: float
    high: float
    accepted: Sequence[int]
    rejected: Sequence[int]

    @property
    def n(self) -> int:
        return sum(self.accepted) + sum(self.rejected)

    @property
    def both(self) -> list[int]:
        return [a + r for a, r in zip(self.accepted, self.rejected, strict=True)]

    @property
    def reach(self) -> tuple[float, float]:
        """The greatest shares upwards (both outcomes) and downwards (rejected) in one
        bin.
        """
        return max(self.both) / (self.n or 1), max(self.rejected) / (self.n or 1)


def shapes(report: Run) -> dict[tuple[Stage, str, str], Shape]:
    """Histograms by stage, group and quantity, both outcomes together."""
    counts: dict[tuple[Stage, str, str], dict[str, Sequence[int]]] = {}
    for row in report.histograms:
        key = (row.stage, row.group, row.quantity)
        counts.setdefault(key, {})[row.outcome] = row.counts
    none = (0,) * N_BINS
    return {
        key: Shape(
            -1.0 if key[2] == "difference" else 0.0,
            1.0,
            both.get("accepted", none),
            both.get("rejected", none),
        )
        for key, both in counts.items()
    }


def extremes(found: Index) -> tuple[str, str]:
    """The slowest and the fastest group before fine-tuning: the two that keep their
    colour through the whole page.
    """
    rows = found.by_group(found.report.metric, BASE)
    if len(rows) < 2:  # nobody is slowest alone
        return "", ""
    return min(rows, key=lambda row: row.value).group, max(
        rows, key=lambda row: row.value
    ).group


def measurable(row: EstimateRow | GapRow) -> bool:
    """Whether the interval excludes zero."""
    return row.low > 0 or row.high < 0


def lookahead_order(name: str) -> tuple[bool, str, float]:
    """Constants by number, then the schedules."""
    kind, _, n = name.rpartition("-")
    return (kind != "constant", kind or n, float(n) if n.isdigit() else 0.0)


def tally(report: Run) -> dict[Decision, int]:
    """Verdicts by decision, in reading order, absent ones left out."""
    decisions = [verdict.decision for verdict in report.verdicts]
    return {
        decision: decisions.count(decision)
        for decision in DECISIONS
        if decision in decisions
    }
