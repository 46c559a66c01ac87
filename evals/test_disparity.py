"""Disparity as it stands: the worst pair, the difference and the ratio, before (`base`)
and after each dataset.
"""

import pytest

from specfair.audit.desk import Desk


def test_difference(specfair: Desk, stage: str) -> None:
    """The fastest group's acceptance rate minus the slowest's."""
    specfair.ask("gap", stage)


def test_ratio(specfair: Desk, stage: str) -> None:
    """The four-fifths rule: the slowest group's rate is at least 80% of the
    fastest's.
    """
    specfair.ask("ratio", stage)


def test_speedup_ratio(specfair: Desk, stage: str) -> None:
    """The same rule for what users feel: tokens for each call of the target."""
    specfair.ask("speedup", stage)


@pytest.mark.specfair_needs("models")
def test_speculation_pays(specfair: Desk, stage: str, group: str) -> None:
    """Where `breakeven` is bounded: no group would be served faster without a draft."""
    specfair.ask("breakeven", stage, of=group)


def test_worst_pair(specfair: Desk, stage: str) -> None:
    """The two groups furthest apart, compared within template where the prompt set is
    crossed.
    """
    specfair.ask("worst_pair", stage)
