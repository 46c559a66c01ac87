"""Errors are one line: name, value, rule, way out."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specfair import errors


def test_unknown_names_the_nearest() -> None:
    said = errors.unknown("dataset", "imbd", ["ag_news", "imdb"])
    assert "'imbd'" in said
    assert "Did you mean 'imdb'?" in said


def test_unknown_lists_all_where_nothing_is_near() -> None:
    assert (
        errors.unknown("dataset", "zzz", ["ag_news", "imdb"])
        == "unknown dataset 'zzz'. Choose one of: ag_news, imdb."
    )


@pytest.mark.parametrize(
    "kind", [errors.UsageError, errors.DataError, errors.ModelError, errors.StoreError]
)
def test_all_are_specfair_errors(kind: type[errors.SpecfairError]) -> None:
    assert issubclass(kind, errors.SpecfairError)
    assert set(errors.SpecfairError.__subclasses__()) >= {kind}
    assert len(errors.SpecfairError.__subclasses__()) <= 4


@pytest.mark.parametrize(
    "kind", ["name in a gate", "key in [tool.specfair]", "axis of holistic_bias"]
)
def test_a_kind_of_name_stays_as_it_is(kind: str) -> None:
    said = errors.unknown(kind, "imbd", ["ag_news", "imdb"])
    assert said == f"unknown {kind} 'imbd'. Did you mean 'imdb'? Known: ag_news, imdb."


def test_one_is_not_many() -> None:
    assert [errors.counted(n, "group") for n in (0, 1, 2_000)] == [
        "0 groups",
        "1 group",
        "2,000 groups",
    ]


@given(st.text())
def test_plain_text_is_one_line_that_commands_nothing(text: str) -> None:
    """A group's name may hold an escape sequence, or a line that a CI service takes for
    its own command.
    """
    for name in (text, f"::error::{text}", f" \n::error::{text}", f"\x1b[31m{text}"):
        said = errors.plain(name)
        assert said.isprintable()
        assert not said.lstrip().startswith("::")
        assert errors.plain(said) == said


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.text(st.characters(blacklist_characters="\0", codec="utf-8")),
        min_size=1,
        max_size=4,
    )
)
def test_a_typed_command_is_read_back_by_a_shell(words: list[str]) -> None:
    """Also `$(...)`, backticks, quotes and control characters: what is pasted is one
    line and runs what was meant.
    """
    words = [*words, "$(touch PWNED)", "`touch PWNED`", "it's", "a\nb\x1b\t\\"]
    line = errors.as_typed(["printf", "%s\\0", *words])
    assert line.isprintable()
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    assert done.stdout == "".join(f"{word}\0" for word in words).encode()


def test_ordinals() -> None:
    said = [errors.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)]
    assert said == ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"]
