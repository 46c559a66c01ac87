"""What every chart is drawn with: scales with round ticks, marks, and words whose
widths are known without any font.

Colours are the page's CSS variables, so light, dark and print need one drawing. A mark
with a number that is none is left out. Knows nothing of reports.
"""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

from specfair.report.text import clean

WIDTH = 352  # of every chart at its natural size, in CSS pixels: what a phone shows
LABELS = 152  # room for names at the left
TEXT = 11  # size of words
INK, SOFT, LINE, CARD = "var(--ink)", "var(--soft)", "var(--line)", "var(--card)"
QUIET, SLOW, FAST = "var(--quiet)", "var(--slow)", "var(--fast)"
# of a letter's size, in the usual sans-serif fonts; all other letters are 0.56 wide
WIDTHS = dict.fromkeys("fijlt.,:;!|/\\'()[]I ·", 0.28) | dict.fromkeys('r-`"', 0.34)
WIDTHS |= dict.fromkeys("mwMWOQGD%@…", 0.86) | dict.fromkeys("ABCEHKNPRSUVXY+<>=", 0.7)

NAMES = {"look": "class"}
Point = tuple[float, float]
Domain = tuple[float, float]
Style = float | str


@dataclass(frozen=True, slots=True)
class Scale:
    """Values of a domain as pixels from start to end."""

    domain: Domain
    start: float
    end: float

    def __call__(self, value: float) -> float:
        low, high = self.domain
        return self.start + (self.end - self.start) * (value - low) / (high - low)


def svg(marks: Iterable[Markup], size: Point, *, name: str, look: str = "") -> Markup:
    """The marks as one <svg> element; `name` is its text alternative."""
    box: dict[str, Style] = {"viewBox": f"0 0 {size[0]:g} {size[1]:g}", "role": "img"}
    opening = mark("svg", **box, aria_label=name, font_size=TEXT, look=look)
    return around(opening, Markup().join(marks))


def around(opening: Markup, inner: str) -> Markup:
    """The element that `mark` closed, around something."""
    tag = opening[1:].split(" ", 1)[0]
    return Markup("{}>{}</{}>").format(opening.removesuffix("/>"), inner, tag)


def mark(tag: str, **attributes: Style) -> Markup:
    """One element; underscores in names stand for hyphens, `look` for its class."""
    said = [f"<{tag}"]
    for name, value in attributes.items():
        if isinstance(value, str):
            shown: str = escape(value)
        elif math.isfinite(value):
            shown = f"{round(value, 2):g}"
        else:
            return Markup()
        if shown:
            said.append(f'{NAMES.get(name) or name.replace("_", "-")}="{shown}"')
    return Markup(" ".join(said) + "/>")  # noqa: S704  # names are ours, values escaped


def line(a: Point, b: Point, ink: str, **style: Style) -> Markup:
    """A straight line."""
    return mark("line", x1=a[0], y1=a[1], x2=b[0], y2=b[1], stroke=ink, **style)


def dot(at: Point, radius: float, ink: str, **style: Style) -> Markup:
    """A filled circle."""
    return mark("circle", cx=at[0], cy=at[1], r=radius, fill=ink, **style)


def rect(a: Point, b: Point, ink: str, **style: Style) -> Markup:
    """A filled rectangle between two corners, the upper left one first."""
    x, y = a
    return mark("rect", x=x, y=y, width=b[0] - x, height=b[1] - y, fill=ink, **style)


def track(points: Iterable[Point]) -> str:
    """A path through the points that are numbers."""
    known = [f"{x:.1f},{y:.1f}" for x, y in points if math.isfinite(x + y)]
    return "M" + "L".join(known) if known else ""


def letter(text: str, at: Point, *, size: float = TEXT, **style: Style) -> Markup:
    """Text beside a point, on the middle of its letters."""
    style.setdefault("fill", SOFT)
    if size != TEXT:
        style["font_size"] = size
    opening = mark("text", x=at[0], y=at[1] + 0.36 * size, **style)
    return opening and around(opening, text)


def wide(text: str, size: float = TEXT) -> float:
    """About how many pixels the text takes; rather more than less."""
    full = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return size * (sum(WIDTHS.get(c, 0.56) for c in text) + 0.45 * full)


def fitted(text: object, room: float, size: float = TEXT) -> str:
    """A name from outside, shortened to the room it has."""
    name = clean(text, 400)
    if wide(name, size) <= room:
        return name
    while name and wide(f"{name}\u2026", size) > room:
        name = name[:-1]
    return f"{name}\u2026"


def ticks(domain: Domain, wanted: int = 4) -> list[float]:
    """Round values inside the domain, about as many as wanted."""
    low, high = domain
    power = 10.0 ** math.floor(math.log10((high - low) / wanted))
    step = next(
        m * power for m in (1, 2, 5, 10) if (high - low) / (m * power) <= wanted + 1
    )
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def alike(values: Sequence[float], sign: str = "") -> list[str]:
    """The values with as many decimals as their step needs."""
    step = min((b - a for a, b in pairwise(values)), default=1.0)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{value:{sign},.{digits}f}".replace("-", "\u2212") for value in values]


def grid_across(x: Scale, top: float, *, bottom: float) -> Markup:
    """A light grid over an x scale, and its figures below."""
    values = ticks(x.domain)
    marks = []
    for value, figure in zip(values, alike(values), strict=True):
        at = x(value)
        marks.append(line((at, top), (at, bottom), LINE))
        marks.append(letter(figure, (at, bottom + 12), text_anchor="middle"))
    return Markup().join(marks)


def grid_up(y: Scale, left: float, *, right: float, sign: str = "") -> Markup:
    """A light grid over a y scale, and its figures at the left."""
    values = ticks(y.domain)
    marks = []
    for value, figure in zip(values, alike(values, sign), strict=True):
        at = y(value)
        marks.append(line((left, at), (right, at), LINE))
        marks.append(letter(figure, (left - 7, at), text_anchor="end"))
    return Markup().join(marks)


def span(
    values: Iterable[float], *, margin: float = 0.06, at_least: float = 0.02
) -> Domain:
    """A domain around the values, never so narrow that rounding looks like a
    difference.
    """
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    room = max((high - low) * margin, (at_least - (high - low)) / 2)
    return low - room, high + room
