"""Q1: after fine-tuning on a dataset, is the draft better aligned with the target, and
for whom?
"""

import pytest

from specfair.audit.desk import Desk

pytestmark = pytest.mark.specfair_needs("models")


def test_group_is_not_slower(specfair: Desk, dataset: str, group: str) -> None:
    """No group's acceptance rate falls: before and after on the same prompts, corrected
    for the number of groups.
    """
    specfair.ask("gain", dataset, of=group)


def test_everyone_together_is_not_slower(specfair: Desk, dataset: str) -> None:
    """The acceptance rate over all groups does not fall."""
    specfair.ask("gain_together", dataset)


def test_improves(specfair: Desk, dataset: str) -> None:
    """Where a dataset is said to help (`improve` in [tool.specfair.gates.<dataset>]),
    it does.
    """
    specfair.ask("improve", dataset)
