"""Charts over an ordered axis: lookaheads, training steps, runs.

Knows series of points with optional intervals; names of the few series that matter
stand at their ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from markupsafe import Markup

from specfair.report.charts import canvas
from specfair.report.charts.canvas import INK, QUIET, SOFT, WIDTH, Scale

LEFT, TOP, HEIGHT, BELOW = 44, 8, 170, 34
ENDS = 130  # room for names at the right
RIGHT, BOTTOM = WIDTH - ENDS, TOP + HEIGHT
LEADING = 12.5  # pixels from one name to the next
APART = 0.03  # of the width, over which intervals at one place are spread
WIDE = 1.5  # steps: a gap between parts of the axis


@dataclass(frozen=True, slots=True)
class Mark:
    """A value at a place, with its interval where there is one; points of one part are
    joined.
    """

    x: float
    y: float
    interval: tuple[float, float] | None = None
    part: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """A line of points; a named one is labelled at its end and shows its intervals."""

    points: Sequence[Mark]
    name: str = ""
    colour: str = QUIET


@dataclass(frozen=True, slots=True)
class Ticks:
    """What stands below the axis: a text at each place, and titles centred below parts
    of it.
    """

    places: Mapping[float, str]
    titles: Mapping[str, float]


def curves(
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
    points = [p for s in series for p in s.points]
    known = [p.y for p in points] + [v for p in points for v in p.interval or ()]
    if reference is not None:
        known.append(reference)
    y = Scale(canvas.span([*known, *shared]), BOTTOM, TOP)
    if ticks is None:
        ticks = Ticks({v: f"{v:,.6g}" for v in sorted({p.x for p in points})}, {})
    x = Scale(canvas.span(ticks.places, margin=0.05), LEFT, RIGHT)
    marks = [canvas.grid_up(y, LEFT, right=RIGHT)]
    if reference is not None:
        ends = (LEFT, y(reference)), (RIGHT, y(reference))
        marks.append(canvas.line(*ends, SOFT, stroke_dasharray="3 3"))
    named = [s for s in series if s.name]
    for one in series:
        aside = 0.0
        if one.name:
            place = named.index(one) / max(len(named) - 1, 1) - 0.5
            aside = (RIGHT - LEFT) * APART * place
        marks.append(_drawn(one, x, y, aside))
    marks += [_below(ticks, x), _ends(named, y)]
    return canvas.svg(marks, (WIDTH, BOTTOM + BELOW), name=name)


def _drawn(series: Series, x: Scale, y: Scale, aside: float) -> Markup:
    """One series, moved aside a little so that its intervals stand free."""
    marks, ink, weight = [], series.colour, 2 if series.name else 1
    for _, joined in groupby(series.points, key=lambda p: p.part):
        points = [(x(p.x) + aside, y(p.y), p.interval) for p in joined]
        path = canvas.track((left, top) for left, top, _ in points)
        round_ends = {"stroke_linejoin": "round"}
        marks.append(
            canvas.mark(
                "path",
                d=path,
                fill="none",
                stroke=ink,
                stroke_width=weight,
                **round_ends,
            )
        )
        if not series.name:
            if len(points) == 1:
                marks.append(canvas.dot(points[0][:2], 1.8, ink))
            continue
        for left, top, interval in points:
            if interval is not None:
                ends = (left, y(interval[0])), (left, y(interval[1]))
                marks.append(canvas.line(*ends, ink, opacity=0.55))
            marks.append(canvas.dot((left, top), 3.1, ink))
    return Markup().join(marks)


def _below(ticks: Ticks, x: Scale) -> Markup:
    """As many of the ticks as fit, and the titles."""
    widest = max((canvas.wide(text, 9.5) for text in ticks.places.values()), default=0)
    every = int(len(ticks.places) * (widest + 4) // (RIGHT - LEFT)) + 1
    marks = []
    for part in _parts(list(ticks.places)):
        for place in part[::every]:
            at = (x(place), BOTTOM + 12)
            text = ticks.places[place]
            marks.append(canvas.letter(text, at, size=9.5, text_anchor="middle"))
    for text, place in ticks.titles.items():
        title, at = canvas.fitted(text, 130, 10), (x(place), BOTTOM + 27)
        marks.append(canvas.letter(title, at, size=10, text_anchor="middle"))
    return Markup().join(marks)


def _parts(xs: Sequence[float]) -> list[list[float]]:
    """The places, split where a gap is wider than the usual step."""
    step = min((b - a for a, b in pairwise(xs)), default=0.0)
    parts: list[list[float]] = [list(xs[:1])]
    for a, b in pairwise(xs):
        if b - a > WIDE * step:
            parts.append([])
        parts[-1].append(b)
    return parts


def _ends(named: Sequence[Series], y: Scale) -> Markup:
    """Names at the ends of their lines, moved apart where they would overlap."""
    places = spaced([y(s.points[-1].y) for s in named], LEADING, (TOP, BOTTOM))
    marks = []
    for series, place in zip(named, places, strict=True):
        ink = series.colour
        look = "strong" if ink == INK else ""
        text, at = canvas.fitted(series.name, ENDS - 6, 10), (RIGHT + 6, place)
        marks.append(canvas.letter(text, at, size=10, look=look, fill=ink))
    return Markup().join(marks)


def spaced(
    wanted: Sequence[float], gap: float, within: tuple[float, float]
) -> list[float]:
    """Positions near the wanted ones, at least `gap` apart and within the limits, in
    the same order: labels that do not overlap.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = list(wanted)
    for _ in range(40):
        for lower, upper in pairwise(order):
            short = gap - (placed[upper] - placed[lower])
            if short > 0:
                placed[lower] -= short / 2
                placed[upper] += short / 2
    least, most = within
    for i in order:
        placed[i] = max(placed[i], least)
        least = placed[i] + gap
    for i in reversed(order):
        placed[i] = min(placed[i], most)
        most = placed[i] - gap
    return placed
