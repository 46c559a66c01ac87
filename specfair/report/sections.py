"""What fine-tuning did and whom it served: before and after, gain against mentions, the
gap.

Knows which rows answer which question and how to put them into panels and tables;
drawing is the charts' part.
"""

import math
from collections.abc import Sequence

from specfair.report import charts, charts_rows, charts_scatter, findings, many
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts_rows import Line
from specfair.report.charts_scatter import Spot
from specfair.report.lookup import Index, extremes, measurable
from specfair.report.text import clean, count, interval, number, odds, plural, signed
from specfair.run.rows import EstimateRow
from specfair.vocabulary import BASE, Stage

EVERYONE = "all groups"
TABLE_BELOW = "The figures are in the table below."


def basis(
    rows: Sequence[EstimateRow],
    what: str = "lines are 95% intervals",
    order: str = "lowest and the {} highest",
) -> str:
    """n, what the marks are, and which of many groups are drawn."""
    n = sum(row.n_prompts for row in rows if row.group) or max(
        (row.n_prompts for row in rows), default=0
    )
    clusters = sum(row.n_clusters for row in rows if row.group) or max(
        (row.n_clusters for row in rows), default=0
    )
    left_out = many.drawn(sum(bool(row.group) for row in rows), order=order)
    return f"n = {count(n)} prompts in {plural(clusters, 'cluster')}; {what}{left_out}."


def shown(lines: Sequence[tuple[float, Line]]) -> list[Line]:
    """Everyone's line, and those of all groups, or of many the lowest and the highest
    by the figure before each.
    """
    groups = many.ends(
        [pair for pair in lines if not pair[1].strong], key=lambda pair: pair[0]
    )
    return [line for _, line in (*(pair for pair in lines if pair[1].strong), *groups)]


def before_after(found: Index) -> Section | None:
    """Q1, a panel a dataset, all on one scale."""
    metric = found.report.metric
    pairs = {d: _pairs(found, d) for d in found.report.datasets}
    shown = [row for rows in pairs.values() for pair in rows for row in pair]
    if not shown:
        return None
    domain = charts.span([x for row in shown for x in (row.value, row.low, row.high)])
    panels = [_dumbbell(found, d, rows, domain) for d, rows in pairs.items() if rows]
    return Section(
        "section-speed",
        (
            "After fine-tuning, are target and draft more aligned, and is the "
            "speed-up higher?"
        ),
        findings.speed(found),
        tuple(panels),
        key=(
            ("ring", "before, its interval as a band"),
            ("dot", "after, with its 95% interval; grey where the change may be noise"),
            ("slow", "slowest group of the base pair"),
            ("fast", "fastest"),
        ),
        note=(
            f"{metric} at {clean(found.report.lookahead, 40)}; at the right the "
            "change, bold where it is measurable."
        ),
    )


def _pairs(found: Index, dataset: str) -> list[tuple[EstimateRow, EstimateRow]]:
    metric = found.report.metric
    both = (
        (
            found.estimate(metric, BASE, g),
            found.estimate(metric, Stage(dataset), g),
        )
        for g in ("", *found.report.groups)
    )
    return [(before, after) for before, after in both if before and after]


def _dumbbell(
    found: Index,
    dataset: str,
    pairs: Sequence[tuple[EstimateRow, EstimateRow]],
    domain: tuple[float, float],
) -> Panel:
    ends, lines, rows = extremes(found), [], []
    for before, after in pairs:
        change = found.change(dataset, after.group)
        delta = change.value if change else after.value - before.value
        line = Line(
            after.group or EVERYONE,
            after.value,
            after.low,
            after.high,
            signed(delta),
            _hue(after.group, ends, change),
            not after.group,
            change is not None and measurable(change),
            before.value,
            before.low,
            before.high,
        )
        lines.append((delta, line))
        rows.append(
            (
                clean(after.group or EVERYONE, 60),
                number(before.value),
                interval(before.low, before.high),
                number(after.value),
                interval(after.low, after.high),
                signed(delta),
                f"{signed(change.low)} to {signed(change.high)}" if change else "n/a",
                "yes" if change and measurable(change) else "no",
                count(after.n_prompts),
                count(after.n_clusters),
            )
        )
    title = findings.dataset(found, dataset)
    heads = (
        "group",
        "#before",
        "#interval",
        "#after",
        "#interval",
        "#change",
        "#interval",
        "measurable",
        "#prompts",
        "#clusters",
    )
    return Panel(
        title,
        charts_rows.intervals(
            shown(lines),
            domain=domain,
            name=f"{title}. Before and after by group. {TABLE_BELOW}",
        ),
        basis(
            [after for _, after in pairs], order="that lost and the {} that gained most"
        ),
        Table(heads, tuple(rows), groups=tuple(after.group for _, after in pairs)),
        dataset,
    )


def _hue(group: str, ends: tuple[str, str], change: EstimateRow | None) -> str:
    """Dark where the change is measurable, unless the group has its own colour."""
    own = charts.colour(group, ends) if group else charts.INK
    return (
        charts.INK
        if own == charts.QUIET and change is not None and measurable(change)
        else own
    )


def mentions(found: Index) -> Section | None:
    """Q2: gain against mentions, and the gap before and after."""
    spots = {d: _spots(found, d) for d in found.report.datasets}
    everything = [s for some in spots.values() for s in some]
    gap = _gaps(found)
    if not everything and gap is None:
        return None
    domain = charts.span([x for s in everything for x in (s.gain, s.low, s.high)])
    right = max([s.x for s in everything], default=1.0) + 0.3
    panels = [
        _scatter(found, d, some, (domain, right)) for d, some in spots.items() if some
    ]
    return Section(
        "section-share",
        "Do all groups gain alike, or only those the corpus speaks of?",
        findings.share(found),
        (*panels, *([gap] if gap else [])),
        key=(
            ("dot", "a group: its gain with a 95% interval"),
            ("band", "fitted slope with its interval"),
        ),
        note=(
            "Mentions count whole words of the group's identity terms; substrings "
            "are in the tables."
        ),
    )


def _spots(found: Index, dataset: str) -> list[Spot]:
    ends = extremes(found)
    rows = [
        (row, found.change(dataset, row.group))
        for row in found.report.mentions
        if row.dataset == dataset
    ]
    return [
        Spot(m.group, m.n_words, c.value, c.low, c.high, charts.colour(m.group, ends))
        for m, c in rows
        if c
    ]


def _scatter(
    found: Index,
    dataset: str,
    spots: Sequence[Spot],
    scale: tuple[tuple[float, float], float],
) -> Panel:
    fit = next(
        (
            row
            for row in found.report.frequency
            if row.stage == Stage(dataset) and math.isfinite(row.low + row.high)
        ),
        None,
    )
    title = f"After {clean(dataset, 40)}, "
    if fit is None:
        title += "gain against mentions"
    elif fit.low <= 0 <= fit.high:
        title += "no measurable relation between mentions and gain"
    else:
        title += (
            f"ten times the mentions, {signed(fit.slope)} acceptance "
            f"({signed(fit.low)} to {signed(fit.high)})"
        )
    counts = {row.group: row for row in found.report.mentions if row.dataset == dataset}
    rows = tuple(
        (
            clean(s.name, 60),
            signed(s.gain),
            f"{signed(s.low)} to {signed(s.high)}",
            count(s.n),
            count(counts[s.name].n_documents),
            count(counts[s.name].n_substrings),
        )
        for s in spots
    )
    what = (
        f"rank correlation {number(fit.rank_correlation, 2)}, p {odds(fit.p_value)}"
        if fit
        else "lines are 95% intervals"
    )
    return Panel(
        title,
        charts_scatter.scatter(
            spots,
            fit=(fit.slope, fit.low, fit.high) if fit else None,
            domain=scale[0],
            right=scale[1],
            name=f"{title}. {TABLE_BELOW}",
        ),
        f"n = {plural(len(spots), 'group')}; {what}.",
        Table(
            ("group", "#gain", "#interval", "#words", "#documents", "#substrings"),
            rows,
            groups=tuple(s.name for s in spots),
        ),
        dataset,
    )


def _gaps(found: Index) -> Panel | None:
    metric = found.report.metric
    before = found.gap(metric, BASE)
    after = [
        (d, row) for d in found.report.datasets if (row := found.gap(metric, Stage(d)))
    ]
    if before is None or not after:
        return None
    lines = [
        Line(
            d,
            g.gap,
            g.low,
            g.high,
            number(g.gap),
            charts.INK,
            False,
            False,
            before.gap,
            before.low,
            before.high,
        )
        for d, g in after
    ]
    rows = tuple(
        (
            clean(d, 60),
            number(before.gap),
            number(g.gap),
            interval(g.low, g.high),
            number(g.null),
            number(g.ratio),
            clean(g.lowest_group, 60),
            clean(g.highest_group, 60),
        )
        for d, g in after
    )
    title = (
        findings.widened(found) or "The gap between the slowest and the fastest group"
    )
    domain = charts.span(
        [
            0.0,
            *[
                x
                for line in lines
                for x in (line.low, line.high, before.low, before.high)
            ],
        ]
    )
    return Panel(
        title,
        charts_rows.intervals(
            lines, domain=domain, name=f"{title} {TABLE_BELOW}", reference=before.null
        ),
        (
            f"n = {plural(len(found.report.groups), 'group')}; ring: before, dot: "
            "after, dashed: shuffled labels."
        ),
        Table(
            (
                "dataset",
                "#before",
                "#after",
                "#interval",
                "#shuffled",
                "#ratio",
                "slowest",
                "fastest",
            ),
            rows,
        ),
    )
