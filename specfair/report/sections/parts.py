"""What sections share: words for stages and marks, who has which colour, lines of
values, and columns that many tables have.
"""

from collections.abc import Sequence

from specfair.errors import counted
from specfair.report import many
from specfair.report.blocks import Column
from specfair.report.charts import canvas
from specfair.report.charts.forest import Line
from specfair.report.lookup import Index
from specfair.report.text import clean, interval, number, signed_interval, thousands
from specfair.run.rows import EstimateRow
from specfair.vocabulary import Stage

EVERYONE = "all groups"
GROUP: Column = ("group", lambda row: clean(row.group or EVERYONE, 60))
INTERVAL: Column = ("#interval", lambda row: interval(row.low, row.high))
CHANGED: Column = ("#interval", lambda row: signed_interval(row.low, row.high))
PROMPTS: Column = ("#prompts", lambda row: thousands(row.n_prompts))
CLUSTERS: Column = ("#clusters", lambda row: thousands(row.n_clusters))
SLOWEST: Column = ("slowest", lambda row: clean(row.lowest_group, 60))
FASTEST: Column = ("fastest", lambda row: clean(row.highest_group, 60))
ALIKE: Column = ("#by chance", lambda row: number(row.null))
LOOKAHEAD: Column = ("lookahead", lambda row: clean(row.lookahead, 40))


def where(at: Stage) -> str:
    """The stage in words."""
    return f"After {clean(at.dataset, 40)}" if at.tuned else "Base pair"


def alternative(title: str) -> str:
    """What stands for a drawing where it cannot be seen."""
    return f"{title.removesuffix('.')}. The figures are in the table below."


def basis(rows: Sequence[EstimateRow], order: str = "lowest and the {} highest") -> str:
    """n, what the marks are, and which of many groups are drawn."""
    groups = [row for row in rows if row.group] or rows
    n = sum(row.n_prompts for row in groups)
    clusters = counted(sum(row.n_clusters for row in groups), "cluster")
    left_out = many.drawn(sum(bool(row.group) for row in rows), order)
    return (
        f"n = {thousands(n)} prompts in {clusters}; lines are 95% intervals{left_out}."
    )


def colour(group: str, ends: tuple[str, str]) -> str:
    """All together are dark; the slowest and the fastest group have a colour of their
    own, everyone else is grey.
    """
    if not group:
        return canvas.INK
    if group in ends:
        return canvas.SLOW if group == ends[0] else canvas.FAST
    return canvas.QUIET


def value_lines(
    found: Index, rows: Sequence[EstimateRow], digits: int = 3
) -> list[Line]:
    """A line a row with its value, of many groups those at the ends."""
    ends, made = found.ends(), []
    for row in rows:
        line = Line(
            name=row.group or EVERYONE,
            now=(row.value, row.low, row.high),
            note=number(row.value, digits),
            colour=colour(row.group, ends),
            strong=not row.group,
            sure=not row.group,
        )
        made.append((row.value, line))
    return shown(made)


def shown(lines: Sequence[tuple[float, Line]]) -> list[Line]:
    """Everyone's line, and those of all groups, or of many the lowest and the highest
    by the figure before each.
    """
    groups = [pair for pair in lines if not pair[1].strong]
    drawn = many.ends(groups, key=lambda pair: pair[0])
    everyone = [pair for pair in lines if pair[1].strong]
    return [line for _, line in (*everyone, *drawn)]
