"""Errors are one line: name, value, rule, way out."""

import pytest

from specfair import errors


def test_unknown_names_the_nearest() -> None:
    said = errors.unknown("dataset", "imbd", ["ag_news", "imdb"])
    assert "'imbd'" in said
    assert "Did you mean 'imdb'?" in said


def test_unknown_lists_all_where_nothing_is_near() -> None:
    assert (
        errors.unknown("dataset", "zzz", ["ag_news", "imdb"]) == "unknown dataset 'zzz'. Choose one of: ag_news, imdb."
    )


@pytest.mark.parametrize("kind", [errors.UsageError, errors.DataError, errors.ModelError, errors.StoreError])
def test_all_are_specfair_errors(kind: type[errors.SpecfairError]) -> None:
    assert issubclass(kind, errors.SpecfairError)
    assert set(errors.SpecfairError.__subclasses__()) >= {kind}
    assert len(errors.SpecfairError.__subclasses__()) <= 4


@pytest.mark.parametrize("kind", ["name in a gate", "key in [tool.specfair]", "axis of holistic_bias"])
def test_a_kind_of_name_stays_as_it_is(kind: str) -> None:
    said = errors.unknown(kind, "imbd", ["ag_news", "imdb"])
    assert said == f"unknown {kind} 'imbd'. Did you mean 'imdb'? Known: ag_news, imdb."


def test_one_is_not_many() -> None:
    assert [errors.counted(n, "group") for n in (0, 1, 2_000)] == ["0 groups", "1 group", "2,000 groups"]
