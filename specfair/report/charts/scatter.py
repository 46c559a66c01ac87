"""Gain against mentions: a dot a group on a log axis, the fitted slope, and names where
there is room for them.

Knows nothing of how the slope was fitted; it draws it through the centre of the dots.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from specfair.report.charts import canvas
from specfair.report.charts.canvas import QUIET, SOFT, WIDTH, Domain, Scale

LEFT, TOP, HEIGHT = 46, 8, 220
RIGHT, BOTTOM = WIDTH - 12, TOP + HEIGHT
LEADING = 12.0  # pixels of a small label's line
LABEL = 140  # pixels of a name
START = -0.15  # left end of the axis: zero mentions stand at 0

Box = tuple[float, float, float, float]
Fit = tuple[float, float, float]  # a slope and both ends of its interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A group in the plane of mentions and gain."""

    group: str
    n: int
    gain: float
    low: float
    high: float
    colour: str = QUIET

    @property
    def x(self) -> float:
        return math.log10(1 + self.n)


def scatter(
    spots: Sequence[Spot], *, fit: Fit | None, domain: Domain, right: float, name: str
) -> Markup:
    """The dots, the slope with both ends of its interval, as many names as fit; `right`
    is log10 of the last tick.
    """
    x, y = Scale((START, right), LEFT, RIGHT), Scale(domain, BOTTOM, TOP)
    marks = [canvas.grid_up(y, LEFT, right=RIGHT, sign="+")]
    if domain[0] <= 0 <= domain[1]:
        marks.append(canvas.line((LEFT, y(0)), (RIGHT, y(0)), SOFT))
    if fit and spots:
        marks.append(_fan(spots, fit, x, y))
    for s in spots:
        ends = (x(s.x), y(s.low)), (x(s.x), y(s.high))
        marks.append(canvas.line(*ends, s.colour, opacity=0.6))
    marks += [canvas.dot((x(s.x), y(s.gain)), 3.75, s.colour) for s in spots]
    named = [(s.group, s.colour) for s in spots]
    marks += names(named, [(x(s.x), y(s.gain)) for s in spots], bottom=BOTTOM)
    for power in range(int(right) + 1):
        figure = f"{10**power:,}" if power else "0"
        marks.append(
            canvas.letter(figure, (x(power), BOTTOM + 12), text_anchor="middle")
        )
    title = "mentions in the corpus, whole words"
    marks.append(
        canvas.letter(title, ((LEFT + RIGHT) / 2, BOTTOM + 28), text_anchor="middle")
    )
    return canvas.svg(marks, (WIDTH, BOTTOM + 40), name=name)


def _fan(spots: Sequence[Spot], fit: Fit, x: Scale, y: Scale) -> Markup:
    """The line through the centre of the points with the fitted slope, between the
    lines with the interval's ends; an <svg> of its own cuts it at the frame.
    """
    x0 = sum(s.x for s in spots) / len(spots)
    y0 = sum(s.gain for s in spots) / len(spots)
    places = (*x.domain, x0)

    def sloping(slope: float) -> list[canvas.Point]:
        return [(x(at), y(y0 + slope * (at - x0))) for at in sorted(places)]

    slope, low, high = fit
    outline = canvas.track([*sloping(low), *reversed(sloping(high))])
    fan = canvas.mark("path", d=outline, fill=SOFT, opacity=0.14)
    ends = sloping(slope)
    middle = canvas.line(ends[0], ends[-1], SOFT, stroke_width=1.5)
    width = RIGHT - LEFT
    box: dict[str, canvas.Style] = {"viewBox": f"{LEFT} {TOP} {width} {HEIGHT}"}
    frame = canvas.mark("svg", x=LEFT, y=TOP, width=width, height=HEIGHT, **box)
    return canvas.around(frame, fan + middle)


def names(
    named: Sequence[tuple[str, str]], dots: Sequence[canvas.Point], *, bottom: float
) -> Iterator[Markup]:
    """Names in their colours beside their dots where there is room; one that would
    touch another is left to the table.
    """
    taken: list[Box] = [(x - 4, y - 4, x + 4, y + 4) for x, y in dots]
    for i in sorted(range(len(named)), key=lambda i: named[i][1] == QUIET):
        name, colour = named[i]
        text = canvas.fitted(name, LABEL, 10)
        for box in _places(*dots[i], canvas.wide(text, 10)):
            if box[3] <= bottom and _free(box, taken):
                taken.append(box)
                ink = SOFT if colour == QUIET else colour
                at = (box[0], box[1] + LEADING / 2)
                yield canvas.letter(text, at, size=10, fill=ink, look="halo")
                break


def _places(x: float, y: float, long: float) -> Iterator[Box]:
    """Right of the dot, left of it, above, below."""
    half = LEADING / 2
    for left, top in (
        (x + 7, y - half),
        (x - 7 - long, y - half),
        (x - long / 2, y - 19),
        (x - long / 2, y + 7),
    ):
        right, bottom = left + long, top + LEADING
        inside = left >= LEFT and right <= RIGHT + 10
        if inside and top >= TOP:
            yield left, top, right, bottom


def _free(box: Box, taken: Sequence[Box]) -> bool:
    return not any(
        box[0] < t[2] and t[0] < box[2] and box[1] < t[3] and t[1] < box[3]
        for t in taken
    )
