"""Charts: every mark is drawn, nothing is clipped, ids never collide, words are
escaped.
"""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree as Tree

import pytest
from markupsafe import Markup

from specfair.report import (
    charts,
    charts_lines,
    charts_matrix,
    charts_rows,
    charts_scatter,
    charts_tokens,
)
from specfair.report.charts_lines import Point, Series, Ticks
from specfair.report.charts_matrix import Cell
from specfair.report.charts_rows import Line, Parts
from specfair.report.charts_scatter import Spot
from specfair.report.charts_tokens import Band
from specfair.report.lookup import Shape


def parsed(drawing: Markup) -> Tree.Element:
    return Tree.fromstring(drawing)  # our own drawing


def texts(drawing: Markup) -> list[str]:
    return [element.text or "" for element in parsed(drawing).iter("text")]


def test_intervals_draw_rows_words_and_a_reference() -> None:
    lines = [
        Line("all groups", 0.6, 0.55, 0.65, "0.600", charts.INK, strong=True),
        Line(
            "<b>",
            0.5,
            0.4,
            0.7,
            "+0.1",
            before=0.45,
            before_low=0.4,
            before_high=0.5,
            sure=True,
        ),
        Line("c", 0.5, math.nan, 0.7),
    ]
    drawing = charts_rows.intervals(
        lines, domain=(0.3, 0.8), name='"quoted" & named', reference=0.6
    )
    root = parsed(drawing)
    assert root.get("role") == "img"
    assert root.get("aria-label") == '"quoted" & named'
    assert {"all groups", "<b>", "+0.1", "0.600"} <= set(texts(drawing))
    assert len(root.findall(".//path")) == 4  # three values, one before
    assert 'font-weight="600"' in drawing


def test_a_chart_of_nothing_is_still_a_chart() -> None:
    assert parsed(charts_rows.intervals([], domain=(0, 1), name="empty")).tag == "svg"
    assert parsed(charts_lines.lines([], name="empty")).tag == "svg"
    assert (
        parsed(
            charts_scatter.scatter([], fit=None, domain=(0, 1), right=1.0, name="empty")
        ).tag
        == "svg"
    )
    assert (
        parsed(charts_matrix.matrix(["one"], [], worst=None, name="empty")).tag == "svg"
    )
    assert (
        parsed(
            charts_tokens.ridges([Band("a", "", [None])], heads=["p"], name="empty")
        ).tag
        == "svg"
    )


def test_sums_print_the_total_and_whom_against() -> None:
    drawing = charts_rows.sums(
        [Parts("a", "b", -0.02, -0.03, -0.05, -0.01)], domain=(-0.06, 0.01), name="sum"
    )
    assert {"a", "against b", "\u22120.050"} <= set(texts(drawing))


def test_matrix_prints_what_is_detected_and_outlines_the_worst() -> None:
    cells = [Cell(1, 0, 0.07, 0.01), Cell(2, 0, -0.2, 0.001), Cell(2, 1, -0.1, 0.5)]
    drawing = charts_matrix.matrix(["a", "b", "c"], cells, worst=cells[1], name="pairs")
    assert {".07", "\u2212.20"} <= set(texts(drawing))
    assert "\u2212.10" not in texts(drawing)
    assert drawing.count("var(--faint)") == 1
    assert len(re.findall(r'fill-opacity="0"', drawing)) == 1
    crowd = charts_matrix.matrix(
        [str(i) for i in range(30)], [Cell(2, 1, 0.5, 0.0)], worst=None, name="crowd"
    )
    assert ".50" not in texts(crowd)


def test_ridges_keep_shares_of_groups_of_any_size_comparable() -> None:
    big = Shape(0, 1, (0,) * 19 + (900,), (100,) + (0,) * 19)
    small = Shape(0, 1, (0,) * 19 + (9,), (1,) + (0,) * 19)
    drawing = charts_tokens.ridges(
        [Band("all", "", [big]), Band("g", "n", [small])], heads=["p"], name="r"
    )
    heights = [float(y) for y in re.findall(r'<path d="M[\d.]+,([\d.]+)', drawing)]
    assert len(heights) == 6  # accepted, rejected and both, of two bands
    assert big.reach == pytest.approx(small.reach)


def test_lines_name_the_few_and_thin_out_the_ticks() -> None:
    ticks = Ticks({float(i): f"{i * 1000}" for i in range(12)}, {"constant": 5.5})
    series = [
        Series(
            [Point(i, 0.5 + i / 100, 0.4, 0.7, "a") for i in range(12)],
            "everyone",
            charts.INK,
        ),
        Series([Point(i, 0.4) for i in range(12)]),
        Series([Point(11, 0.4, part="lonely")]),
    ]
    drawing = charts_lines.lines(series, name="trend", ticks=ticks, reference=0.3)
    assert {"everyone", "constant", "0"} <= set(texts(drawing))
    assert "1000" not in texts(drawing)


def test_scatter_names_do_not_overlap() -> None:
    spots = [Spot(f"group number {i % 3}", 10 + i, 0.01, 0.0, 0.02) for i in range(12)]
    drawing = charts_scatter.scatter(
        spots, fit=(0.01, 0.0, 0.02), domain=(-0.1, 0.1), right=5.0, name="gain"
    )
    named = [
        element
        for element in parsed(drawing).iter("text")
        if (element.text or "").startswith("group")
    ]
    assert 1 <= len(named) < len(spots)


def test_ids_of_two_charts_never_collide() -> None:
    def drawing(gain: float) -> str:
        spots = [Spot("a", 10, gain, -0.1, 0.1), Spot("b", 100, 0.0, -0.1, 0.1)]
        return charts_scatter.scatter(
            spots,
            fit=(0.1, 0.0, 0.2),
            domain=(-0.1, 0.1),
            right=3.0,
            name=f"gain {gain}",
        )

    first, second = (
        set(re.findall(r'\bid="([^"]+)"', drawing(gain))) for gain in (0.01, 0.02)
    )
    assert first
    assert not first & second
    assert all(f"url(#{name})" in drawing(0.01) for name in first)


@pytest.mark.parametrize(
    "domain",
    [(0.0, 1.0), (0.44, 0.86), (-0.01, 0.013), (1.2, 3.4), (0, 97_000), (0.6, 0.62)],
)
def test_ticks_are_round_few_and_inside(domain: tuple[float, float]) -> None:
    values = charts.ticks(domain)
    assert 2 <= len(values) <= 6
    assert domain[0] - 1e-9 <= values[0] <= values[-1] <= domain[1] + 1e-9
    figures = charts.figures(values)
    assert len(set(figures)) == len(values)


def test_domains_and_spreading() -> None:
    assert charts.span([math.nan, math.inf]) == pytest.approx((-0.06, 1.06))
    low, high = charts.span([0.5, 0.5])
    assert high - low == pytest.approx(0.02)
    places = charts.spread([10.0, 10.5, 30.0, 10.2], 12.0)
    ordered = sorted(places)
    assert all(b - a > 11.5 for a, b in pairwise(ordered))
    assert places[0] < places[3] < places[1] < places[2]
