"""Charts of token probabilities: where accepted and rejected proposals lie, for
everyone and group by group.

Knows histograms as rows of counts; all shares are of the proposals of that row, so that
groups of any size compare.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import altair as alt
from markupsafe import Markup

from specfair.report import charts
from specfair.report.charts import FAST, INK, LINE, SLOW, SOFT, WIDTH, Word
from specfair.report.lookup import Shape
from specfair.report.text import label
from specfair.run.rows import N_BINS

# pixels: a column, the space to the next, and the margins
CELL, BETWEEN, LEFT, TOP = 104.0, 16.0, 4, 22
# heights: everyone's band, a group's, and the line for its name
FIRST, BAND, NAME = 118.0, 56.0, 15.0
UP = 0.62  # how much of a band lies above its axis
PARTS = ("accepted", "rejected", "both")


@dataclass(frozen=True, slots=True)
class Band:
    """One row: whose proposals, what to print beside the name, one shape a column."""

    name: str
    note: str
    shapes: Sequence[Shape | None]


def ridges(bands: Sequence[Band], *, heads: Sequence[str], name: str) -> Markup:
    """Accepted upwards, rejected downwards, both as a dotted outline: a column a
    quantity, one scale a column.
    """
    tops = [0.0, *(FIRST + BAND * i for i in range(len(bands)))]
    tables: dict[str, list[dict[str, object]]] = {part: [] for part in (*PARTS, "axes")}
    words = [
        Word(
            f"{label(band.name)}  {band.note}",
            0,
            top + NAME / 2,
            ink=INK,
            strong=top == 0,
        )
        for band, top in zip(bands, tops[:-1], strict=True)
    ]
    for column, head in enumerate(heads):
        left = column * (CELL + BETWEEN)
        shapes = [band.shapes[column] for band in bands]
        words += [
            Word(head, left, -10),
            *_ticks(next((s for s in shapes if s), None), left, tops[-1] + 8),
        ]
        scale = (
            max(
                (max(s.reach[0] / UP, s.reach[1] / (1 - UP)) for s in shapes if s),
                default=1.0,
            )
            or 1.0
        )
        for shape, top, end in zip(shapes, tops[:-1], tops[1:], strict=True):
            if shape is not None:
                _draw(tables, shape, scale=scale, left=left, box=(top + NAME, end - 4))
    return charts.svg(_ridges(tops[-1], len(heads)), tables, words, name=name)


def _ticks(shape: Shape | None, left: float, y: float) -> Iterator[Word]:
    low, high = (shape.low, shape.high) if shape else (0.0, 1.0)
    for x, value, anchor in (
        (0.0, low, "start"),
        (CELL / 2, (low + high) / 2, "middle"),
        (CELL, high, "end"),
    ):
        yield Word(f"{value:g}".replace("-", "\u2212"), left + x, y, anchor)


def _draw(
    tables: dict[str, list[dict[str, object]]],
    shape: Shape,
    *,
    scale: float,
    left: float,
    box: tuple[float, float],
) -> None:
    """Add one histogram's outlines to the tables, in pixels."""
    high = (box[1] - box[0]) / scale / (shape.n or 1)
    axis = box[0] + (box[1] - box[0]) * UP
    tables["axes"].append({"x": left, "right": left + CELL, "y": axis})
    for part, counts, sign in zip(
        PARTS, (shape.accepted, shape.rejected, shape.both), (-1, 1, -1), strict=True
    ):
        tables[part] += [
            {
                "x": round(left + i * CELL / N_BINS, 2),
                "y": axis + sign * n * high,
                "base": axis,
                "key": f"{left} {axis}",
            }
            # a stepped outline needs the last right end
            for i, n in enumerate((*counts, counts[-1]))
        ]


@cache
def _ridges(height: float, n_columns: int) -> charts.Spec:
    width = n_columns * (CELL + BETWEEN) - BETWEEN
    x, y = (
        charts.across("x", (0, width), grid=False),
        charts.up("y", (height, 0), grid=False),
    )
    step: dict[str, Any] = {"interpolate": "step-after"}
    place: dict[str, Any] = {"x": x, "y": y, "detail": "key:N"}
    dotted: dict[str, Any] = {
        "color": SOFT,
        "strokeWidth": 0.8,
        "strokeDash": [1.5, 1.5],
    }
    layers = [
        charts.table("axes").mark_rule(color=LINE).encode(x=x, x2="right:Q", y=y),
        charts.table("both").mark_line(**dotted, **step).encode(**place),
        charts.table("accepted")
        .mark_area(color=FAST, opacity=0.8, **step)
        .encode(**place, y2="base:Q"),
        charts.table("rejected")
        .mark_area(color=SLOW, opacity=0.8, **step)
        .encode(**place, y2="base:Q"),
    ]
    chart = alt.layer(*layers).properties(width=width, height=height)
    return charts.spec(chart, padding=(LEFT, TOP, WIDTH - LEFT - round(width), 16))
