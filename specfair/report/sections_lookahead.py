"""What the number of assistant tokens and its schedule change: curves, the gap, and the
best for all and for each.

Knows which rows answer the question; drawing is the charts' part.
"""

from collections.abc import Sequence

from specfair.report import charts, charts_lines, findings, many
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts_lines import Point, Series, Ticks
from specfair.report.lookup import Index, extremes, lookahead_order, stages
from specfair.report.sections import EVERYONE, TABLE_BELOW, basis
from specfair.report.sections_tokens import where
from specfair.report.text import clean, interval, number, plural, signed
from specfair.run.rows import EstimateRow, GapRow
from specfair.vocabulary import ACROSS, BASE, METRICS, Stage


def lookahead(found: Index) -> Section | None:
    """Every metric against the number of assistant tokens."""
    names = sorted(
        {row.lookahead for row in found.report.estimates if row.lookahead},
        key=lookahead_order,
    )
    if len(names) < 2:  # one point is no curve
        return None
    panels = [panel for metric in ACROSS if (panel := _curve(found, names, metric))]
    panels += [panel for panel in (_gap_curve(found, names),) if panel]
    at = [
        s
        for s in stages(found.report, found.report.estimates)
        if findings.best_lookahead(found, s, "")
    ]
    return Section(
        "section-lookahead",
        "What does the number of assistant tokens change?",
        findings.lookahead(found),
        tuple(panels),
        tuple(_best(found, stage) for stage in at),
        key=(
            ("quiet", "a group"),
            ("dot", "all groups, with 95% intervals"),
            ("slow", "slowest"),
            ("fast", "fastest"),
        ),
        note=(
            "Below the axis: the number of assistant tokens, and the schedule that "
            "starts from it."
        ),
    )


def _schedule(name: str) -> str:
    return name.rpartition("-")[0] if name.rpartition("-")[2].isdigit() else name


def _places(names: Sequence[str]) -> dict[str, float]:
    """Where each lookahead stands: one place after the other, with a gap between
    schedules.
    """
    schedules = list(dict.fromkeys(map(_schedule, names)))
    return {
        name: i + float(schedules.index(_schedule(name)))
        for i, name in enumerate(names)
    }


def _ticks(names: Sequence[str]) -> Ticks:
    places = _places(names)
    titles: dict[str, list[float]] = {}
    for name, x in places.items():
        titles.setdefault(_schedule(name), []).append(x)
    numbers = {
        x: name.removeprefix(_schedule(name)).lstrip("-") for name, x in places.items()
    }
    return Ticks(numbers, {title: sum(xs) / len(xs) for title, xs in titles.items()})


def _points(
    rows: Sequence[EstimateRow | GapRow], names: Sequence[str], *, sure: bool
) -> list[Point]:
    """Each row at its lookahead's place, with its interval where that is drawn."""
    places, points = _places(names), []
    for row in rows:
        value = row.gap if isinstance(row, GapRow) else row.value
        low, high = (row.low, row.high) if sure else (None, None)
        points.append(
            Point(places[row.lookahead], value, low, high, _schedule(row.lookahead))
        )
    return points


def _curve(found: Index, names: Sequence[str], metric: str) -> Panel | None:
    title = METRICS[metric].title
    ends, series = extremes(found), []
    rows: list[EstimateRow] = []
    drawn = {"", *many.outer(found, BASE, many.DRAWN)}
    for group in ("", *found.report.groups):
        own = [
            row for name in names if (row := found.estimate(metric, BASE, group, name))
        ]
        named = EVERYONE if not group else group if group in ends else ""
        hue = charts.colour(group, ends) if group else charts.INK
        if group in drawn:
            series.append(Series(_points(own, names, sure=bool(named)), named, hue))
        rows += own
    if not rows:
        return None
    table = tuple(
        (
            clean(r.group or EVERYONE, 60),
            clean(r.lookahead, 40),
            number(r.value),
            interval(r.low, r.high),
        )
        for r in rows
    )
    return Panel(
        f"{title}, base pair",
        charts_lines.lines(
            series,
            name=f"{title} of the base pair by lookahead. {TABLE_BELOW}",
            ticks=_ticks(names),
        ),
        basis(
            [row for row in rows if row.lookahead == names[0]],
            order="slowest and the {} fastest",
        ),
        Table(
            ("group", "lookahead", f"#{metric}", "#interval"),
            table,
            groups=tuple(r.group for r in rows),
        ),
    )


def _gap_curve(found: Index, names: Sequence[str]) -> Panel | None:
    metric, at = found.report.metric, stages(found.report, found.report.gaps)
    by_stage = {
        stage: [row for name in names if (row := found.gap(metric, stage, name))]
        for stage in at
    }
    rows = [(stage, row) for stage, some in by_stage.items() for row in some]
    if not rows:
        return None
    base = by_stage.get(BASE, [])
    series = [
        Series(_points(some, names, sure=False))
        for stage, some in by_stage.items()
        if stage.tuned
    ]
    series.append(Series(_points(base, names, sure=True), "base pair", charts.INK))
    shuffled = next((row.null for row in base if row.null is not None), None)
    table = tuple(
        (
            where(stage),
            clean(r.lookahead, 40),
            number(r.gap),
            interval(r.low, r.high),
            number(r.null),
            clean(r.lowest_group, 60),
            clean(r.highest_group, 60),
        )
        for stage, r in rows
    )
    return Panel(
        "Gap between groups",
        charts_lines.lines(
            series,
            name=f"Gap between groups by lookahead. {TABLE_BELOW}",
            ticks=_ticks(names),
            reference=shuffled,
        ),
        (
            f"n = {plural(len(found.report.groups), 'group')}; grey: after "
            "fine-tuning; dashed: shuffled labels."
        ),
        Table(
            (
                "stage",
                "lookahead",
                "#gap",
                "#interval",
                "#shuffled",
                "slowest",
                "fastest",
            ),
            table,
        ),
    )


def _best(found: Index, at: Stage) -> Table:
    metric, best = "speedup_predicted", findings.best_lookahead(found, at, "")
    rows, groups = [], []
    for group in found.report.groups:
        own = findings.best_lookahead(found, at, group)
        common = found.estimate(metric, at, group, best.lookahead) if best else None
        if own and common:
            groups.append(group)
            rows.append(
                (
                    clean(group, 60),
                    clean(own.lookahead, 40),
                    number(own.value, 2),
                    number(common.value, 2),
                    signed(common.value - own.value, 2),
                )
            )
    name = clean(best.lookahead, 40) if best else ""
    return Table(
        ("group", "its best", "#speed-up", f"#with {name}", "#cost"),
        tuple(rows),
        caption=f"{where(at)}: what {name} for everyone costs each group",
        groups=tuple(groups),
        dataset=at.dataset,
    )
