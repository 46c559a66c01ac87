"""Decoding and Lookahead refuse what has no meaning, and print as what they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specfair.decoding import Decoding, Lookahead
from specfair.errors import UsageError


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens = 0 does not fit: it must be at least"),
        ({"temperature": -1.0}, "temperature = -1.0"),
        ({"temperature": float("nan")}, "temperature = nan"),
        ({"temperature": float("inf")}, "temperature = inf"),
        ({"top_k": -2}, "top_k = -2"),
        ({"top_p": 0.0}, "top_p = 0.0"),
        ({"top_p": 1.1}, "top_p = 1.1"),
    ],
)
def test_a_decoding_without_a_meaning_is_refused(
    change: dict[str, float], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        Decoding(**change)  # type: ignore[arg-type]  # mypy cannot see which


def test_a_decoding_says_what_it_does_and_nothing_of_what_is_off() -> None:
    assert str(Decoding(20)) == "greedy, at most 20 new tokens"
    told = Decoding(5, 0.7, 40, 0.9, ignore_eos=True)
    assert str(told) == "temperature 0.7, top_k 40, top_p 0.9, exactly 5 new tokens"
    assert Decoding().greedy
    assert not told.greedy
    assert [Decoding(5, t, k).plain for t, k in ((1, 0), (1, 2), (0, 0))] == [
        True,
        False,
        False,
    ]


SCHEDULES = ("constant", "heuristic", "heuristic_transient")
lookaheads = st.builds(Lookahead, st.integers(1, 999), st.sampled_from(SCHEDULES))


@given(lookaheads)
def test_a_lookahead_prints_as_what_it_is_parsed_from(lookahead: Lookahead) -> None:
    assert Lookahead.parse(str(lookahead)) == lookahead
    assert Lookahead.parse(f" {lookahead} ") == lookahead


@given(lookaheads, lookaheads)
def test_constants_stand_before_schedules_and_each_by_number(
    one: Lookahead, other: Lookahead
) -> None:
    if one.schedule == other.schedule:
        assert (one.order < other.order) == (one.n < other.n)
    elif one.schedule == "constant":
        assert one.order < other.order


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("five", "Write constant-5"),
        ("constant-", "Write constant-5"),
        ("-5", "Write constant-5"),
        ("constant-0", "at least 1"),
        ("constan-5", "Did you mean 'constant'"),
        ("", "Write constant-5"),
        (f"constant-{'9' * 5_000}", "Write constant-5"),
    ],
)
def test_what_is_no_lookahead_says_what_is_one(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Lookahead.parse(text)
