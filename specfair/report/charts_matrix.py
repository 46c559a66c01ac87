"""All pairs of groups as a triangle of cells: what is detected is coloured and printed,
the rest is muted.

Knows numbers of rows and columns, not what they compare.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import altair as alt
from markupsafe import Markup

from specfair.report import charts
from specfair.report.charts import CARD, FAST, INK, LABELS, SLOW, WIDTH, Word
from specfair.report.text import label, number

MIN_CELL = 19  # pixels; a figure does not fit into less
MAX_CELL = 40
DETECTED = 0.05


@dataclass(frozen=True, slots=True)
class Cell:
    """Row group minus column group, by their numbers."""

    row: int
    column: int
    difference: float
    p: float


def matrix(
    groups: Sequence[str], cells: Sequence[Cell], *, worst: Cell | None, name: str
) -> Markup:
    """The lower triangle, rows named, columns numbered on the diagonal, the worst pair
    outlined.
    """
    n, size = len(groups), _size(len(groups))
    most = max((abs(cell.difference) for cell in cells), default=1.0) or 1.0
    rows = [
        {
            "x": c.column,
            "right": c.column + 1,
            "y": c.row,
            "bottom": c.row + 1,
            "colour": _paint(c, most),
        }
        for c in cells
    ]
    outline = [row for row, cell in zip(rows, cells, strict=True) if cell is worst]
    words = [
        Word(f"{label(group)} {i + 1}", -7, (i + 0.5) * size, "end")
        for i, group in enumerate(groups)
    ]
    words += [
        Word(str(i + 1), (i + 0.5) * size, (i + 0.68) * size, "middle")
        for i in range(n - 1)
    ]
    words += [
        Word(
            number(c.difference, 2).replace("0.", ".", 1),
            (c.column + 0.5) * size,
            (c.row + 0.5) * size,
            "middle",
            INK,
            size=9.5,
        )
        for c in cells
        if c.p < DETECTED and size >= MIN_CELL
    ]
    return charts.svg(_matrix(n), {"cells": rows, "worst": outline}, words, name=name)


def _paint(cell: Cell, most: float) -> str:
    """Blue where the row is faster, orange where it is slower, deeper for more, pale
    where nothing is detected.
    """
    if not cell.p < DETECTED:
        return "var(--faint)"
    depth = round(15 + 55 * abs(cell.difference) / most)
    return (
        f"color-mix(in srgb, {FAST if cell.difference > 0 else SLOW} {depth}%, {CARD})"
    )


def _size(n: int) -> float:
    """Pixels of a cell."""
    return min((WIDTH - LABELS - 2) / max(n - 1, 1), MAX_CELL)


@cache
def _matrix(n: int) -> charts.Spec:
    size, columns = _size(n), max(n - 1, 1)
    x, y = (
        charts.across("x", (0, columns), grid=False),
        charts.up("y", (n, 0), grid=False),
    )
    layers = [
        charts.table("cells")
        .mark_rect(stroke=CARD, strokeWidth=1)
        .encode(x=x, x2="right:Q", y=y, y2="bottom:Q", color=charts.painted()),
        charts.table("worst")
        .mark_rect(fillOpacity=0, stroke=INK, strokeWidth=2)
        .encode(x=x, x2="right:Q", y=y, y2="bottom:Q"),
    ]
    chart = alt.layer(*layers).properties(width=size * columns, height=size * n)
    return charts.spec(
        chart, padding=(LABELS, 2, WIDTH - LABELS - round(size * columns), 4)
    )
