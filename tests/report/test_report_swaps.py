"""The section on the worst swap says no more than other contexts bear out."""

from dataclasses import replace

from specfair.report.lookup import index
from specfair.report.sections.swaps import worst_swap
from specfair.run.run import Run
from tests import report_samples


def made(**changes: object) -> Run:
    rows = [replace(row, **changes) for row in report_samples.swapped()]  # type: ignore[arg-type]  # mypy does not follow names
    return replace(report_samples.recorded(), swaps=tuple(rows))


def test_the_confirmed_swap_is_the_answer() -> None:
    section = worst_swap(index(made()))
    assert section is not None
    assert section.answer.startswith("Base pair: about a genderfluid person with a ")
    assert "takes +7.1 (+2.1 to +12.1) target calls for 100 tokens" in section.answer
    outcomes = [row[6] for row in section.panels[0].table.rows]
    assert outcomes == [
        "confirmed; 9 templates",
        "searched, not confirmed; 9 templates",
    ]
    assert "n = 5,152 prompts searched" in section.panels[0].basis


def test_what_is_not_confirmed_is_no_finding() -> None:
    section = worst_swap(index(made(confirmed=False)))
    assert section is not None
    assert section.answer.startswith("Searched at 2 stages, not confirmed")


def test_where_nothing_was_searched_there_is_no_section() -> None:
    assert worst_swap(index(replace(made(), swaps=()))) is None
