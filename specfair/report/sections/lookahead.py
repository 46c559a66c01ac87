"""What the number of assistant tokens and its schedule change: curves, the gap, and the
best for all and for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from specfair.errors import counted
from specfair.report import findings, many
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts import canvas
from specfair.report.charts.curves import Mark, Series, Ticks, curves
from specfair.report.lookup import Index, figure, lookaheads, schedule, stages
from specfair.report.sections.parts import (
    ALIKE,
    EVERYONE,
    FASTEST,
    GROUP,
    INTERVAL,
    LOOKAHEAD,
    SLOWEST,
    alternative,
    basis,
    colour,
    where,
)
from specfair.report.text import clean, number, signed
from specfair.run.rows import EstimateRow, GapRow
from specfair.vocabulary import ACROSS, BASE, METRICS, Stage

SPEED = "speedup_predicted"


def by_lookahead(found: Index) -> Section | None:
    """Every metric against the number of assistant tokens."""
    names = lookaheads(found.run)
    if len(names) < 2:  # one point is no curve
        return None
    panels = [_curve(found, names, metric) for metric in ACROSS]
    panels.append(_gap(found, names))
    every = stages(found.run, found.run.estimates)
    return Section(
        id="section-lookahead",
        name="Lookahead",
        title="What does the number of assistant tokens change?",
        answer=findings.best_for_all(found),
        panels=[panel for panel in panels if panel],
        tables=[_best(found, at) for at in every if _common(found, at)],
        key=(
            ("quiet", "a group"),
            ("dot", "all groups, with 95% intervals"),
            ("slow", "slowest"),
            ("fast", "fastest"),
        ),
        note="Below the axis: the number of assistant tokens, and the schedule that "
        "starts from it.",
    )


def _places(names: Sequence[str]) -> dict[str, float]:
    """Where each lookahead stands: one place after the other, with a gap between
    schedules.
    """
    kinds = list(dict.fromkeys(schedule(name)[0] for name in names))
    return {
        name: float(i + kinds.index(schedule(name)[0])) for i, name in enumerate(names)
    }


def _ticks(names: Sequence[str]) -> Ticks:
    numbers: dict[float, str] = {}
    by_kind: dict[str, list[float]] = {}
    for name, x in _places(names).items():
        kind, numbers[x] = schedule(name)
        by_kind.setdefault(kind, []).append(x)
    return Ticks(numbers, {kind: sum(xs) / len(xs) for kind, xs in by_kind.items()})


def _points(
    rows: Sequence[EstimateRow | GapRow], names: Sequence[str], *, sure: bool
) -> list[Mark]:
    """Each row at its lookahead's place, with its interval where that is drawn."""
    places, points = _places(names), []
    for row in rows:
        x, part = places[row.lookahead], schedule(row.lookahead)[0]
        interval = (row.low, row.high) if sure else None
        points.append(Mark(x, figure(row), interval, part))
    return points


def _curve(found: Index, names: Sequence[str], metric: str) -> Panel | None:
    ends, drawn = found.ends(), {"", *many.outer(found, BASE, many.DRAWN)}
    rows, series = [], []
    for group in ("", *found.run.groups):
        some = [found.estimate(metric, BASE, group, name) for name in names]
        own = [row for row in some if row is not None]
        rows += own
        if group in drawn:
            named = group in ("", *ends)
            points = _points(own, names, sure=named)
            name = (group or EVERYONE) if named else ""
            series.append(Series(points, name, colour(group, ends)))
    if not rows:
        return None
    title = METRICS[metric].title
    name = alternative(f"{title} of the base pair by lookahead")
    first = [row for row in rows if row.lookahead == names[0]]
    value = (f"#{metric}", lambda row: number(row.value))
    return Panel(
        title=f"{title}, base pair",
        drawing=curves(series, name=name, ticks=_ticks(names)),
        basis=basis(first, "slowest and the {} fastest"),
        table=Table.of(rows, (GROUP, LOOKAHEAD, value, INTERVAL)),
    )


def _gap(found: Index, names: Sequence[str]) -> Panel | None:
    rows, series, base = [], [], []
    for at in stages(found.run, found.run.gaps):
        some = [found.gap(at, name) for name in names]
        own = [row for row in some if row is not None]
        rows += own
        if at.tuned:
            series.append(Series(_points(own, names, sure=False)))
        else:
            base = own
    if not rows:
        return None
    series.append(Series(_points(base, names, sure=True), "base pair", canvas.INK))
    drawing = curves(
        series,
        name=alternative("Gap between groups by lookahead"),
        ticks=_ticks(names),
        reference=next((row.null for row in base if row.null is not None), None),
    )
    columns = (
        ("stage", lambda row: where(row.stage)),
        LOOKAHEAD,
        ("#gap", lambda row: number(row.gap)),
        INTERVAL,
        ALIKE,
        SLOWEST,
        FASTEST,
    )
    n = counted(len(found.run.groups), "group")
    return Panel(
        title="Gap between groups",
        drawing=drawing,
        basis=f"n = {n}; grey: after fine-tuning; dashed: by chance.",
        table=Table.of(rows, columns),
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """A group's best lookahead, and the one that is best for everyone."""

    own: EstimateRow
    common: EstimateRow

    @property
    def group(self) -> str:
        return self.own.group


def _common(found: Index, at: Stage) -> EstimateRow | None:
    return findings.best_lookahead(found, at, "")


def _best(found: Index, at: Stage) -> Table:
    best = _common(found, at)
    name, choices = best.lookahead if best else "", []
    for group in found.run.groups:
        own = findings.best_lookahead(found, at, group)
        common = found.estimate(SPEED, at, group, name)
        if own and common:
            choices.append(_Choice(own, common))
    shown = clean(name, 40)
    columns = (
        GROUP,
        ("its best", lambda c: clean(c.own.lookahead, 40)),
        ("#speed-up", lambda c: number(c.own.value, 2)),
        (f"#with {shown}", lambda c: number(c.common.value, 2)),
        ("#cost", lambda c: signed(c.common.value - c.own.value, 2)),
    )
    caption = f"{where(at)}: what {shown} for everyone costs each group"
    return Table.of(choices, columns, caption=caption, dataset=at.dataset)
