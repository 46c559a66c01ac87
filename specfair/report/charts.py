"""One theme for all charts, and the way from an Altair chart to an inline SVG that
follows the page's colours.

Colours are the page's CSS variables, so light, dark and print need one drawing. Altair
places the marks; words are set here, at positions that do not depend on which fonts are
installed (and ten times faster than by measuring them). Knows nothing of reports.
"""

import math
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup, escape

WIDTH = 352  # of every panel at its natural size, in CSS pixels: what a phone shows
LABELS = 152  # room for names at the left
NOTES = 50  # room for figures at the right
ROW = 21
TEXT = 11  # size of words
INK, SOFT, LINE, CARD = "var(--ink)", "var(--soft)", "var(--line)", "var(--card)"
QUIET, SLOW, FAST = "var(--quiet)", "var(--slow)", "var(--fast)"

THEME: Mapping[str, Any] = {
    "aria": False,
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "ticks": False,
        "labels": False,
        "title": None,
        "grid": True,
        "gridColor": LINE,
    },
    "rule": {"color": INK},
    "point": {"filled": True, "opacity": 1},
    "line": {"strokeJoin": "round"},
}
_CHATTER = re.compile(
    r" "
    r'(?:aria-hidden|aria-roledescription|role|pointer-events|class|stroke-miterlimit)="[^"]*"|'
    r' opacity="1"|<path class="(?:background|foreground)"[^>]*/>'
)
_NUMBERS = re.compile(r"(\d+\.\d)\d+")
_IDS = re.compile(r'\bid="([^"]+)"')

Spec = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Word:
    """Text in a chart, in pixels from the plot's upper left corner; y is the middle of
    the letters.
    """

    text: str
    x: float
    y: float
    anchor: str = "start"
    ink: str = SOFT
    strong: bool = False
    size: float = TEXT
    halo: bool = False  # kept legible over marks


def table(name: str) -> alt.Chart:
    """A chart on rows that come later: a spec is built once and drawn with many
    tables.
    """
    return alt.Chart(alt.NamedData(name=name))


def spec(chart: alt.LayerChart | alt.FacetChart, *, padding: Sequence[int]) -> Spec:
    """The chart as data; padding is left, top, right, bottom."""
    room = dict(zip(("left", "top", "right", "bottom"), padding, strict=True))
    return {
        **chart.to_dict(validate=False),
        "config": THEME,
        "padding": room,
        "autosize": "none",
    }


def svg(
    drawing: Spec, tables: Mapping[str, Rows], words: Iterable[Word], *, name: str
) -> Markup:
    """The drawing with these tables and words as an <svg> element; `name` is its text
    alternative.
    """
    datasets = {
        key: [{k: _finite(v) for k, v in row.items()} for row in rows]
        for key, rows in tables.items()
    }
    marks = vl_convert.vegalite_to_svg({**drawing, "datasets": datasets})
    box = re.search(r'viewBox="[^"]*"', marks)
    body = _NUMBERS.sub(
        r"\1", _CHATTER.sub("", marks[marks.index(">") + 1 : marks.rindex("</svg>")])
    )
    body = _own_ids(body, name)
    opening = (
        f'<svg {box.group() if box else ""} role="img" aria-label="{escape(name)}" '
        f'font-size="{TEXT}">'
    )
    room = drawing["padding"]
    lettering = "".join(_text(word) for word in words)
    return Markup(  # noqa: S704  # marks hold numbers and our colours only, words are escaped
        f"{opening}{body}<g "
        f'transform="translate({room["left"]},{room["top"]})">{lettering}</g></svg>'
    )


def _own_ids(body: str, name: str) -> str:
    """Ids that no other chart on the page has, the same for the same drawing."""
    ids = list(dict.fromkeys(_IDS.findall(body)))
    bare = re.sub("|".join(map(re.escape, ids)), "", body) if ids else body
    prefix = f"c{zlib.crc32((name + bare).encode('utf-8', 'replace')):08x}"
    for i, own in enumerate(ids):
        body = re.sub(
            rf'(\bid="|url\(#){re.escape(own)}(?=["\)])', rf"\g<1>{prefix}-{i}", body
        )
    return body


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(word: Word) -> str:
    anchor = f' text-anchor="{word.anchor}"' if word.anchor != "start" else ""
    weight = ' font-weight="600"' if word.strong else ""
    size = f' font-size="{word.size:g}"' if word.size != TEXT else ""
    halo = ' class="halo"' if word.halo else ""
    place = f'x="{word.x:.1f}" y="{word.y + 0.36 * word.size:.1f}"'
    return (
        f"<text {place}{anchor}{weight}{size}{halo} "
        f'fill="{word.ink}">{escape(word.text)}</text>'
    )


def colour(group: str, extremes: tuple[str, str]) -> str:
    """The slowest and the fastest group have a colour of their own, everyone else is
    grey.
    """
    slowest, fastest = extremes
    return (
        SLOW
        if group and group == slowest
        else FAST
        if group and group == fastest
        else QUIET
    )


def ticks(domain: Sequence[float], wanted: int = 4) -> list[float]:
    """Round values inside the domain, about as many as wanted."""
    wide = domain[1] - domain[0]
    power = 10.0 ** math.floor(math.log10(wide / wanted))
    step = next(m * power for m in (1, 2, 5, 10) if wide / (m * power) <= wanted + 1)
    first, last = (
        math.ceil(domain[0] / step - 1e-9),
        math.floor(domain[1] / step + 1e-9),
    )
    return [round(i * step, 10) for i in range(first, last + 1)]


def figures(values: Sequence[float], sign: str = "") -> list[str]:
    """The values with as many decimals as their step needs."""
    step = min((b - a for a, b in pairwise(values)), default=1.0)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{value:{sign},.{digits}f}".replace("-", "\u2212") for value in values]


def across(field: str, domain: Sequence[float], *, grid: bool = True) -> alt.X:
    """An x position on a fixed domain, with a light grid and no frame."""
    axis = alt.Axis(values=ticks(domain)) if grid else None
    return alt.X(
        f"{field}:Q",
        scale=alt.Scale(domain=list(domain), nice=False, zero=False),
        axis=axis,
    )


def up(field: str, domain: Sequence[float], *, grid: bool = True) -> alt.Y:
    """A y position, likewise."""
    axis = alt.Axis(values=ticks(domain)) if grid else None
    return alt.Y(
        f"{field}:Q",
        scale=alt.Scale(domain=list(domain), nice=False, zero=False),
        axis=axis,
    )


def down(field: str, n: float) -> alt.Y:
    """Row numbers from the top, without an axis."""
    return up(field, (n - 0.5, -0.5), grid=False)


def below(domain: Sequence[float], *, width: float, height: float) -> list[Word]:
    """The figures of the x axis."""
    values = ticks(domain)
    at = (width * (value - domain[0]) / (domain[1] - domain[0]) for value in values)
    return [
        Word(text, x, height + 12, "middle")
        for text, x in zip(figures(values), at, strict=True)
    ]


def beside(domain: Sequence[float], *, height: float, sign: str = "") -> list[Word]:
    """The figures of the y axis."""
    values = ticks(domain)
    at = (height * (domain[1] - value) / (domain[1] - domain[0]) for value in values)
    return [
        Word(text, -7, y, "end")
        for text, y in zip(figures(values, sign), at, strict=True)
    ]


def painted(field: str = "colour") -> alt.Color:
    """Colours as the rows give them."""
    return alt.Color(f"{field}:N", scale=None, legend=None)


def span(
    values: Iterable[float], *, margin: float = 0.06, at_least: float = 0.02
) -> tuple[float, float]:
    """A domain around the values, never so narrow that rounding looks like a
    difference.
    """
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    room = max((high - low) * margin, (at_least - (high - low)) / 2)
    return low - room, high + room


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Positions near the wanted ones and at least `gap` apart, in the same order:
    labels that do not overlap.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = {i: wanted[i] for i in order}
    for _ in range(40):
        for lower, upper in pairwise(order):
            short = gap - (placed[upper] - placed[lower])
            if short > 0:
                placed[lower] -= short / 2
                placed[upper] += short / 2
    return [placed[i] for i in range(len(wanted))]
