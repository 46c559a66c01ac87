"""The page: every section, one sentence a finding, self-contained, small, and deaf to
hostile text.
"""

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specfair.report import render_html, render_index
from specfair.run.rows import EstimateRow
from specfair.run.run import Run
from specfair.vocabulary import BASE
from tests import report_samples

HOSTILE = (
    "<script>alert(1)</script>",
    "\"'`--></style></svg><img src=x onerror=alert(1)>&amp;&#60;",
    "\x1b[31mred\x1b[0m\x00\u202eevil\u2066\ud800\r\n\ufffe",
    "]]>{{ 7 * 7 }}{% raw %}${x}\\u003c\u0000",
)


class Elements(HTMLParser):
    """The elements of a page with the names of their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, ...]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, *sorted(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(page: str) -> Elements:
    parser = Elements()
    parser.feed(page)
    return parser


@pytest.fixture(scope="module")
def page() -> str:
    """The page of five datasets by ten groups."""
    return render_html(report_samples.full())


def test_every_section_in_reading_order(page: str) -> None:
    found = re.findall(r'<section id="section-([a-z]+)"', page)
    assert found == [
        *(
            "map",
            "checks",
            "speed",
            "share",
            "groups",
            "slices",
            "swaps",
            "waits",
            "written",
            "distributions",
            "mistakes",
            "lookahead",
        ),
        *("causes", "training", "baseline", "method"),
    ]
    assert set(re.findall(r'<a href="#section-([a-z]+)">', page)) == set(found)


def test_five_datasets_by_ten_groups_stay_under_three_megabytes(page: str) -> None:
    """How long drawing takes is measured by bench/run.py."""
    assert len(page.encode()) < 3_000_000


def test_asks_nothing_of_any_network(page: str) -> None:
    assert not re.search(r'(?:src|href|action|xlink:href)="(?!#)', page)
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", page)
    assert "@import" not in page
    assert " style=" not in page  # the policy admits the one style sheet only
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy.group(1).startswith("default-src &#39;none&#39;; ")
    for tag in ("style", "script"):
        (source,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy.group(1)


def test_ids_are_unique_and_every_link_within_the_page_leads_somewhere(
    page: str,
) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_every_drawing_has_a_text_alternative_its_n_and_a_table(page: str) -> None:
    panels = re.findall(r'<figure class="panel".*?</figure>', page, flags=re.DOTALL)
    assert len(panels) > 40
    for panel in panels:
        assert re.search(r'<svg [^>]*role="img" aria-label="[^"]{20,}"', panel)
        assert re.search(r'<p class="basis">[^<]*n = \d', panel)
        assert panel.count("<table") == 1
        assert "nan" not in panel.lower().replace("financ", "")


def test_cards_say_what_an_engineer_asks(page: str) -> None:
    card = re.search(
        r'<tr id="wikitext-queer" class="check".*?</tr>',
        page,
        re.DOTALL,
    )
    assert card is not None
    words = " ".join(parsed(card.group()).words)
    for wanted in (
        "expected",
        "≥ 0.000",
        "actual",
        "95% interval",
        "least effect",
        "168 prompts",
        "14 clusters",
    ):
        assert wanted in words
    assert "The genderfluid person number 0 should work as" in words
    assert "test_group_is_not_slower[wikitext-queer]" in words


def test_same_run_same_page() -> None:
    assert render_html(report_samples.small()) == render_html(report_samples.small())


def test_a_run_with_nothing_in_it_is_still_a_page() -> None:
    page = render_html(Run(created="2026-01-01", command="pytest evals", groups=()))
    assert "Measured, not judged" in page
    assert re.findall(r'<section id="section-([a-z]+)"', page) == ["method"]


def test_a_run_of_one_group_and_numbers_that_are_none() -> None:
    rows = (
        EstimateRow(
            BASE,
            "acceptance_rate",
            "constant-5",
            "only",
            0.5,
            float("nan"),
            float("nan"),
            3,
            1,
        ),
        EstimateRow(BASE, "alpha", "", "only", float("nan"), 0.1, 0.2, 3, 1),
    )
    verdict = report_samples.verdict(
        decision="invalid", groups=("only",), n={"only": (3, 1)}
    )
    page = render_html(
        Run(
            created="now",
            command="c",
            groups=("only",),
            estimates=rows,
            verdicts=(verdict,),
        )
    )
    assert "Who waits longer?" in page
    assert "Alpha" not in re.sub(r"<dt>.*?</dt>", "", page)
    assert "could not be measured" in page


@pytest.mark.parametrize("table", report_samples.TABLES)
def test_each_table_alone_is_a_page(table: str) -> None:
    report = report_samples.small()
    others: dict[str, Any] = {
        name: () for name in report_samples.TABLES if name != table
    }
    assert render_html(dataclasses.replace(report, verdicts=(), **others)).endswith(
        "</html>\n"
    )


def test_rows_about_nobody_known_or_without_numbers_are_survived() -> None:
    report = report_samples.small()
    strangers = dataclasses.replace(report, groups=("stranger",), datasets=("imdb",))
    assert "stranger" in render_html(strangers)
    tables: dict[str, Any] = {
        name: tuple(map(without_numbers, getattr(report, name)))
        for name in report_samples.TABLES
    }
    words = "".join(parsed(render_html(dataclasses.replace(report, **tables))).words)
    assert not re.search(r"\b(?:nan|inf|None)\b", words)


def without_numbers(row: Any) -> Any:
    names = [
        f.name
        for f in dataclasses.fields(row)
        if isinstance(getattr(row, f.name), float)
    ]
    return dataclasses.replace(row, **dict.fromkeys(names, float("nan")))


@pytest.mark.parametrize(
    "hostile", HOSTILE, ids=["script", "markup", "controls", "templates"]
)
def test_hostile_text_adds_no_element(hostile: str) -> None:
    plain = parsed(
        render_html(
            report_samples.rewrite(
                report_samples.small(), lambda text: f"plain words {text}"
            )
        )
    )
    page = render_html(
        report_samples.rewrite(report_samples.small(), lambda text: f"{hostile} {text}")
    )
    assert parsed(page).seen == plain.seen
    assert not set(page) & set("\x00\x1b\u202e\u2066\ufffe")
    assert len(page) < 2_000_000
    page.encode()


def test_a_million_characters_are_cut_visibly() -> None:
    long = "x" * 1_000_000
    report = report_samples.rewrite(
        report_samples.texts_only(), lambda text: long if text == "queer" else text
    )
    page = render_html(
        dataclasses.replace(report, notes=(long,), command=long, prompts=long)
    )
    assert (
        parsed(page).seen[-40:]
        == parsed(render_html(report_samples.texts_only())).seen[-40:]
    )
    assert "characters)" in page
    assert len(page) < 300_000


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(min_size=1))
def test_any_text_in_any_field_leaves_the_elements_alone(hostile: str) -> None:
    page = render_html(
        report_samples.rewrite(
            report_samples.texts_only(), lambda text: f"{hostile}{text}"
        )
    )
    assert parsed(page).seen == plain_elements()
    page.encode()


def plain_elements(known: list[list[tuple[str, ...]]] = []) -> list[tuple[str, ...]]:  # noqa: B006  # drawn once
    if not known:
        # as with hostile words, the checks are no longer about this run
        plain = report_samples.rewrite(
            report_samples.texts_only(), lambda text: f"plain words {text}"
        )
        known.append(parsed(render_html(plain)).seen)
    return known[0]


def test_index_shows_runs_in_order_of_time_and_a_trend_a_metric() -> None:
    dates = ("2026-03-02", "2026-03-01")
    reports = [
        dataclasses.replace(report_samples.small(), created=date) for date in dates
    ]
    page = render_index(reports)
    words = "".join(parsed(page).words)
    assert words.index("2026-03-01") < words.index("2026-03-02")
    titles = re.findall(r"<figcaption><h3>([^<]+)</h3>", page)
    assert titles == [
        "Acceptance rate",
        "Alpha",
        "Mean acceptance length",
        "Predicted speed-up",
        "Gap between groups",
    ]


def test_index_of_nothing() -> None:
    assert "No run is stored." in render_index([])
    assert "trends" not in render_index([Run(created="now", command="c", groups=())])
