"""Charts of token probabilities: where accepted and rejected proposals lie, for
everyone and group by group.

Knows histograms as rows of counts; all shares are of the proposals of that row, so that
groups of any size compare.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from specfair.report.charts import canvas
from specfair.report.charts.canvas import FAST, INK, LINE, SLOW, SOFT, WIDTH
from specfair.report.lookup import Shape

CELL, BETWEEN, LEFT, TOP = 104.0, 16.0, 4.0, 22.0  # pixels; a column, space, margins
FIRST, BAND, NAME = 118.0, 56.0, 15.0  # heights: everyone's band, a group's, its name
ENDS = {0.0: "start", 0.5: "middle", 1.0: "end"}  # figures along a column
UP = 0.62  # how much of a band lies above its axis


NOBODY = Shape(0.0, 1.0, (0,), (0,))


@dataclass(frozen=True, slots=True)
class Band:
    """One row: whose proposals, one shape a column."""

    name: str
    shapes: Sequence[Shape | None]

    @property
    def one(self) -> Shape:
        """Any of them: all count the same proposals."""
        return next((shape for shape in self.shapes if shape is not None), NOBODY)


def ridges(bands: Sequence[Band], *, heads: Sequence[str], name: str) -> Markup:
    """Accepted upwards, rejected downwards, both as a dotted outline: a column a
    quantity, one scale a column.
    """
    tops = [TOP, *(TOP + FIRST + BAND * i for i in range(len(bands)))]
    marks = []
    for i, band in enumerate(bands):
        note = f"  {band.one.n:,} \u00b7 {band.one.share:.0%}"
        text = canvas.fitted(band.name, WIDTH - LEFT - canvas.wide(note)) + note
        at = (LEFT, tops[i] + NAME / 2)
        look = "" if i else "strong"
        marks.append(canvas.letter(text, at, look=look, fill=INK))
    for column, head in enumerate(heads):
        left = LEFT + column * (CELL + BETWEEN)
        shapes = [band.shapes[column] for band in bands]
        known = [shape for shape in shapes if shape is not None]
        marks.append(canvas.letter(head, (left, TOP - 10)))
        low, high = (known[0].low, known[0].high) if known else (0.0, 1.0)
        for part, anchor in ENDS.items():
            figure = f"{low + part * (high - low):g}".replace("-", "\u2212")
            at = (left + CELL * part, tops[-1] + 8)
            marks.append(canvas.letter(figure, at, text_anchor=anchor))
        reaches = [max(s.reach[0] / UP, s.reach[1] / (1 - UP)) for s in known]
        most = max(reaches, default=0.0) or 1.0
        for i, shape in enumerate(shapes):
            if shape is not None:
                box = (left, tops[i] + NAME), (left + CELL, tops[i + 1] - 4)
                marks.append(_ridge(shape, box, most))
    return canvas.svg(marks, (WIDTH, tops[-1] + 16), name=name)


def _ridge(shape: Shape, box: tuple[canvas.Point, canvas.Point], most: float) -> Markup:
    """One histogram around its axis; a share of `most` fills the box."""
    (left, top), (right, bottom) = box
    axis = top + (bottom - top) * UP
    unit = (bottom - top) / most / (shape.n or 1)

    def steps(counts: Sequence[int], sign: int) -> str:
        """An outline from bin to bin."""
        path = [f"M{left:g}"]
        for i, n in enumerate(counts, start=1):
            y, end = axis + sign * n * unit, left + i * CELL / len(counts)
            path.append(f"{',' if i == 1 else 'V'}{y:.1f}H{end:.1f}")
        return "".join(path)

    close = f"V{axis:.1f}H{left:g}Z"
    dotted: dict[str, canvas.Style] = {"stroke_width": 0.8, "stroke_dasharray": "1.5"}
    up, down = steps(shape.accepted, -1) + close, steps(shape.rejected, 1) + close
    marks = (
        canvas.line((left, axis), (right, axis), LINE),
        canvas.mark(
            "path", d=steps(shape.both, -1), fill="none", stroke=SOFT, **dotted
        ),
        canvas.mark("path", d=up, fill=FAST, opacity=0.8),
        canvas.mark("path", d=down, fill=SLOW, opacity=0.8),
    )
    return Markup().join(marks)
