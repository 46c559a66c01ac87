"""Charts: every mark is drawn, nothing is clipped, words are escaped and fit."""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree as Tree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from specfair.report.charts import canvas
from specfair.report.charts.canvas import FAST, INK, SLOW, WIDTH, Scale
from specfair.report.charts.curves import Mark, Series, Ticks, curves, spaced
from specfair.report.charts.forest import (
    Halves,
    Judged,
    Line,
    bars,
    beam,
    forest,
)
from specfair.report.charts.matrix import Cell, matrix
from specfair.report.charts.ridges import Band, ridges
from specfair.report.charts.scatter import Spot, scatter
from specfair.report.lookup import Shape


def parsed(drawing: Markup) -> Tree.Element:
    return Tree.fromstring(drawing)  # our own drawing


def texts(drawing: Markup) -> list[str]:
    return [element.text or "" for element in parsed(drawing).iter("text")]


def spot(name: str, n: int, gain: float = 0.01) -> Spot:
    return Spot(group=name, n=n, gain=gain, low=gain - 0.02, high=gain + 0.02)


def test_forest_draws_rows_words_and_a_reference() -> None:
    everyone = Line(
        name="all groups", now=(0.6, 0.55, 0.65), note="0.600", colour=INK, strong=True
    )
    changed = Line(
        name="<b>", now=(0.5, 0.4, 0.7), note="+0.1", before=(0.45, 0.4, 0.5), sure=True
    )
    unsure = Line(name="c", now=(0.5, math.nan, 0.7))
    drawing = forest(
        [everyone, changed, unsure],
        domain=(0.3, 0.8),
        name='"quoted" & named',
        reference=0.6,
    )
    root = parsed(drawing)
    assert root.get("role") == "img"
    assert root.get("aria-label") == '"quoted" & named'
    assert {"all groups", "<b>", "+0.1", "0.600"} <= set(texts(drawing))
    assert len(root.findall("circle")) == 4  # three values, one before
    assert len(root.findall("line[@stroke-dasharray]")) == 1
    bold = [element.text for element in root.findall("text[@class='strong']")]
    assert bold == ["all groups", "+0.1"]
    assert "nan" not in drawing


def test_a_chart_of_nothing_is_still_a_chart() -> None:
    drawings = (
        forest([], domain=(0, 1), name="empty"),
        bars([], domain=(0, 1), name="empty"),
        curves([], name="empty"),
        scatter([], fit=None, domain=(0, 1), right=1.0, name="empty"),
        matrix(["one"], [], worst=None, name="empty"),
        ridges([Band("a", [None])], heads=["p"], name="empty"),
    )
    assert [parsed(drawing).tag for drawing in drawings] == ["svg"] * 6


def test_sums_print_the_total_and_whom_against() -> None:
    parts = Halves(name="a", against="b", first=-0.02, second=(-0.03, -0.05, -0.01))
    drawing = bars([parts], domain=(-0.06, 0.01), name="sum")
    assert {"a", "against b", "\u22120.050"} <= set(texts(drawing))


def test_matrix_prints_what_is_detected_and_outlines_the_worst() -> None:
    cells = [
        Cell(row=1, column=0, difference=0.07, p=0.01),
        Cell(row=2, column=0, difference=-0.2, p=0.001),
        Cell(row=2, column=1, difference=-0.1, p=0.5),
    ]
    drawing = matrix(["a", "b", "c"], cells, worst=cells[1], name="pairs")
    assert {".07", "\u2212.20"} <= set(texts(drawing))
    assert "\u2212.10" not in texts(drawing)
    squares = parsed(drawing).findall("rect")
    paints = [square.get("fill", "") for square in squares]
    assert FAST in paints[0]
    assert SLOW in paints[1]
    assert paints[2] == "var(--faint)"
    (outline,) = [square for square in squares if square.get("fill") == "none"]
    assert outline.get("x") == squares[1].get("x")
    crowd = matrix([str(i) for i in range(30)], cells, worst=None, name="crowd")
    assert ".07" not in texts(crowd)


def test_ridges_keep_shares_of_groups_of_any_size_comparable() -> None:
    big = Shape(0, 1, (0,) * 19 + (900,), (100,) + (0,) * 19)
    small = Shape(0, 1, (0,) * 19 + (9,), (1,) + (0,) * 19)
    assert big.reach == pytest.approx(small.reach)
    drawing = ridges([Band("all", [big]), Band("g", [small])], heads=["p"], name="r")
    tall = []
    for path in parsed(drawing).findall("path"):
        heights = [float(y) for y in re.findall(r"[,V]([\d.]+)", path.get("d", ""))]
        tall.append(max(heights) - min(heights))
    assert len(tall) == 6  # both, accepted and rejected, of two bands
    ratios = [a / b for a, b in zip(tall[:3], tall[3:], strict=True)]
    assert ratios == pytest.approx([ratios[0]] * 3, rel=0.05)


def test_lines_name_the_few_and_thin_out_the_ticks() -> None:
    ticks = Ticks({float(i): f"{i * 1000}" for i in range(12)}, {"constant": 5.5})
    everyone = [Mark(i, 0.5 + i / 100, (0.4, 0.7), "a") for i in range(12)]
    series = [
        Series(everyone, "everyone", INK),
        Series([Mark(i, 0.4) for i in range(12)]),
        Series([Mark(11, 0.4, part="lonely")]),
    ]
    drawing = curves(series, name="trend", ticks=ticks, reference=0.3)
    assert {"everyone", "constant", "0"} <= set(texts(drawing))
    assert "1000" not in texts(drawing)
    assert len(parsed(drawing).findall("circle")) == 12 + 1


def test_scatter_names_do_not_overlap() -> None:
    spots = [spot(f"group number {i % 3}", 10 + i) for i in range(12)]
    drawing = scatter(
        spots, fit=(0.01, 0.0, 0.02), domain=(-0.1, 0.1), right=5.0, name="gain"
    )
    named = [text for text in texts(drawing) if text.startswith("group")]
    assert 1 <= len(named) < len(spots)


def test_a_fan_is_cut_at_the_frame() -> None:
    spots = [spot("a", 10), spot("b", 100)]
    drawing = scatter(
        spots, fit=(0.1, 0.0, 9.0), domain=(-0.1, 0.1), right=3.0, name="gain"
    )
    (inner,) = parsed(drawing).findall("svg")
    assert len(inner) == 2
    assert not re.search(r'\bid="', drawing)  # what cuts it needs no name on the page


def test_an_interval_against_its_bound() -> None:
    floor = Judged(
        now=(-0.04, -0.06, -0.02), bound=0.0, ceiling=False, slack=0.01, decision="fail"
    )
    ceiling = Judged(
        now=(0.6, 0.5, 0.7), bound=0.8, ceiling=True, slack=0.0, decision="pass"
    )

    def pixels(judged: Judged) -> tuple[list[float], list[float], float]:
        """Both sides, the ends of bound and interval, and the value."""
        root = parsed(beam(judged, height=40, name="n"))
        sides = [
            float(r.get(k, "")) for r in root.findall("rect") for k in ("x", "width")
        ]
        ends = [float(x.get(k, "")) for x in root.findall("line") for k in ("x1", "x2")]
        assert root.findall("line")[-1].get("stroke") == f"var(--{judged.decision})"
        return sides, ends, float(root.findall("circle")[0].get("cx", ""))

    sides, ends, value = pixels(floor)
    (bound, _), (low, high) = ends[-4:-2], ends[-2:]
    assert 0 < low < value < high < sides[2] < bound < WIDTH
    assert sides[:2] == pytest.approx([bound, WIDTH - bound], abs=0.01)
    assert sides[3] == pytest.approx(bound - sides[2], abs=0.02)
    assert len(ends) == 4 + 2 * 1  # zero, bound, interval
    sides, ends, _ = pixels(ceiling)
    assert sides == pytest.approx([0, ends[0], ends[0], 0], abs=0.01)
    assert len(ends) == 4


@pytest.mark.parametrize(
    "domain",
    [(0.0, 1.0), (0.44, 0.86), (-0.01, 0.013), (1.2, 3.4), (0, 97_000), (0.6, 0.62)],
)
def test_ticks_are_round_few_and_inside(domain: tuple[float, float]) -> None:
    values = canvas.ticks(domain)
    assert 2 <= len(values) <= 6
    assert domain[0] - 1e-9 <= values[0] <= values[-1] <= domain[1] + 1e-9
    figures = canvas.alike(values)
    assert len(set(figures)) == len(values)


def test_domains_and_spreading() -> None:
    assert canvas.span([math.nan, math.inf]) == pytest.approx((-0.06, 1.06))
    low, high = canvas.span([0.5, 0.5])
    assert high - low == pytest.approx(0.02)
    places = spaced([10.0, 10.5, 30.0, 10.2], 12.0, (0, 100))
    ordered = sorted(places)
    assert all(b - a > 11.5 for a, b in pairwise(ordered))
    assert places[0] < places[3] < places[1] < places[2]
    for edge in (0.0, 50.0):
        kept = spaced([edge, edge, edge], 12.0, (0, 50))
        assert all(0 <= place <= 50 for place in kept)
        assert max(kept) - min(kept) > 23
    assert Scale((0, 10), 100, 0)(2.5) == 75


@given(st.text(max_size=80))
def test_a_label_fits_its_room(name: str) -> None:
    assert canvas.wide(canvas.fitted(name, 100)) <= 100


def test_labels_keep_what_fits_and_show_what_is_cut() -> None:
    assert canvas.fitted("iiiiiiiiiiiiiiiiiiiiiiiiiiii", 100).count("i") == 28
    assert canvas.fitted("WWWWWWWWWWWWWWWW", 100) == "WWWWWWWWW\u2026"
    assert canvas.fitted("\u6f22" * 20, 100) == "\u6f22" * 8 + "\u2026"
    assert len(canvas.fitted("y" * 1_000_000, 100)) < 20


def test_a_mark_without_a_number_is_left_out() -> None:
    assert canvas.line((0, math.nan), (1, 1), INK) == ""
    assert canvas.letter("lost", (math.inf, 0)) == ""
    assert canvas.track([(0, 1), (math.nan, 1), (2, 3)]) == "M0.0,1.0L2.0,3.0"
