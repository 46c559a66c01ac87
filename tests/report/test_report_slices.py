"""The section on slices: what is drawn, greyed, framed and said of them."""

import re
from dataclasses import replace

import pytest

from specfair.report.lookup import index
from specfair.report.sections.slices import within_groups
from specfair.run.run import Run
from tests import report_samples


def run(**changes: object) -> Run:
    return replace(report_samples.recorded(), **{"slices": (), **changes})  # type: ignore[arg-type]  # mypy does not follow names


def test_small_cells_are_grey_and_sure_ones_framed() -> None:
    rows = tuple(report_samples.crossed())
    made = run(slices=rows)
    section = within_groups(index(made))
    assert section is not None
    (panel,) = section.panels
    grey = len(re.findall(r'<rect [^>]*fill="var\(--faint\)"', panel.drawing))
    assert grey == sum(not row.known for row in rows) == 3
    assert len(re.findall(r'<rect [^>]*stroke-width="2"', panel.drawing)) == 1
    assert panel.drawing.count("<rect") == len(rows)
    assert "3 of them with too few clusters to say" in panel.basis
    assert section.answer.startswith("1 of 12 slices with enough clusters are measur")
    assert "0 to 9 & 0 far north-east (by age_in_years & region)" in section.answer


def test_a_stored_run_reads_the_same() -> None:
    made = run(slices=tuple(report_samples.crossed()))
    again = Run.from_json(made.to_json())
    assert [row.known for row in again.slices] == [row.known for row in made.slices]
    assert again.to_json() == made.to_json()


def test_nobody_is_called_slow_without_evidence() -> None:
    rows = tuple(replace(row, p_holm=0.2) for row in report_samples.crossed())
    section = within_groups(index(run(slices=rows)))
    assert section is not None
    assert "is measurably slower" in section.answer
    assert section.answer.startswith("None of 15 slices")


@pytest.mark.parametrize(
    ("shape", "drawn"), [((24, 16), 1), ((25, 2), 0), ((16, 24), 1)]
)
def test_what_does_not_fit_is_a_table_only(shape: tuple[int, int], drawn: int) -> None:
    """More columns than rows are turned."""
    section = within_groups(index(run(slices=tuple(report_samples.crossed(shape)))))
    assert section is not None
    assert len(section.panels) == drawn
    assert len(section.tables[0].rows) <= 24


def test_a_run_without_slices_has_no_section() -> None:
    assert within_groups(index(run())) is None
