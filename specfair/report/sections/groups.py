"""How groups compare: each metric by group at the base pair, and who differs from whom
at every stage.
"""

from collections.abc import Sequence

from specfair.errors import counted
from specfair.report import findings, many
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts import canvas
from specfair.report.charts.forest import forest
from specfair.report.charts.matrix import Cell, matrix
from specfair.report.lookup import Index, stages
from specfair.report.sections.parts import (
    CHANGED,
    CLUSTERS,
    GROUP,
    INTERVAL,
    PROMPTS,
    alternative,
    basis,
    value_lines,
    where,
)
from specfair.report.text import clean, interval, number, odds_said, signed, thousands
from specfair.run.rows import ENDS, MANY, PairRow, RankRow
from specfair.vocabulary import ALPHA, BASE, CHARTED, METRICS, Stage


def who_waits(found: Index) -> Section | None:
    """Each metric by group at the base pair, and who differs from whom at every
    stage.
    """
    panels = [_forest(found, metric) for metric in CHARTED]
    panels += [_matrix(found, at) for at in stages(found.run, found.run.pairs)]
    if not any(panels):
        return None
    return Section(
        id="section-groups",
        name="Groups",
        title="Who waits longer?",
        answer=findings.slowest(found),
        panels=[panel for panel in panels if panel],
        tables=[
            ranking(at, list(found.run.ranked(at).values()))
            for at in stages(found.run, found.run.ranks)
        ],
        key=(
            ("dot", "value with its 95% interval"),
            ("slow", "slowest group of the base pair"),
            ("fast", "fastest"),
            ("faster", "row is faster than column"),
            ("slower", "row is slower"),
            ("muted", "within noise"),
            ("outline", "the worst pair"),
        ),
    )


def _forest(found: Index, metric: str) -> Panel | None:
    title, digits = METRICS[metric].title, METRICS[metric].digits
    rows = found.with_everyone(metric, BASE)
    if not rows:
        return None
    columns = (
        GROUP,
        (f"#{metric}", lambda row: number(row.value, digits)),
        ("#interval", lambda row: interval(row.low, row.high, digits)),
        PROMPTS,
        CLUSTERS,
    )
    drawing = forest(
        value_lines(found, rows, digits),
        domain=canvas.span(end for row in rows for end in (row.low, row.high)),
        reference=next((row.value for row in rows if not row.group), None),
        name=alternative(f"{title} of the base pair by group"),
    )
    return Panel(
        title=f"{title}, base pair",
        drawing=drawing,
        basis=basis(rows),
        table=Table.of(rows, columns),
    )


def ranking(at: Stage, rows: Sequence[RankRow]) -> Table:
    """What gates look at by group: as measured, as to be expected next time, and the
    ranks each may have. The slowest first, as the rows come.
    """
    columns = (
        GROUP,
        ("#rank", lambda row: row.place),
        ("#as measured", lambda row: number(row.value)),
        ("#expected next time", lambda row: number(row.shrunken)),
        INTERVAL,
    )
    return Table.of(
        rows,
        columns,
        caption=f"{where(at)}: ranks, the slowest first",
        dataset=at.dataset,
        open=not at.tuned and len(rows) <= MANY,
    )


def _matrix(found: Index, at: Stage) -> Panel:
    groups = many.outer(found, at)
    pairs = [row for row in found.run.pairs if row.stage == at]
    pairs = [row for row in pairs if {row.group_a, row.group_b} <= set(groups)]
    pairs.sort(key=lambda row: row.p_holm)
    cells = [_cell(row, groups) for row in pairs]
    detected = [cell for cell in cells if cell.p < ALPHA]
    title = f"{where(at)}: {findings.widest_pair(found, at)}"
    drawing = matrix(
        groups,
        cells,
        worst=max(detected, key=lambda cell: abs(cell.difference), default=None),
        name=alternative(f"{title}. Differences of all pairs of groups"),
    )
    columns = (
        ("group", lambda row: clean(row.group_a, 60)),
        ("minus", lambda row: clean(row.group_b, 60)),
        ("#difference", lambda row: signed(row.difference)),
        CHANGED,
        ("#p", lambda row: odds_said(row.p_holm)),
    )
    return Panel(
        title=title,
        drawing=drawing,
        basis=_basis(len(pairs), len(found.run.groups)),
        table=Table.of(pairs, columns),
        dataset=at.dataset,
    )


def _cell(row: PairRow, groups: tuple[str, ...]) -> Cell:
    """The pair below the diagonal: the later group minus the earlier one."""
    a, b = groups.index(row.group_a), groups.index(row.group_b)
    if a > b:
        return Cell(row=a, column=b, difference=row.difference, p=row.p_holm)
    return Cell(row=b, column=a, difference=-row.difference, p=row.p_holm)


def _basis(n: int, n_groups: int) -> str:
    pairs = f"n = {counted(n, 'pair')}"
    if n_groups <= MANY:
        return f"{pairs}; row minus column, p corrected by Holm."
    ends = f"the {ENDS} slowest and the {ENDS} fastest"
    every = thousands(n_groups * (n_groups - 1) // 2)
    return (
        f"{pairs}, of {ends} of {thousands(n_groups)} groups; row minus column, p "
        f"corrected for all {every} pairs."
    )
