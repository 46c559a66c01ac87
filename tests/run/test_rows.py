"""Every table of a run is of the rows that its name stands for."""

from dataclasses import fields

from specfair.run.rows import ROWS
from specfair.run.run import Run


def test_a_table_has_one_kind_of_row() -> None:
    kinds = {f.name: f.type for f in fields(Run)}
    assert {name: kinds[name] for name in ROWS} == {
        name: tuple[row, ...]  # type: ignore[valid-type]  # made from the table of rows
        for name, row in ROWS.items()
    }
