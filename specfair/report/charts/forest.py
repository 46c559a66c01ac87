"""Charts with one row a group: values with intervals, before and after, sums of parts;
and one value against its bound.

Knows how to draw what it is handed; which rows and which scale are the caller's choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from specfair.report.charts import canvas
from specfair.report.charts.canvas import (
    CARD,
    INK,
    LABELS,
    QUIET,
    SLOW,
    SOFT,
    WIDTH,
    Domain,
    Scale,
)
from specfair.report.text import signed

NOTES = 50  # room for figures at the right
TOP, BOTTOM, ROW = 4, 20, 21
AIR = 0.4 * ROW  # below a strong row
TALL = 34  # pixels of a row with two bars

Spread = tuple[float, float, float]  # a value and both ends of its interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row: a value with its interval, and where it stood before."""

    name: str
    now: Spread
    note: str = ""
    colour: str = QUIET
    strong: bool = False
    sure: bool = False  # the note is more than noise
    before: Spread | None = None


def forest(
    lines: Sequence[Line],
    *,
    domain: Domain,
    name: str,
    reference: float | None = None,
) -> Markup:
    """Dots with intervals; where a line knows its before, a pale band and a hollow dot
    joined to the dot.
    """
    x = Scale(domain, LABELS, WIDTH - NOTES)
    rows, y = [], float(TOP)
    for line in lines:
        rows.append(_row(line, x, y + ROW / 2))
        y += ROW + AIR if line.strong else ROW
    marks = [canvas.grid_across(x, TOP, bottom=y)]
    if reference is not None:
        at = x(reference)
        marks.append(canvas.line((at, TOP), (at, y), SOFT, stroke_dasharray="3 3"))
    return canvas.svg([*marks, *rows], (WIDTH, y + BOTTOM), name=name)


def _row(line: Line, x: Scale, y: float) -> Markup:
    ink = SOFT if line.colour == QUIET else line.colour
    value, low, high = ((x(v), y) for v in line.now)
    marks = [
        _name(line.name, y, ink=ink, look=_look(line.strong)),
        _figure(line.note, y, ink=ink, look=_look(line.sure)),
    ]
    if line.before is not None:
        was, was_low, was_high = ((x(v), y) for v in line.before)
        marks += [
            canvas.line(was_low, was_high, SOFT, stroke_width=10, opacity=0.2),
            canvas.line(was, value, line.colour, stroke_width=3),
        ]
    marks.append(canvas.line(low, high, line.colour, stroke_width=1.5))
    if line.before is not None:
        marks.append(canvas.dot(was, 3, CARD, stroke=SOFT, stroke_width=1.5))
    marks.append(canvas.dot(value, 3.9, line.colour))
    return Markup().join(marks)


def _look(strong: bool) -> str:
    return "strong" if strong else ""


def _name(name: str, y: float, *, ink: str, look: str = "") -> Markup:
    text = canvas.fitted(name, LABELS - 14)
    at = (LABELS - 10, y)
    return canvas.letter(text, at, look=look, fill=ink, text_anchor="end")


def _figure(note: str, y: float, *, ink: str, look: str = "") -> Markup:
    return canvas.letter(note, (WIDTH - NOTES + 9, y), look=look, fill=ink)


@dataclass(frozen=True, slots=True, kw_only=True)
class Halves:
    """One row of a sum: two parts, and the interval of the second."""

    name: str
    against: str
    first: float
    second: Spread


def bars(lines: Sequence[Halves], *, domain: Domain, name: str) -> Markup:
    """Two bars a row from zero and a tick at their sum; the interval belongs to the
    second.
    """
    x = Scale(domain, LABELS, WIDTH - NOTES)
    bottom = TOP + TALL * len(lines)
    marks = [
        canvas.grid_across(x, TOP, bottom=bottom),
        canvas.line((x(0), TOP), (x(0), bottom), SOFT),
    ]
    for i, line in enumerate(lines):
        marks.append(_sum(line, x, TOP + TALL * i))
    return canvas.svg(marks, (WIDTH, bottom + BOTTOM), name=name)


def _sum(line: Halves, x: Scale, top: float) -> Markup:
    upper, middle, lower = (top + TALL * part for part in (0.33, 0.5, 0.67))
    second, low, high = (x(v) for v in line.second)
    whole = line.first + line.second[0]
    total = x(whole)
    against = canvas.fitted(f"against {line.against}", LABELS - 14, 9.5)
    at = (LABELS - 10, top + TALL * 0.7)
    marks = (
        canvas.line((x(0), upper), (x(line.first), upper), QUIET, stroke_width=8),
        canvas.line((x(0), lower), (second, lower), SLOW, stroke_width=8),
        canvas.line((low, lower), (high, lower), INK, stroke_width=1.25),
        canvas.line((total, middle - 11), (total, middle + 11), INK, stroke_width=2.5),
        _name(line.name, top + TALL * 0.3, ink=INK),
        canvas.letter(against, at, size=9.5, text_anchor="end"),
        _figure(signed(whole), middle, ink=INK),
    )
    return Markup().join(marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A value with its interval, and the bound it is held to."""

    now: Spread
    bound: float
    ceiling: bool  # at most the bound, not at least
    slack: float  # what is tolerated beyond it
    decision: str


def beam(judged: Judged, *, height: float, name: str) -> Markup:
    """The interval over the side that the bound allows, and what is tolerated."""
    value, low, high = judged.now
    around = [low, high, value, judged.bound]
    if abs(judged.bound) < max(abs(low), abs(high)):
        around.append(0.0)
    room = max((max(around) - min(around)) * 0.08, 1e-6)
    x = Scale((min(around) - room, max(around) + room), 0, WIDTH)
    bound, middle, colour = x(judged.bound), height / 2, f"var(--{judged.decision})"
    if judged.ceiling:
        allowed = (0.0, bound)
        more = (bound, min(x(judged.bound + judged.slack), WIDTH))
    else:
        allowed = (bound, float(WIDTH))
        more = (max(x(judged.bound - judged.slack), 0), bound)
    marks = []
    for (left, right), opacity in ((allowed, 0.13), (more, 0.06)):
        marks.append(
            canvas.rect((left, 0), (right, height), "var(--pass)", opacity=opacity)
        )
    if x.domain[0] <= 0 <= x.domain[1]:
        zero = x(0)
        dashes = "3.5 3.5"
        marks.append(
            canvas.line((zero, 0), (zero, height), QUIET, stroke_dasharray=dashes)
        )
    marks += [
        canvas.line((bound, 0), (bound, height), INK, stroke_width=1.75),
        canvas.line((x(low), middle), (x(high), middle), colour, stroke_width=3.2),
        canvas.dot((x(value), middle), 4.9 if height > 30 else 3.5, colour),
    ]
    return canvas.svg(marks, (WIDTH, height), name=name, look="against")
