"""Finding rows of a Report: which stages it has, which row answers a question, who is
slowest and who is fastest.

Knows the columns and the rule that a dataset's "before" is the base pair; knows nothing
of words or drawing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specfair.report.page import N_BINS, EstimateRow, GapRow, Report
from specfair.report.tables import DECISIONS


@dataclass(frozen=True, slots=True)
class Stage:
    """The base pair, or the pair after fine-tuning on one dataset."""

    dataset: str
    stage: str

    @property
    def after(self) -> bool:
        return self.stage == "after"


def stages(report: Report, rows: Iterable[Any]) -> tuple[Stage, ...]:
    """The stages these rows speak of, the base pair first, then datasets in the
    report's order.
    """
    present = {(row.dataset if row.stage == "after" else "", row.stage) for row in rows}
    wanted = [
        Stage("", "before"),
        *(Stage(dataset, "after") for dataset in report.datasets),
    ]
    return tuple(stage for stage in wanted if (stage.dataset, stage.stage) in present)


@dataclass(frozen=True, slots=True)
class Index:
    """The rows of one Report by key."""

    report: Report
    estimates: Mapping[tuple[str, str, str, str, str], EstimateRow]
    gaps: Mapping[tuple[str, str, str, str], GapRow]
    lookaheads: Mapping[str, tuple[str, ...]]  # by metric, in the rows' order

    def estimate(
        self, metric: str, at: Stage, group: str = "", lookahead: str | None = None
    ) -> EstimateRow | None:
        """The row, at the gates' lookahead unless another is named; None where it is
        absent or not a number.
        """
        wanted = (self.report.lookahead, "") if lookahead is None else (lookahead,)
        datasets = (at.dataset,) if at.stage != "before" else (at.dataset, "")
        keys = (
            (dataset, at.stage, metric, ahead, group)
            for dataset in datasets
            for ahead in wanted
        )
        row = next((self.estimates[key] for key in keys if key in self.estimates), None)
        return row if row is not None and math.isfinite(row.value) else None

    def gap(
        self, metric: str, at: Stage, lookahead: str | None = None
    ) -> GapRow | None:
        """Likewise for the gap between groups."""
        wanted = (self.report.lookahead, "") if lookahead is None else (lookahead,)
        datasets = (at.dataset,) if at.stage != "before" else (at.dataset, "")
        keys = (
            (dataset, at.stage, metric, ahead)
            for dataset in datasets
            for ahead in wanted
        )
        row = next((self.gaps[key] for key in keys if key in self.gaps), None)
        return row if row is not None and math.isfinite(row.gap) else None

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
        return self.estimate(self.report.metric, Stage(dataset, "change"), group)


def index(report: Report) -> Index:
    """The Report, made searchable."""
    lookaheads: dict[str, dict[str, None]] = {}
    for row in report.estimates:
        lookaheads.setdefault(row.metric, {})[row.lookahead] = None
    return Index(
        report,
        {
            (r.dataset, r.stage, r.metric, r.lookahead, r.group): r
            for r in report.estimates
        },
        {(r.dataset, r.stage, r.metric, r.lookahead): r for r in report.gaps},
        {metric: tuple(names) for metric, names in lookaheads.items()},
    )


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


def shapes(report: Report) -> dict[tuple[str, str, str, str], Shape]:
    """Histograms by dataset, stage, group and quantity, both outcomes together."""
    counts: dict[tuple[str, str, str, str], dict[str, Sequence[int]]] = {}
    for row in report.histograms:
        counts.setdefault((row.dataset, row.stage, row.group, row.quantity), {})[
            row.outcome
        ] = row.counts
    none = (0,) * N_BINS
    return {
        key: Shape(
            -1.0 if key[3] == "difference" else 0.0,
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
    rows = found.by_group(found.report.metric, Stage("", "before"))
    if len(rows) < 2:  # nobody is slowest alone
        return "", ""
    return min(rows, key=lambda row: row.value).group, max(
        rows, key=lambda row: row.value
    ).group


def measurable(row: EstimateRow | GapRow) -> bool:
    """Whether the interval excludes zero."""
    return row.low > 0 or row.high < 0


def dataset_of(report: Report, case: str) -> str:
    """The dataset a case's name begins with, or ""."""
    named = [d for d in report.datasets if case == d or case.startswith(f"{d}-")]
    return max(named, key=len, default="")


def tally(report: Report) -> dict[str, int]:
    """Verdicts by decision, in reading order, absent ones left out."""
    decisions = [verdict.get("decision") for verdict in report.verdicts]
    return {
        decision: decisions.count(decision)
        for decision in DECISIONS
        if decision in decisions
    }
