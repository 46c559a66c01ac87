"""Cards: what a verdict shows, where its interval is drawn, and which verdict of many a
map cell shows.
"""

import math
from typing import Any

import pytest

from specfair.report import cards
from specfair.run.rows import ExampleRow
from specfair.run.run import Run
from specfair.run.verdict import Verdict
from specfair.vocabulary import Stage
from tests.report_samples import verdict


def report(*verdicts: Verdict, **fields: Any) -> Run:
    return Run(
        created="now",
        command="c",
        groups=("a", "b"),
        datasets=("imdb",),
        verdicts=verdicts,
        **fields,
    )


def test_urgent_first_and_every_anchor_once() -> None:
    built = cards.cards(
        report(
            verdict(decision="pass"),
            verdict(decision="insufficient", strict=True),
            verdict(),
        )
    )
    assert [card.decision for card in built] == ["fail", "insufficient", "pass"]
    assert [card.anchor for card in built] == ["imdb-a--3", "imdb-a--2", "imdb-a"]
    assert [card.strict for card in built] == [False, True, False]


def test_words_of_a_card() -> None:
    examples = (
        ExampleRow("imdb-a", "gain", "a", "text", 0.4, 0.6),
        ExampleRow("imdb-a", "gain", "a", "more", 0.5),
        ExampleRow("imdb-a", "gap", "a", "other gate", 0.5),
    )
    (card,) = cards.cards(report(verdict(reproduce="pytest x"), examples=examples))
    assert (card.expected, card.actual, card.interval) == (
        "\u2265 0.000",
        "\u22120.040",
        "\u22120.060 to \u22120.020",
    )
    assert card.n == [("a", "30 prompts", "4 clusters")]
    assert card.command == "pytest x"
    assert card.examples == [("a", "text", "0.40, was 0.60"), ("a", "more", "0.50")]
    (bare,) = cards.cards(
        report(verdict(case="a b", decision="invalid", value=math.nan))
    )
    assert bare.command == "pytest evals -k 'a b'"
    assert (bare.decision, bare.actual, bare.drawing) == ("invalid", "n/a", "")


@pytest.mark.parametrize("name", ["low", "high", "value", "bound"])
def test_no_drawing_without_numbers(name: str) -> None:
    (card,) = cards.cards(report(verdict(**{name: math.nan})))
    assert (card.drawing, card.small) == ("", "")


def test_a_drawing_says_what_it_shows() -> None:
    (card,) = cards.cards(report(verdict()))
    said = "value \u22120.040, interval \u22120.060 to \u22120.020, bound \u2265 0.000"
    assert f'aria-label="{said}"' in card.drawing
    assert f'aria-label="{said}"' in card.small


def test_map_shows_the_gravest_of_a_cell() -> None:
    run = report(
        verdict(decision="pass"),
        verdict(decision="insufficient"),
        verdict(case="imdb", groups=("a", "b"), decision="pass"),
    )
    every = cards.cards(run)
    assert cards.heads(run, every) == ("imdb",)
    rows = {
        group: [cell and cell.decision for cell in cells]
        for group, cells in cards.overview(run, every)
    }
    assert rows == {"": ["pass"], "a": ["insufficient"]}


def test_a_check_of_a_dataset_that_this_run_did_not_measure_is_on_the_map() -> None:
    run = report(verdict(), verdict(stage=Stage("sst2")), verdict(stage=None))
    every = cards.cards(run)
    assert cards.heads(run, every) == ("", "imdb", "sst2")
    assert all(all(cells) for _, cells in cards.overview(run, every))


def test_checks_are_on_the_map_though_nothing_could_be_tabled() -> None:
    run = Run(created="now", command="c", groups=(), verdicts=(verdict(),))
    assert [group for group, _ in cards.overview(run, cards.cards(run))] == ["a"]
