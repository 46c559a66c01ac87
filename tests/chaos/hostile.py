"""What a fuzz test throws: values of every kind, structures with one part replaced,
bytes with a few changed.

Knows hypothesis; knows nothing of specfair but how it must answer: done, or one line
with a way out.
"""

import copy
import re
import time
import warnings
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from specfair.errors import SpecfairError

# seconds for one case, on a machine that does other things too: a hang, not slowness
DEADLINE = 20.0
WAY_OUT = re.compile(r"\S.*[.:;,?] \S.*[.)?!'\"]$")  # what is wrong, then what to do

WORDS = st.sampled_from(
    [
        *(
            "",
            " ",
            "\0",
            "\n",
            "None",
            "nan",
            "null",
            "queer",
            "a,b",
            "a/b",
            "../../evil",
            "::error::x",
            "\x1b[31m",
        ),
        *(
            "<script>alert(1)</script>",
            "\u202egnp.exe",
            "\ud800",
            "\ufeffgroup",
            "'; rm -rf /",
            "$(touch x)",
            "=1+1",
        ),
        *(
            "x" * 300,
            "\u0131",
            "ß",
            "e\u0301",
            "\U0001f3f3\ufe0f\u200d\U0001f308",
            "overall",
            "base",
            "imdb",
            "gap",
        ),
    ]
)
TEXT = st.one_of(WORDS, st.text(max_size=12))
NUMBERS = st.one_of(
    st.integers(-5, 5),
    st.sampled_from(
        [
            2**31,
            2**63,
            -(2**70),
            10**400,
            1e308,
            -1e-308,
            float("nan"),
            float("inf"),
            float("-inf"),
            -0.0,
        ]
    ),
    st.floats(),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXT)
VALUES = st.recursive(
    SCALARS,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXT, v, max_size=3),
    max_leaves=6,
)


def often(n: int) -> settings:
    """So many cases, the same each time a few are tried and others each time many
    are.
    """
    few = n < 1_000
    phases = (
        (Phase.explicit, Phase.generate)
        if few
        else (Phase.explicit, Phase.generate, Phase.shrink)
    )
    checks = [
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
        HealthCheck.filter_too_much,
    ]
    return settings(
        max_examples=n,
        deadline=None,
        database=None,
        derandomize=few,
        phases=phases,
        suppress_health_check=checks,
    )


def answer(call: Callable[[], object]) -> str:
    """What it says when it refuses, "" when it does not; anything but one line with a
    way out is a failure.
    """
    start = time.monotonic()
    said = ""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            call()
        except SpecfairError as error:
            said = str(error)
            check_line(said)
    assert time.monotonic() - start < DEADLINE
    return said


def check_line(said: str) -> None:
    """One line, printable, with a way out behind what is wrong."""
    assert said.isprintable(), said
    assert WAY_OUT.search(said), said


@st.composite
def mutated(draw: st.DrawFn, whole: Any, times: int = 3) -> Any:
    """The structure with up to so many parts removed, doubled, or replaced by something
    else.
    """
    made = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, times))):
        place, key = _place(draw, made)
        if place is None:
            return draw(VALUES)
        _damage(draw, place, key)
    return made


def _place(draw: st.DrawFn, made: Any) -> tuple[Any, Any]:
    """Some container in the structure, and a key of it."""
    place, key, here = None, None, made
    for _ in range(draw(st.integers(1, 6))):
        if not isinstance(here, dict | list) or not here:
            break
        place = here
        key = (
            draw(st.sampled_from(sorted(here)))
            if isinstance(here, dict)
            else draw(st.integers(0, len(here) - 1))
        )
        here = here[key]
    return place, key


def _damage(draw: st.DrawFn, place: Any, key: Any) -> None:
    match draw(
        st.sampled_from(["replace", "replace", "remove", "double", "retype", "number"])
    ):
        case "remove":
            del place[key]
        case "double":
            place[key] = [place[key], copy.deepcopy(place[key])]
        case "retype":
            place[key] = str(place[key])
        case "number":
            place[key] = draw(NUMBERS)
        case _:
            place[key] = draw(VALUES)


@st.composite
def bitten(draw: st.DrawFn, whole: bytes) -> bytes:
    """The bytes as they are, cut, with a few changed, with a piece put in, or others
    altogether.
    """
    match draw(
        st.sampled_from(["as is", "as is", "as is", "cut", "flip", "insert", "other"])
    ):
        case "cut":
            return whole[: draw(st.integers(0, len(whole)))]
        case "flip":
            made = bytearray(whole or b"\0")
            for _ in range(draw(st.integers(1, 4))):
                made[draw(st.integers(0, len(made) - 1))] = draw(st.integers(0, 255))
            return bytes(made)
        case "insert":
            at = draw(st.integers(0, len(whole)))
            return whole[:at] + draw(st.binary(max_size=20)) + whole[at:]
        case "other":
            return draw(st.binary(max_size=200))
    return whole
