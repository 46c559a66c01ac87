"""A bound that nobody was held to is named, and is a mistake where the run was whole
and nothing excuses it.
"""

import json
from dataclasses import replace

import pytest

from specfair import config
from specfair.audit.case import Case
from specfair.audit.holding import Demands, held_by, lines_of_mistakes, others, unheld
from specfair.audit.session import Session
from specfair.config import Settings
from specfair.gates import bounds
from specfair.vocabulary import BASE, Stage

FILE = bounds.rules_of(
    {
        "gap": 0.1,
        "kl": {"gap": 0.1},
        "imdb": {"gain": 0.0},
        "queer": {"gain": 0.0},
        "regression": 0.0,
    }
)
TYPED = tuple(
    replace(bounds.parse_rule(text), typed=True)
    for text in ("equivalence<=0.1", "sst2.gain>=0")
)


def settings(**changes: object) -> Settings:
    return replace(config.override(Settings(), changes), gates=(*FILE, *TYPED))


def wrong(run: Demands, *, held: list[int], standard: bool = True) -> set[str]:
    parts = [{"held": json.dumps({"rules": held, "waivers": [], "standard": standard})}]
    found = unheld(run, parts)
    assert len(found) == len(FILE) + len(TYPED) - len(held)
    assert len(others(found)) == 1
    return {line.split()[1] for line in lines_of_mistakes(found)}


def test_a_rule_is_held_once_a_case_is_judged_by_it() -> None:
    session = Session(settings(), lambda _: None)
    session.bound("gap", Case("imdb", "x", Stage("imdb")))
    session.bound("gain", Case("imdb-queer", "x", Stage("imdb"), "queer"))
    assert json.loads(held_by(session)["held"]) == {
        "rules": [0, 2, 3],
        "waivers": [],
        "standard": False,
    }


def test_a_server_does_not_tell_all_that_the_file_bounds() -> None:
    """What was typed for this run is meant for it."""
    run = Demands.of(settings(server="http://h:1"), ())
    assert wrong(run, held=[0]) == {"equivalence<=0.1", "sst2.gain>=0"}


def test_what_no_test_asked_is_a_mistake_unless_no_baseline_is_there() -> None:
    run = Demands.of(settings(), ())
    assert wrong(run, held=[0]) == {
        "kl.gap<=0.1",
        "imdb.gain>=0",
        "queer.gain>=0",
        "equivalence<=0.1",
        "sst2.gain>=0",
    }
    assert "regression>=0" in wrong(Demands.of(settings(baseline="main"), ()), held=[0])


def test_an_option_that_measures_less_excuses_the_file_and_never_what_was_typed() -> (
    None
):
    run = Demands.of(settings(datasets="sst2"), {"datasets"})
    assert wrong(run, held=[0]) == {"kl.gap<=0.1", "equivalence<=0.1", "sst2.gain>=0"}
    only_base = Demands(settings(), (), (BASE,))
    assert wrong(only_base, held=[0]) == {
        "kl.gap<=0.1",
        "equivalence<=0.1",
        "sst2.gain>=0",
    }


def test_tests_with_questions_of_their_own_leave_the_bounds_of_the_file_to_the_evals() -> (
    None
):
    assert wrong(Demands.of(settings(), ()), held=[0], standard=False) == {
        "equivalence<=0.1",
        "sst2.gain>=0",
    }


@pytest.mark.parametrize("places", [([0], [1]), ([0, 1], [0, 1])])
def test_processes_of_one_run_are_taken_together(
    places: tuple[list[int], list[int]],
) -> None:
    parts = [
        {"held": json.dumps({"rules": held, "waivers": [], "standard": True})}
        for held in places
    ]
    assert not {"gap<=0.1", "kl.gap<=0.1"} & {
        str(rule) for rule, _ in unheld(Demands.of(settings(), ()), parts)
    }
