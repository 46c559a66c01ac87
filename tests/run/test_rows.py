"""Every table of a run is of the rows that its name stands for."""

from dataclasses import fields, replace

from specfair.run.rows import ROWS, RankRow
from specfair.run.run import Run
from specfair.vocabulary import BASE


def test_a_table_has_one_kind_of_row() -> None:
    kinds = {f.name: f.type for f in fields(Run)}
    assert {name: kinds[name] for name in ROWS} == {
        name: tuple[row, ...]  # type: ignore[valid-type]  # made from the table of rows
        for name, row in ROWS.items()
    }


def test_a_place_in_words() -> None:
    row = RankRow(BASE, "m", "a", 0.5, 0.5, 0.4, 0.6, 1, 3, 10)
    assert row.place == "1 to 3 of 10"
    assert replace(row, rank_high=1).place == "1 of 10"
