"""Small values come back from the store as they were."""

from pathlib import Path

import numpy as np
import pytest

from specfair.audit import values
from specfair.engine.agreement import Agreement
from specfair.engine.timing import Times
from specfair.errors import StoreError
from specfair.store import Store

TIMES = Times(("a", "b"), np.full((2, 2), 10), np.ones((2, 2)), np.full((2, 2), np.nan))


def test_values_come_back(tmp_path: Path) -> None:
    values.keep(TIMES, tmp_path / "t")
    again = values.reader(Times.of)(tmp_path / "t")
    assert again.groups == TIMES.groups
    for name in ("n_tokens", "alone", "speculative"):
        ours, theirs = getattr(again, name), getattr(TIMES, name)
        assert np.array_equal(ours, theirs, equal_nan=True)
        assert ours.dtype == theirs.dtype
    found = Agreement(10, 1, "differs")
    values.keep(found, tmp_path / "c")
    assert values.reader(lambda plain: Agreement(**plain))(tmp_path / "c") == found
    with pytest.raises(TypeError, match="object is no plain value"):
        values.keep(object(), tmp_path / "o")


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"groups": 1}'])
def test_damage_is_named(tmp_path: Path, damage: str) -> None:
    (tmp_path / "t").write_text(damage)
    with pytest.raises(StoreError, match=r"'t' of the store cannot be read .* again"):
        values.reader(Times.of)(tmp_path / "t")


def test_a_value_is_made_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> int:
        made.append(1)
        return 7

    for _ in range(2):
        assert (
            values.remembered(Store(tmp_path), "n", {"a": 1}, make=make, read=int) == 7
        )
    assert len(made) == 1
