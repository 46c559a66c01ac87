"""Two figures of the same things against each other, each with both intervals.

Knows nothing of what the figures are; a line marks where each of them is even.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from specfair.report.charts import canvas
from specfair.report.charts.canvas import QUIET, SOFT, WIDTH, Scale
from specfair.report.charts.scatter import LEADING, names

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
    things: Sequence[Thing],
    *,
    even: float,
    axes: tuple[str, str],
    name: str,
    alike: bool = True,
) -> Markup:
    """The points with their names. Of figures that are alike there is one domain for
    both axes, so that the diagonal is where both are equal.
    """
    across = [even, *(v for t in things for v in t.across)]
    up = [even, *(v for t in things for v in t.up)]
    wide, tall = (
        canvas.span([*across, *up] if alike else each) for each in (across, up)
    )
    x, y = Scale(wide, LEFT, RIGHT), Scale(tall, BOTTOM, TOP)
    marks = [canvas.grid_up(y, LEFT, right=RIGHT)]
    marks.append(canvas.grid_across(x, TOP, bottom=BOTTOM))
    if alike:
        marks.append(canvas.line((x(wide[0]), y(wide[0])), (RIGHT, TOP), SOFT))
    marks.append(canvas.line((x(even), TOP), (x(even), BOTTOM), SOFT))
    marks.append(canvas.line((LEFT, y(even)), (RIGHT, y(even)), SOFT))
    for thing in things:
        (at_x, left, right), (at_y, low, high) = thing.across, thing.up
        for a, b in (
            ((x(left), y(at_y)), (x(right), y(at_y))),
            ((x(at_x), y(low)), (x(at_x), y(high))),
        ):
            marks.append(canvas.line(a, b, thing.colour, opacity=0.6))
        marks.append(canvas.dot((x(at_x), y(at_y)), 3.75, thing.colour))
    dots = [(x(t.across[0]), y(t.up[0])) for t in things]
    marks += names([(t.name, t.colour) for t in things], dots, bottom=BOTTOM - LEADING)
    middle = (LEFT + RIGHT) / 2
    marks.append(canvas.letter(axes[0], (middle, BOTTOM + 28), text_anchor="middle"))
    marks.append(canvas.letter(axes[1], (LEFT + 4, BOTTOM - 7), size=10, look="halo"))
    return canvas.svg(marks, (WIDTH, BOTTOM + 40), name=name)
