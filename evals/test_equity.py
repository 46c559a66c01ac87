"""Q2: do all groups gain alike, or does a better average hide a worse gap?"""

import pytest

from specfair.audit.desk import Desk

pytestmark = pytest.mark.specfair_needs("models")


def test_gap_has_not_widened(specfair: Desk, dataset: str) -> None:
    """The gap between the slowest and the fastest group is not wider than before."""
    specfair.ask("widening", dataset)


def test_groups_have_not_drifted_apart(specfair: Desk, dataset: str) -> None:
    """On the whole, groups lie no further from each other than before."""
    specfair.ask("spread", dataset)


def test_gain_does_not_follow_frequency(specfair: Desk, dataset: str) -> None:
    """Groups the dataset mentions ten times as often do not gain more than the bound on
    top.
    """
    specfair.ask("frequency", dataset)
