"""Several runs side by side: what each decided, and a trend per metric. Knows rows of
Reports, in order of time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from specfair.report import findings
from specfair.report.blocks import Panel, Table
from specfair.report.charts import canvas
from specfair.report.charts.curves import Point, Series, curves
from specfair.report.lookup import Index, Stage, index, stages, tally
from specfair.report.page import EstimateRow, GapRow, Report
from specfair.report.sections import TABLE_BELOW
from specfair.report.sections_groups import METRICS
from specfair.report.text import clean, interval, number, plural

GAP = "gap"


@dataclass(frozen=True, slots=True)
class Run:
    """One run as a row of the index."""

    when: str
    target: str
    draft: str
    counts: dict[str, int]
    verdict: str


def ordered(reports: Sequence[Report]) -> list[Report]:
    """By time, the oldest first."""
    return sorted(
        (report.plain() for report in reports), key=lambda report: report.created
    )


def runs(reports: Sequence[Report]) -> list[Run]:
    """A row a run."""
    return [
        Run(
            clean(r.created[:16].replace("T", " ")),
            r.target or "n/a",
            r.draft or "n/a",
            tally(r),
            findings.verdict(r),
        )
        for r in reports
    ]


def trends(reports: Sequence[Report]) -> list[Panel]:
    """A panel a metric: all groups together, at the base pair and after each dataset;
    and the gap between groups.
    """
    found = [index(report) for report in reports]
    wanted = [
        *((metric, title) for metric, title, _ in METRICS),
        (GAP, "Gap between groups"),
    ]
    return [
        panel for metric, title in wanted if (panel := _trend(found, metric, title))
    ]


def _trend(found: Sequence[Index], metric: str, title: str) -> Panel | None:
    at = list(
        dict.fromkeys(
            stage for one in found for stage in stages(one.report, one.report.estimates)
        )
    )
    series, rows = [], []
    for stage in at:
        name = clean(stage.dataset, 60) if stage.after else "base pair"
        points = list(_points(found, metric, stage))
        series.append(Series(points, name, canvas.QUIET if stage.after else canvas.INK))
        rows += [
            (f"{p.x:g}", name, number(p.y), interval(*p.interval or (None, None)))
            for p in points
        ]
    if not rows:
        return None
    return Panel(
        title,
        curves(series, name=f"{title} by run. {TABLE_BELOW}"),
        f"n = {plural(len(found), 'run')}; lines are 95% intervals.",
        Table(("#run", "stage", f"#{metric}", "#interval"), tuple(rows)),
    )


def _points(found: Sequence[Index], metric: str, at: Stage) -> Iterator[Point]:
    for i, one in enumerate(found, start=1):
        row: EstimateRow | GapRow | None = (
            one.gap(one.report.metric, at)
            if metric == GAP
            else one.estimate(metric, at)
        )
        if row is not None:
            yield Point(
                i,
                row.gap if isinstance(row, GapRow) else row.value,
                (row.low, row.high),
            )


def answer(reports: Sequence[Report]) -> str:
    """What the trends show, in one sentence about the latest run."""
    latest = findings.groups(index(reports[-1])) if reports else ""
    return (
        (
            f"{plural(len(reports), 'run')}, the oldest first. In the latest, "
            f"{latest[:1].lower()}{latest[1:]}"
        )
        if latest
        else f"{plural(len(reports), 'run')}."
    )
