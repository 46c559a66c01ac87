"""A page of two hundred groups: what is drawn, what is said to be left out, and how
large it is.
"""

import re

import pytest

from specfair.audit import rows
from specfair.decoding import Lookahead
from specfair.report import many, render_html
from specfair.report.lookup import index
from specfair.traces.measured import Measured
from specfair.vocabulary import BASE, Stage
from tests import report_samples
from tests.made_traces import crowd

GROUPS = report_samples.CROWD


@pytest.fixture(scope="module")
def html() -> str:
    return render_html(report_samples.crowded())


def section(html: str, name: str) -> str:
    return html[html.index(f'<section id="{name}"') :].split("</section>", maxsplit=1)[
        0
    ]


def test_the_page_stays_small(html: str) -> None:
    assert len(html.encode()) < 3e6


def test_charts_draw_the_ends_and_tables_have_all(html: str) -> None:
    panel = section(html, "section-groups").split("</figure>")[0]
    drawing, table = (
        re.findall(r"<svg viewBox.*?</svg>", panel, re.DOTALL)[0],
        panel.split("<tbody>")[1],
    )
    named = re.findall(r">(kind \d+)<", drawing)
    assert named == [*GROUPS[:8], *GROUPS[-8:]]
    assert table.count("<tr") == 201
    assert (
        "drawn are the 8 lowest and the 8 highest of 200 groups, the table has all"
        in panel
    )


def test_pairs_and_tokens_are_those_of_the_ends_and_that_is_said(html: str) -> None:
    assert "n = 45 pairs, of the 5 slowest and the 5 fastest of 200 groups" in html
    assert "p corrected for all 19,900 pairs" in html
    assert "confident and rejected (50 tokens)" in section(html, "section-mistakes")
    assert "gaps, ratios and checks are about all 19,900 pairs" in section(
        html, "section-method"
    )


def test_distributions_and_curves_draw_the_ends(html: str) -> None:
    drawn = re.findall(
        r"<svg viewBox.*?</svg>", section(html, "section-distributions"), re.DOTALL
    )[0]
    assert len(set(re.findall(r"kind \d+", drawn))) == 16
    assert section(html, "section-lookahead").count("kind") > 200 * 4
    assert "8 slowest and the 8 fastest" in section(html, "section-training")


def test_every_check_can_be_linked_to(html: str) -> None:
    """A hundred cards, the other failed checks as rows; each named once, and the rest
    counted.
    """
    assert html.count('<article class="card') == 100
    assert "100 more that need somebody are rows of the table" in html
    for i in (0, 150, 199):
        assert html.count(f' id="imdb-kind-{i}"') == 1


def test_few_groups_are_all_drawn() -> None:
    small = report_samples.full()
    assert many.note(small) == ()
    assert many.drawn(10) == ""
    assert many.ends([3, 1, 2], key=float) == [3, 1, 2]
    assert many.outer(index(small), BASE) == small.groups


def test_rows_of_many_groups_are_bounded_and_their_making_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows, "PATIENCE", 0.0)
    said: list[str] = []
    measured = Measured(crowd(300, n_groups=30, n_clusters=5, n_tokens=8), Lookahead())
    tables = rows.of_stage(
        measured,
        Stage("imdb"),
        lambda ids: " ".join(map(str, ids)),
        say=said.append,
    )
    assert said[-1] == "statistics after imdb: 23 of 24 done"
    assert len(tables["pairs"]) == 45
    assert len(tables["splits"]) == 10
    assert len({r.group for r in tables["mistakes"]}) <= 10
    values = {
        r.group: r.value
        for r in tables["estimates"]
        if r.metric == "acceptance_rate" and r.lookahead == "constant-5"
    }
    ordered = sorted((g for g in values if g), key=values.__getitem__)
    assert {g for r in tables["pairs"] for g in (r.group_a, r.group_b)} == {
        *ordered[:5],
        *ordered[-5:],
    }
    gap = next(
        r
        for r in tables["gaps"]
        if r.metric == "acceptance_rate" and r.lookahead == "constant-5"
    )
    assert gap.ratio == pytest.approx(values[ordered[0]] / values[ordered[-1]])
