"""A stored value is of its field's type, or is said not to be."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from specfair.typed import json_of, typed


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    value: float | None = None


@pytest.mark.parametrize(
    ("kind", "stored", "wanted"),
    [
        (str, "a", "a"),
        (int, -3, -3),
        (float, 3, 3.0),
        (float | None, None, None),
        (tuple[int, ...], [1, 2], (1, 2)),
        (Mapping[str, float], {"a": 1}, {"a": 1.0}),
        (Any, [None], [None]),
        (_Row, {"name": "a", "value": 1}, _Row("a", 1.0)),
        (_Row, {"name": "a"}, _Row("a")),
    ],
)
def test_what_fits_is_taken(kind: Any, stored: Any, wanted: Any) -> None:
    assert typed(kind, stored) == wanted


@pytest.mark.parametrize("stored", [None, math.inf, -math.inf, math.nan])
def test_what_is_no_number_is_nan(stored: Any) -> None:
    assert math.isnan(typed(float, stored))


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        (str, 1),
        (str, None),
        (int, True),
        (int, 1.0),
        (int, 2**64),
        (float, "1"),
        (float, False),
        (float, 10**400),
        (bool, 1),
        (tuple[int, ...], "12"),
        (tuple[int, ...], [1, "2"]),
        (Mapping[str, str], ["a"]),
        (float | None, "x"),
        (_Row, {"value": 1}),
        (_Row, {"name": "a", "more": 1}),
        (_Row, ["a", 1]),
    ],
)
def test_what_does_not_fit_is_refused(kind: Any, stored: Any) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)) as caught:
        typed(kind, stored)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 51 + "]" * 51, "nested deeper than 50"),
        ("[" * 100_000, "nested deeper than 50"),
        ("1" * 5_000, "4300"),
    ],
)
def test_json_from_a_stranger(text: str, why: str) -> None:
    for form in (text, text.encode()):
        with pytest.raises(ValueError, match=why):
            json_of(form)


def test_json_that_is_sound() -> None:
    assert (
        json_of(b'["\\ud83d\\ude00", {"a": [' + b"[" * 40 + b"]" * 40 + b"]}]")[0]
        == "\U0001f600"
    )
