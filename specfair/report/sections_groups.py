"""How groups compare: each metric by group at the base pair, and who differs from whom
at every stage.

Knows which rows answer which question and how to put them into panels and tables;
drawing is the charts' part.
"""

from specfair.report import charts, charts_matrix, charts_rows, findings, many
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts_matrix import Cell
from specfair.report.charts_rows import Line
from specfair.report.lookup import Index, extremes, stages
from specfair.report.sections import EVERYONE, TABLE_BELOW, basis, shown
from specfair.report.text import clean, count, interval, number, odds, plural, signed
from specfair.run.rows import ENDS, MANY
from specfair.vocabulary import BASE, CHARTED, METRICS, Stage

DOT = (
    ("dot", "value with its 95% interval"),
    ("slow", "slowest group of the base pair"),
    ("fast", "fastest"),
)


def groups(found: Index) -> Section | None:
    """Each metric by group at the base pair, and who differs from whom at every
    stage.
    """
    panels = [panel for metric in CHARTED if (panel := _forest(found, metric))]
    panels += [_matrix(found, at) for at in stages(found.report, found.report.pairs)]
    if not panels:
        return None
    return Section(
        "section-groups",
        "Who waits longer?",
        findings.groups(found),
        tuple(panels),
        key=(
            *DOT,
            ("faster", "row is faster than column"),
            ("slower", "row is slower"),
            ("muted", "within noise"),
            ("outline", "the worst pair"),
        ),
    )


def _forest(found: Index, metric: str) -> Panel | None:
    title, digits = METRICS[metric].title, METRICS[metric].digits
    rows = [
        row
        for group in ("", *found.report.groups)
        if (row := found.estimate(metric, BASE, group))
    ]
    if not rows:
        return None
    ends = extremes(found)
    lines = [
        Line(
            r.group or EVERYONE,
            r.value,
            r.low,
            r.high,
            number(r.value, digits),
            charts.colour(r.group, ends) if r.group else charts.INK,
            not r.group,
        )
        for r in rows
    ]
    table = tuple(
        (
            clean(r.group or EVERYONE, 60),
            number(r.value, digits),
            interval(r.low, r.high, digits),
            count(r.n_prompts),
            count(r.n_clusters),
        )
        for r in rows
    )
    everyone = next((r.value for r in rows if not r.group), None)
    return Panel(
        f"{title}, base pair",
        charts_rows.intervals(
            shown([(line.value, line) for line in lines]),
            domain=charts.span([x for r in rows for x in (r.low, r.high)]),
            reference=everyone,
            name=f"{title} of the base pair by group. {TABLE_BELOW}",
        ),
        basis(rows),
        Table(
            ("group", f"#{metric}", "#interval", "#prompts", "#clusters"),
            table,
            groups=tuple(r.group for r in rows),
        ),
    )


def _basis_of_pairs(n: int, n_groups: int) -> str:
    if n_groups <= MANY:
        return f"n = {plural(n, 'pair')}; row minus column, p corrected by Holm."
    ends = f"the {ENDS} slowest and the {ENDS} fastest of {count(n_groups)} groups"
    n_all = count(n_groups * (n_groups - 1) // 2)
    return (
        f"n = {plural(n, 'pair')}, of {ends}; row minus column, p corrected for "
        f"all {n_all} pairs."
    )


def _matrix(found: Index, at: Stage) -> Panel:
    groups = many.outer(found, at)
    order = {group: i for i, group in enumerate(groups)}
    pairs = [
        row
        for row in found.report.pairs
        if row.stage == at and row.group_a in order and row.group_b in order
    ]
    cells = [
        Cell(
            max(order[p.group_a], order[p.group_b]),
            min(order[p.group_a], order[p.group_b]),
            p.difference if order[p.group_a] > order[p.group_b] else -p.difference,
            p.p_holm,
        )
        for p in pairs
    ]
    detected = [c for c in cells if c.p < charts_matrix.DETECTED]
    worst = max(detected, key=lambda c: abs(c.difference), default=None)
    where = f"After {clean(at.dataset, 40)}" if at.tuned else "Base pair"
    title = f"{where}: {findings.worst_pair(found, at)}"
    rows = tuple(
        (
            clean(p.group_a, 60),
            clean(p.group_b, 60),
            signed(p.difference),
            f"{signed(p.low)} to {signed(p.high)}",
            odds(p.p_holm),
        )
        for p in sorted(pairs, key=lambda p: p.p_holm)
    )
    return Panel(
        title,
        charts_matrix.matrix(
            groups,
            cells,
            worst=worst,
            name=f"{title}. Differences of all pairs of groups. {TABLE_BELOW}",
        ),
        _basis_of_pairs(len(pairs), len(found.report.groups)),
        Table(("group", "minus", "#difference", "#interval", "#p"), rows),
        at.dataset,
    )
