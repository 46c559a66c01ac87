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

Keyed = Mapping[tuple[Stage, str, str, str], EstimateRow]


def stages(run: Run, rows: Iterable[Any]) -> tuple[Stage, ...]:
    """The stages these rows speak of, the base pair first, then datasets in the run's
    order.
    """
    present = {row.stage for row in rows}
    return tuple(s for s in (BASE, *map(Stage, run.datasets)) if s in present)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The rows of one Run by key."""

    run: Run
    estimates: Keyed  # by stage, metric, group and lookahead
    changes: Keyed
    gaps: Mapping[tuple[Stage, str, str], GapRow]  # by stage, metric and lookahead
    widenings: Mapping[tuple[Stage, str, str], GapRow]

    def estimate(
        self, metric: str, at: Stage, group: str = "", lookahead: str | None = None
    ) -> EstimateRow | None:
        """The row, at the gates' lookahead unless another is named; None where it is
        absent or not a number.
        """
        rows = (self.estimates.get((at, metric, group, k)) for k in self._at(lookahead))
        return next((row for row in rows if row and math.isfinite(row.value)), None)

    def gap(self, at: Stage, lookahead: str | None = None) -> GapRow | None:
        """Likewise the gap between groups, in the gates' metric."""
        metric = self.run.metric
        rows = (self.gaps.get((at, metric, k)) for k in self._at(lookahead))
        return next((row for row in rows if row and math.isfinite(row.gap)), None)

    def by_group(self, metric: str, at: Stage) -> list[EstimateRow]:
        """One row a group, in the run's order."""
        rows = (self.estimate(metric, at, group) for group in self.run.groups)
        return [row for row in rows if row is not None]

    def with_everyone(self, metric: str, at: Stage) -> list[EstimateRow]:
        """Likewise, after the row of all groups together."""
        rows = (self.estimate(metric, at, group) for group in ("", *self.run.groups))
        return [row for row in rows if row is not None]

    def change(self, at: Stage, group: str = "") -> EstimateRow | None:
        """What fine-tuning did to the gates' metric."""
        metric = self.run.metric
        rows = (self.changes.get((at, metric, group, k)) for k in self._at())
        return next((row for row in rows if row and math.isfinite(row.value)), None)

    def widening(self, at: Stage) -> GapRow | None:
        """What it did to the gap between groups."""
        rows = (self.widenings.get((at, self.run.metric, k)) for k in self._at())
        return next((row for row in rows if row and math.isfinite(row.gap)), None)

    def ends(self) -> tuple[str, str]:
        """The slowest and the fastest group before fine-tuning: the two that keep
        their colour through the whole page.
        """
        rows = self.by_group(self.run.metric, BASE)
        if len(rows) < 2:  # nobody is slowest alone
            return "", ""
        slowest = min(rows, key=lambda row: row.value)
        return slowest.group, max(rows, key=lambda row: row.value).group

    def _at(self, lookahead: str | None = None) -> tuple[str, ...]:
        """The gates' lookahead, or none where the metric does not depend on it."""
        return (self.run.lookahead, "") if lookahead is None else (lookahead,)


def index(run: Run) -> Index:
    """The Run, made searchable."""
    return Index(
        run=run,
        estimates=_keyed(run.estimates),
        changes=_keyed(run.changes),
        gaps={(r.stage, r.metric, r.lookahead): r for r in run.gaps},
        widenings={(r.stage, r.metric, r.lookahead): r for r in run.widenings},
    )


def _keyed(rows: Iterable[EstimateRow]) -> Keyed:
    return {(r.stage, r.metric, r.group, r.lookahead): r for r in rows}


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
    def share(self) -> float:
        """The share that was accepted."""
        return sum(self.accepted) / (self.n or 1)

    @property
    def both(self) -> list[int]:
        return [a + r for a, r in zip(self.accepted, self.rejected, strict=True)]

    @property
    def reach(self) -> tuple[float, float]:
        """The greatest shares upwards (both outcomes) and downwards (rejected) in one
        bin.
        """
        return max(self.both) / (self.n or 1), max(self.rejected) / (self.n or 1)


def shapes(run: Run) -> dict[tuple[Stage, str, str], Shape]:
    """Histograms by stage, group and quantity, both outcomes together."""
    counts: dict[tuple[Stage, str, str], dict[str, Sequence[int]]] = {}
    for row in run.histograms:
        key = (row.stage, row.group, row.quantity)
        counts.setdefault(key, {})[row.outcome] = row.counts
    none, made = (0,) * N_BINS, {}
    for key, both in counts.items():
        low = -1.0 if key[2] == "difference" else 0.0
        accepted, rejected = (both.get(name, none) for name in ("accepted", "rejected"))
        made[key] = Shape(low, 1.0, accepted, rejected)
    return made


def measurable(row: EstimateRow | GapRow) -> bool:
    """Whether the interval excludes zero."""
    return row.low > 0 or row.high < 0


def figure(row: EstimateRow | GapRow) -> float:
    """What the row is about."""
    return row.gap if isinstance(row, GapRow) else row.value


def lookaheads(run: Run, metric: str = "") -> list[str]:
    """Those with estimates (of one metric): constants by number, then the others."""
    rows = (row for row in run.estimates if metric in ("", row.metric))
    names = {row.lookahead for row in rows if row.lookahead}

    def order(name: str) -> tuple[bool, str, float]:
        kind, number = schedule(name)
        return (kind != "constant", kind, float(number or 0))

    return sorted(names, key=order)


def schedule(lookahead: str) -> tuple[str, str]:
    """Its schedule, and the number that starts it where there is one."""
    kind, _, number = lookahead.rpartition("-")
    return (kind, number) if number.isdecimal() else (lookahead, "")


def tally(run: Run) -> dict[Decision, int]:
    """Verdicts as they count for the run, in reading order, absent and waived ones left
    out.
    """
    found = [v.outcome for v in run.verdicts if v.excuse != "waived"]
    return {name: found.count(name) for name in DECISIONS if name in found}
