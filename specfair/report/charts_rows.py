"""Charts with one row a group: values with intervals, before and after, and sums of
parts.

Knows how to draw what it is handed; which rows and which scale are the caller's choice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import altair as alt
from markupsafe import Markup

from specfair.report import charts
from specfair.report.charts import (
    INK,
    LABELS,
    NOTES,
    QUIET,
    ROW,
    SLOW,
    SOFT,
    WIDTH,
    Word,
)
from specfair.report.text import label, signed

PLOT = WIDTH - LABELS - NOTES
PAD = (LABELS, 4, NOTES, 20)
AIR = 0.4  # rows of space below a strong row
TALL = 34  # pixels of a row with two bars


@dataclass(frozen=True, slots=True)
class Line:
    """One row: a value with its interval, and where it stood before."""

    name: str
    value: float
    low: float
    high: float
    note: str = ""
    colour: str = QUIET
    strong: bool = False
    sure: bool = False  # the note is a change that is more than noise
    before: float | None = None
    before_low: float | None = None
    before_high: float | None = None


def intervals(
    lines: Sequence[Line],
    *,
    domain: tuple[float, float],
    name: str,
    reference: float | None = None,
) -> Markup:
    """Dots with intervals; where a line knows its before, a pale band and a hollow dot
    joined to the dot.
    """
    places = [
        i + AIR * sum(line.strong for line in lines[:i]) for i in range(len(lines))
    ]
    n = places[-1] + 1 if places else 1.0
    rows = [
        {**_figures(line), "row": place}
        for line, place in zip(lines, places, strict=True)
    ]
    at = [] if reference is None else [{"at": reference}]
    words = [
        word
        for line, place in zip(lines, places, strict=True)
        for word in _names(line, (place + 0.5) * ROW)
    ]
    words += charts.below(domain, width=PLOT, height=n * ROW)
    return charts.svg(
        _intervals(domain, n), {"rows": rows, "reference": at}, words, name=name
    )


def _figures(line: "Line | Parts") -> dict[str, Any]:
    """What the drawing needs: numbers and a colour, no words from outside."""
    return {
        k: v for k, v in asdict(line).items() if k == "colour" or not isinstance(v, str)
    }


def _names(line: Line, y: float) -> Iterator[Word]:
    ink = line.colour if line.colour != QUIET else SOFT
    yield Word(label(line.name), -10, y, "end", ink, line.strong)
    yield Word(
        line.note,
        PLOT + 9,
        y,
        "start",
        ink,
        line.strong if line.before is None else line.sure,
    )


@cache
def _intervals(domain: tuple[float, float], n: float) -> charts.Spec:
    y = charts.down("row", n)
    rows, was = (
        charts.table("rows"),
        charts.table("rows").transform_filter("isValid(datum.before)"),
    )
    before, was_low = (
        charts.across("before", domain),
        charts.across("before_low", domain),
    )
    layers = [
        charts.table("reference")
        .mark_rule(strokeDash=[3, 3], color=SOFT)
        .encode(x=charts.across("at", domain)),
        was.mark_rule(strokeWidth=10, opacity=0.2, color=SOFT).encode(
            x=was_low, x2="before_high:Q", y=y
        ),
        was.mark_rule(strokeWidth=3).encode(
            x=before, x2="value:Q", y=y, color=charts.painted()
        ),
        rows.mark_rule(strokeWidth=1.5).encode(
            x=charts.across("low", domain), x2="high:Q", y=y, color=charts.painted()
        ),
        was.mark_point(fill=charts.CARD, stroke=SOFT, size=28, strokeWidth=1.5).encode(
            x=before, y=y
        ),
        rows.mark_point(size=48).encode(
            x=charts.across("value", domain), y=y, color=charts.painted()
        ),
    ]
    return charts.spec(
        alt.layer(*layers).properties(width=PLOT, height=n * ROW), padding=PAD
    )


@dataclass(frozen=True, slots=True)
class Parts:
    """One row of a sum: two parts, and the interval of the second."""

    name: str
    against: str
    first: float
    second: float
    low: float
    high: float


def sums(lines: Sequence[Parts], *, domain: tuple[float, float], name: str) -> Markup:
    """Two bars a row from zero and a tick at their sum; the interval belongs to the
    second.
    """
    rows = [
        {
            **_figures(line),
            "total": line.first + line.second,
            "zero": 0,
            "row": i,
            "upper": i - 0.17,
            "lower": i + 0.17,
        }
        for i, line in enumerate(lines)
    ]
    words = charts.below(domain, width=PLOT, height=len(lines) * TALL)
    for i, line in enumerate(lines):
        words.append(Word(label(line.name), -10, (i + 0.3) * TALL, "end", INK))
        words.append(
            Word(
                label(f"against {line.against}", 28),
                -10,
                (i + 0.7) * TALL,
                "end",
                size=9.5,
            )
        )
        words.append(
            Word(signed(line.first + line.second), PLOT + 9, (i + 0.5) * TALL, ink=INK)
        )
    return charts.svg(_sums(domain, len(rows)), {"rows": rows}, words, name=name)


@cache
def _sums(domain: tuple[float, float], n: int) -> charts.Spec:
    rows, y = charts.table("rows"), charts.down("row", n)
    zero, total = charts.across("zero", domain), charts.across("total", domain)
    upper, lower = charts.down("upper", n), charts.down("lower", n)
    layers = [
        rows.mark_rule(color=SOFT).encode(x=zero),
        rows.mark_rule(strokeWidth=8, color=QUIET).encode(
            x=zero, x2="first:Q", y=upper
        ),
        rows.mark_rule(strokeWidth=8, color=SLOW).encode(
            x=zero, x2="second:Q", y=lower
        ),
        rows.mark_rule(strokeWidth=1.25).encode(
            x=charts.across("low", domain), x2="high:Q", y=lower
        ),
        rows.mark_tick(thickness=2.5, size=22, color=INK, orient="vertical").encode(
            x=total, y=y
        ),
    ]
    return charts.spec(
        alt.layer(*layers).properties(width=PLOT, height=n * TALL), padding=PAD
    )
