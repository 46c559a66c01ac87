"""All pairs of groups as a triangle of cells: what is detected is coloured and printed,
the rest is muted.

Knows numbers of rows and columns, not what they compare.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from specfair.report.charts import canvas
from specfair.report.charts.canvas import CARD, FAST, INK, LABELS, SLOW, WIDTH
from specfair.report.text import number
from specfair.vocabulary import ALPHA

MIN_CELL = 19  # pixels; a figure does not fit into less
MAX_CELL = 40
TOP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
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
    size = min((WIDTH - LABELS - 2) / max(len(groups) - 1, 1), MAX_CELL)
    most = max((abs(cell.difference) for cell in cells), default=1.0) or 1.0
    marks = [_cell(cell, size, most) for cell in cells]
    if worst is not None:
        a, b = _corners(worst, size)
        marks.append(canvas.rect(a, b, "none", stroke=INK, stroke_width=2))
    for i, group in enumerate(groups):
        left, middle = LABELS + (i + 0.5) * size, TOP + (i + 0.5) * size
        room = LABELS - 7 - canvas.wide(f" {i + 1}")
        named = f"{canvas.fitted(group, room)} {i + 1}"
        marks.append(canvas.letter(named, (LABELS - 7, middle), text_anchor="end"))
        if i < len(groups) - 1:
            at = (left, middle + 0.18 * size)
            marks.append(canvas.letter(str(i + 1), at, text_anchor="middle"))
    return canvas.svg(marks, (WIDTH, TOP + size * len(groups) + 4), name=name)


def _corners(cell: Cell, size: float) -> tuple[canvas.Point, canvas.Point]:
    x, y = LABELS + cell.column * size, TOP + cell.row * size
    return (x, y), (x + size, y + size)


def _cell(cell: Cell, size: float, most: float) -> Markup:
    a, b = _corners(cell, size)
    square = canvas.rect(a, b, _paint(cell, most), stroke=CARD)
    if not cell.p < ALPHA or size < MIN_CELL:
        return square
    figure = number(cell.difference, 2).replace("0.", ".", 1)
    middle = (a[0] + size / 2, a[1] + size / 2)
    return square + canvas.letter(
        figure, middle, text_anchor="middle", size=9.5, fill=INK
    )


def _paint(cell: Cell, most: float) -> str:
    """Blue where the row is faster, orange where it is slower, deeper for more, pale
    where nothing is detected.
    """
    if not cell.p < ALPHA:
        return "var(--faint)"
    hue = FAST if cell.difference > 0 else SLOW
    depth = round(15 + 55 * abs(cell.difference) / most)
    return f"color-mix(in srgb, {hue} {depth}%, {CARD})"
