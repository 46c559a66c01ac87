"""Gain against mentions: a dot a group on a log axis, the fitted slope, and names where
there is room for them.

Knows nothing of how the slope was fitted; it draws it through the centre of the dots.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import altair as alt
from markupsafe import Markup

from specfair.report import charts
from specfair.report.charts import QUIET, SOFT, WIDTH, Word
from specfair.report.text import label

LEFT, HEIGHT = 46, 220
PLOT = WIDTH - LEFT - 12
LETTER, LEADING = 5.7, 12.0  # pixels of a small label
START = -0.15  # left end of the axis: zero mentions stand at 0

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Spot:
    """A group in the plane of mentions and gain."""

    name: str
    n: int
    gain: float
    low: float
    high: float
    colour: str = QUIET

    @property
    def x(self) -> float:
        return math.log10(1 + self.n)


def scatter(
    spots: Sequence[Spot],
    *,
    fit: tuple[float, float, float] | None,
    domain: tuple[float, float],
    right: float,
    name: str,
) -> Markup:
    """The dots, the slope with both ends of its interval, as many names as fit; `right`
    is log10 of the last tick.
    """
    rows = [
        {"x": s.x, "y": s.gain, "low": s.low, "high": s.high, "colour": s.colour}
        for s in spots
    ]
    tables: dict[str, charts.Rows] = {
        "rows": rows,
        "fan": _fan(spots, fit, right) if fit and spots else [],
    }
    words = [
        *charts.beside(domain, height=HEIGHT, sign="+"),
        *_names(spots, domain, right),
    ]
    words += [
        Word(
            f"{10**k if k else 0:,}",
            PLOT * (k - START) / (right - START),
            HEIGHT + 12,
            "middle",
        )
        for k in range(int(right) + 1)
    ]
    words.append(
        Word("mentions in the corpus, whole words", PLOT / 2, HEIGHT + 28, "middle")
    )
    return charts.svg(_scatter(domain, right), tables, words, name=name)


@cache
def _scatter(domain: tuple[float, float], right: float) -> charts.Spec:
    x, y, low = (
        charts.across("x", (START, right), grid=False),
        charts.up("y", domain),
        charts.up("low", domain),
    )
    rows, fan = charts.table("rows"), charts.table("fan")
    layers = [
        rows.transform_calculate(zero="0")
        .mark_rule(color=SOFT, strokeWidth=0.6)
        .encode(y=charts.up("zero", domain)),
        fan.mark_area(color=SOFT, opacity=0.14, clip=True).encode(
            x=x, y=low, y2="high:Q"
        ),
        fan.mark_line(color=SOFT, strokeWidth=1.5, clip=True).encode(x=x, y=y),
        rows.mark_rule(opacity=0.6).encode(
            x=x, y=low, y2="high:Q", color=charts.painted()
        ),
        rows.mark_point(size=44).encode(x=x, y=y, color=charts.painted()),
    ]
    chart = alt.layer(*layers).properties(width=PLOT, height=HEIGHT)
    return charts.spec(chart, padding=(LEFT, 8, 12, 40))


def _fan(
    spots: Sequence[Spot], fit: tuple[float, float, float], right: float
) -> list[dict[str, float]]:
    """The line through the centre of the points with the fitted slope, and the lines
    with the interval's ends.
    """
    x0, y0 = (
        sum(s.x for s in spots) / len(spots),
        sum(s.gain for s in spots) / len(spots),
    )
    slope, low, high = fit
    return [
        {
            "x": x,
            "y": y0 + slope * (x - x0),
            "low": y0 + low * (x - x0),
            "high": y0 + high * (x - x0),
        }
        for x in (START, x0, right)
    ]


def _names(
    spots: Sequence[Spot], domain: tuple[float, float], right: float
) -> Iterator[Word]:
    """Names beside their dots where there is room; one that would touch another is left
    to the table.
    """
    dots = [
        (
            (s.x - START) / (right - START) * PLOT,
            (domain[1] - s.gain) / (domain[1] - domain[0]) * HEIGHT,
        )
        for s in spots
    ]
    taken: list[Box] = [(x - 4, y - 4, x + 4, y + 4) for x, y in dots]
    for i in sorted(range(len(spots)), key=lambda i: spots[i].colour == QUIET):
        text = label(spots[i].name)
        box = next(
            (box for box in _places(*dots[i], len(text) * LETTER) if _free(box, taken)),
            None,
        )
        if box is not None:
            taken.append(box)
            ink = spots[i].colour if spots[i].colour != QUIET else SOFT
            yield Word(text, box[0], box[1] + LEADING / 2, ink=ink, size=10, halo=True)


def _places(x: float, y: float, long: float) -> Iterator[Box]:
    """Right of the dot, left of it, above, below."""
    half = LEADING / 2
    for left, top in (
        (x + 7, y - half),
        (x - 7 - long, y - half),
        (x - long / 2, y - 19),
        (x - long / 2, y + 7),
    ):
        if (
            left >= 0
            and left + long <= PLOT + 10
            and top >= 0
            and top + LEADING <= HEIGHT
        ):
            yield left, top, left + long, top + LEADING


def _free(box: Box, taken: Sequence[Box]) -> bool:
    return not any(
        box[0] < t[2] and t[0] < box[2] and box[1] < t[3] and t[1] < box[3]
        for t in taken
    )
