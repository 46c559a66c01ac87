"""Two figures of the same things against each other, each with both intervals.

Knows nothing of what the figures are; a line marks where each of them is even.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from specfair.report.charts import canvas
from specfair.report.charts.canvas import QUIET, SOFT, WIDTH, Scale

LEFT, TOP, HEIGHT = 46, 8, 240
RIGHT, BOTTOM = WIDTH - 12, TOP + HEIGHT
Figure = tuple[float, float, float]  # a value and both ends of its interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A point of the plane."""

    name: str
    across: Figure
    up: Figure
    colour: str = QUIET


def plane(
    things: Sequence[Thing], *, even: float, axes: tuple[str, str], name: str
) -> Markup:
    """The points with their names; one domain for both axes, so that the diagonal is
    where both figures are equal.
    """
    domain = canvas.span([even, *(v for t in things for v in (*t.across, *t.up))])
    x, y = Scale(domain, LEFT, RIGHT), Scale(domain, BOTTOM, TOP)
    marks = [canvas.grid_up(y, LEFT, right=RIGHT)]
    marks.append(canvas.grid_across(x, TOP, bottom=BOTTOM))
    marks.append(canvas.line((x(domain[0]), y(domain[0])), (RIGHT, TOP), SOFT))
    marks.append(canvas.line((x(even), TOP), (x(even), BOTTOM), SOFT))
    marks.append(canvas.line((LEFT, y(even)), (RIGHT, y(even)), SOFT))
    for thing in things:
        (at_x, *wide), (at_y, *tall) = thing.across, thing.up
        for a, b in (
            ((x(wide[0]), y(at_y)), (x(wide[1]), y(at_y))),
            ((x(at_x), y(tall[0])), (x(at_x), y(tall[1]))),
        ):
            marks.append(canvas.line(a, b, thing.colour, opacity=0.6))
        marks.append(canvas.dot((x(at_x), y(at_y)), 3.75, thing.colour))
        text = canvas.fitted(thing.name, 140, 10)
        left = x(at_x) > (LEFT + RIGHT) / 2
        at = (x(at_x) - canvas.wide(text, 10) - 7 if left else x(at_x) + 7, y(at_y) + 9)
        marks.append(canvas.letter(text, at, size=10, look="halo"))
    middle = (LEFT + RIGHT) / 2
    marks.append(canvas.letter(axes[0], (middle, BOTTOM + 28), text_anchor="middle"))
    marks.append(canvas.letter(axes[1], (LEFT + 4, TOP + 7), size=10, look="halo"))
    return canvas.svg(marks, (WIDTH, BOTTOM + 40), name=name)
