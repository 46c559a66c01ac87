"""Several runs side by side: what each decided, and a trend per metric. Knows runs in
order of time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from specfair.errors import counted
from specfair.report import findings
from specfair.report.blocks import Panel, Table
from specfair.report.charts import canvas
from specfair.report.charts.curves import Mark, Series, curves
from specfair.report.lookup import Index, figure, index, stages, tally
from specfair.report.sections.parts import INTERVAL, alternative
from specfair.report.text import clean, number
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


def entries(runs: Sequence[Run]) -> list[Entry]:
    """A row a run."""
    made = []
    for run in runs:
        when = clean(run.created[:16].replace("T", " "))
        pair, said = (run.target or "n/a", run.draft or "n/a"), findings.verdict(run)
        made.append(Entry(when, *pair, tally(run), said))
    return made


def trends(runs: Sequence[Run]) -> list[Panel]:
    """A panel a metric: all groups together, at the base pair and after each dataset;
    and the gap between groups.
    """
    found = [index(run) for run in runs]
    titles = {metric: METRICS[metric].title for metric in CHARTED}
    titles[GAP] = "Gap between groups"
    panels = (_trend(found, metric, title) for metric, title in titles.items())
    return [panel for panel in panels if panel]


def _trend(found: Sequence[Index], metric: str, title: str) -> Panel | None:
    at: dict[Stage, None] = {}
    for one in found:
        at |= dict.fromkeys(stages(one.run, one.run.estimates))
    series, every = [], []
    for stage in at:
        rows = list(_rows(found, metric, stage))
        points = [Mark(i, figure(row), (row.low, row.high)) for i, row in rows]
        hue = canvas.QUIET if stage.tuned else canvas.INK
        series.append(Series(points, _name(stage), hue))
        every += rows
    if not every:
        return None
    head, between = INTERVAL
    columns = (
        ("#run", lambda pair: f"{pair[0]}"),
        ("stage", lambda pair: _name(pair[1].stage)),
        (f"#{metric}", lambda pair: number(figure(pair[1]))),
        (head, lambda pair: between(pair[1])),
    )
    return Panel(
        title=title,
        drawing=curves(series, name=alternative(f"{title} by run")),
        basis=f"n = {counted(len(found), 'run')}; lines are 95% intervals.",
        table=Table.of(every, columns),
    )


def _name(at: Stage) -> str:
    return clean(at.dataset, 60) if at.tuned else "base pair"


def _rows(
    found: Sequence[Index], metric: str, at: Stage
) -> Iterator[tuple[int, EstimateRow | GapRow]]:
    for i, one in enumerate(found, start=1):
        row = one.gap(at) if metric == GAP else one.estimate(metric, at)
        if row is not None:
            yield i, row


def answer(runs: Sequence[Run]) -> str:
    """What the trends show, in one sentence about the latest run."""
    said = findings.slowest(index(runs[-1])) if runs else ""
    if not said:
        return f"{counted(len(runs), 'run')}."
    latest = f"{said[:1].lower()}{said[1:]}"
    return f"{counted(len(runs), 'run')}, the oldest first. In the latest, {latest}"
