"""Charts over an ordered axis: lookaheads, training steps, runs.

Knows series of points with optional intervals; names of the few series that matter
stand at their ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import altair as alt
from markupsafe import Markup

from specfair.report import charts
from specfair.report.charts import INK, QUIET, SOFT, WIDTH, Word
from specfair.report.text import label

ENDS = 126  # room for names at the right
LEFT, HEIGHT, BELOW = 44, 170, 34
PLOT = WIDTH - LEFT - ENDS
LEADING = 12.5  # pixels from one name to the next
APART = 0.03  # of the width, over which intervals at one place are spread
LONGEST = 23  # letters of a name
DIGIT = 5.2  # pixels
WIDE = 1.5  # steps: a gap between parts of the axis


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a place, with its interval where there is one; points of one part are
    joined.
    """

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    part: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """A line of points; a named one is labelled at its end and shows its intervals."""

    points: Sequence[Point]
    name: str = ""
    colour: str = QUIET


@dataclass(frozen=True, slots=True)
class Ticks:
    """What stands below the axis: a text at each place, and titles centred below parts
    of it.
    """

    places: Mapping[float, str]
    titles: Mapping[str, float]


def lines(
    series: Sequence[Series],
    *,
    name: str,
    ticks: Ticks | None = None,
    reference: float | None = None,
    shared: Sequence[float] = (),
) -> Markup:
    """Unnamed series thin and grey, named ones on top with intervals and names. The
    scale holds `shared` too.
    """
    series = [s for s in sorted(series, key=lambda s: bool(s.name)) if s.points]
    known = [
        v
        for s in series
        for p in s.points
        for v in (p.y, p.low, p.high)
        if v is not None
    ]
    domain = charts.span([*known, *shared, *([] if reference is None else [reference])])
    ticks = ticks or Ticks(
        {x: f"{x:,.6g}" for x in sorted({p.x for s in series for p in s.points})}, {}
    )
    xs = charts.span(ticks.places, margin=0.05)
    at: charts.Rows = [] if reference is None else [{"y": reference}]
    tables = {"points": _points(series, xs), "reference": at}
    words = (
        charts.beside(domain, height=HEIGHT)
        + _ends([s for s in series if s.name], domain)
        + _below(ticks, xs)
    )
    return charts.svg(_lines(xs, domain), tables, words, name=name)


def _points(series: Sequence[Series], xs: tuple[float, float]) -> charts.Rows:
    named = [i for i, s in enumerate(series) if s.name]
    aside = {
        i: (xs[1] - xs[0]) * APART * (k / max(len(named) - 1, 1) - 0.5)
        for k, i in enumerate(named)
    }
    return [
        {
            "x": p.x + aside.get(i, 0.0),
            "y": p.y,
            "low": p.low,
            "high": p.high,
            "colour": s.colour,
            "line": f"{i} {p.part}",
            "named": bool(s.name),
            "weight": 2.0 if s.name else 1.0,
            "alone": sum(other.part == p.part for other in s.points) == 1,
        }
        for i, s in enumerate(series)
        for p in s.points
    ]


def _below(ticks: Ticks, xs: tuple[float, float]) -> list[Word]:
    """As many of the ticks as fit, and the titles."""

    def at(x: float) -> float:
        return PLOT * (x - xs[0]) / (xs[1] - xs[0])

    longest = max(map(len, ticks.places.values()), default=1)
    every = max(-(-int(len(ticks.places) * (longest * DIGIT + 4)) // PLOT), 1)
    parts = _parts(list(ticks.places))
    shown = [(x, ticks.places[x]) for part in parts for x in part[::every]]
    words = [Word(text, at(x), HEIGHT + 12, "middle", size=9.5) for x, text in shown]
    return words + [
        Word(label(text), at(x), HEIGHT + 27, "middle", size=10)
        for text, x in ticks.titles.items()
    ]


def _parts(xs: Sequence[float]) -> list[list[float]]:
    """The places, split where a gap is wider than the usual step."""
    step = min((b - a for a, b in pairwise(xs)), default=0.0)
    parts: list[list[float]] = [list(xs[:1])]
    for a, b in pairwise(xs):
        if b - a > WIDE * step:
            parts.append([])
        parts[-1].append(b)
    return parts


@cache
def _lines(xs: tuple[float, float], domain: tuple[float, float]) -> charts.Spec:
    x, y, low = (
        charts.across("x", xs, grid=False),
        charts.up("y", domain),
        charts.up("low", domain),
    )
    points, reference = charts.table("points"), charts.table("reference")
    named = points.transform_filter("datum.named")
    measured = points.transform_filter("datum.named && isValid(datum.low)")
    width = alt.StrokeWidth("weight:Q", scale=None, legend=None)
    layers = [
        reference.mark_rule(strokeDash=[3, 3], color=SOFT).encode(y=y),
        points.mark_line().encode(
            x=x, y=y, detail="line:N", color=charts.painted(), strokeWidth=width
        ),
        measured.mark_rule(opacity=0.55).encode(
            x=x, y=low, y2="high:Q", color=charts.painted()
        ),
        points.transform_filter("datum.alone")
        .mark_point(size=10)
        .encode(x=x, y=y, color=charts.painted()),
        named.mark_point(size=30).encode(x=x, y=y, color=charts.painted()),
    ]
    chart = alt.layer(*layers).properties(width=PLOT, height=HEIGHT)
    return charts.spec(chart, padding=(LEFT, 8, ENDS, BELOW))


def _ends(named: Sequence[Series], domain: tuple[float, float]) -> list[Word]:
    """Names at the ends of their lines, moved apart where they would overlap."""
    wanted = [
        HEIGHT * (domain[1] - s.points[-1].y) / (domain[1] - domain[0]) for s in named
    ]
    places = charts.spread(wanted, LEADING)
    return [
        Word(
            label(s.name, LONGEST),
            PLOT + 6,
            y,
            ink=s.colour,
            strong=s.colour == INK,
            size=10,
        )
        for s, y in zip(named, places, strict=True)
    ]
