"""Two attributes crossed: a cell for each of their values, coloured by how far it lies
from all together, grey where too little is known.

Knows numbers of rows and columns, not what they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from specfair.report.charts import canvas
from specfair.report.charts.canvas import CARD, FAST, INK, LABELS, LINE, SLOW, WIDTH
from specfair.report.text import number

TALL = 19  # pixels of a row; a figure fits into it
MIN_CELL = 24  # of a column; a figure does not fit into less
MAX_CELL = 48
COLUMNS = 16  # as many names fit side by side
ROOM = 110  # for the names of columns, which stand upright


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A cell, by the numbers of its row and column."""

    row: int
    column: int
    value: float
    known: bool  # whether enough of it is, to say anything
    sure: bool  # whether it differs from the others


def heat(
    names: tuple[Sequence[str], Sequence[str]],
    cells: Sequence[Crossing],
    *,
    middle: float,
    name: str,
) -> Markup:
    """Rows and columns by name; what differs for sure has a frame."""
    rows, columns = names
    wide = min((WIDTH - LABELS - 2) / max(len(columns), 1), MAX_CELL)
    known = [abs(cell.value - middle) for cell in cells if cell.known]
    most = max(known, default=0.0) or 1.0
    top = 8 + min(max((canvas.wide(one) for one in columns), default=0.0), ROOM)
    marks = []
    for cell in sorted(cells, key=lambda cell: cell.sure):  # frames over neighbours
        corner = (LABELS + cell.column * wide, top + cell.row * TALL)
        marks.append(_cell(cell, corner, wide, depth=(cell.value - middle) / most))
    for i, one in enumerate(rows):
        at = (LABELS - 7, top + (i + 0.5) * TALL)
        marks.append(
            canvas.letter(canvas.fitted(one, LABELS - 9), at, text_anchor="end")
        )
    for i, one in enumerate(columns):
        x, y = LABELS + (i + 0.5) * wide, top - 5
        turned = f"rotate(-90 {x:.1f} {y:.1f})"
        shown = canvas.fitted(one, ROOM)
        marks.append(canvas.letter(shown, (x, y), transform=turned))
    return canvas.svg(marks, (WIDTH, top + TALL * len(rows) + 4), name=name)


def _cell(cell: Crossing, corner: canvas.Point, wide: float, *, depth: float) -> Markup:
    """Blue where it is faster, orange where slower, deeper for more."""
    x, y = corner
    paint = "var(--faint)"
    if cell.known:
        hue = FAST if depth > 0 else SLOW
        paint = f"color-mix(in srgb, {hue} {round(60 * abs(depth))}%, {CARD})"
    edge = {"stroke": INK, "stroke_width": 2} if cell.sure else {"stroke": LINE}
    square = canvas.rect(corner, (x + wide, y + TALL), paint, **edge)
    if not cell.known or wide < MIN_CELL:
        return square
    figure = number(cell.value, 2).replace("0.", ".", 1)
    at = (x + wide / 2, y + TALL / 2)
    return square + canvas.letter(figure, at, text_anchor="middle", size=9.5, fill=INK)
