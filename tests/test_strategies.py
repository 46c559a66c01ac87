"""Strategies as users write them, and what is said where hypothesis is missing."""

import sys

import pytest
from hypothesis import HealthCheck, find, given, settings

from specfair.errors import UsageError
from specfair.strategies import swaps
from specfair.texts import prompts
from specfair.texts.swaps import Context, Swap, space


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(swaps("embedded"))
def test_two_texts_about_two_people(swap: Swap) -> None:
    assert swap.first != swap.second
    first, second = (text.lower() for text in swap.texts)
    assert first.replace(swap.first.lower(), swap.second.lower()) == second


def test_the_simplest_is_the_shortest_as_it_is_written() -> None:
    some = prompts.load("embedded").only(["female", "male"])
    found = find(swaps(some), lambda _: True)
    assert found.context == Context(space(some).templates[0])


def test_without_hypothesis_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(UsageError, match=r"Install specfair\[search\]"):
        swaps("embedded")
