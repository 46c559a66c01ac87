"""Several runs side by side: what each decided, and a trend per metric. Knows rows of
Runs, in order of time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from specfair.report import charts, charts_lines, findings
from specfair.report.blocks import Panel, Table
from specfair.report.charts_lines import Point, Series
from specfair.report.lookup import Index, index, stages, tally
from specfair.report.sections import TABLE_BELOW
from specfair.report.text import clean, interval, number, plural
from specfair.run.rows import EstimateRow, GapRow
from specfair.run.run import Run
from specfair.vocabulary import CHARTED, METRICS, Decision, Stage

GAP = "gap"


@dataclass(frozen=True, slots=True)
class Entry:
    """One run as a row of the index."""

    when: str
    target: str
    draft: str
    counts: dict[Decision, int]
    verdict: str


def ordered(reports: Sequence[Run]) -> list[Run]:
    """By time, the oldest first."""
    return sorted(reports, key=lambda report: report.created)


def runs(reports: Sequence[Run]) -> list[Entry]:
    """A row a run."""
    return [
        Entry(
            clean(r.created[:16].replace("T", " ")),
            r.target or "n/a",
            r.draft or "n/a",
            tally(r),
            findings.verdict(r),
        )
        for r in reports
    ]


def trends(reports: Sequence[Run]) -> list[Panel]:
    """A panel a metric: all groups together, at the base pair and after each dataset;
    and the gap between groups.
    """
    found = [index(report) for report in reports]
    wanted = [
        *((metric, METRICS[metric].title) for metric in CHARTED),
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
        name = clean(stage.dataset, 60) if stage.tuned else "base pair"
        points = list(_points(found, metric, stage))
        series.append(Series(points, name, charts.QUIET if stage.tuned else charts.INK))
        rows += [
            (f"{p.x:g}", name, number(p.y), interval(p.low, p.high)) for p in points
        ]
    if not rows:
        return None
    return Panel(
        title,
        charts_lines.lines(series, name=f"{title} by run. {TABLE_BELOW}"),
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
                i, row.gap if isinstance(row, GapRow) else row.value, row.low, row.high
            )


def answer(reports: Sequence[Run]) -> str:
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
