"""Disparity as it stands: the worst pair, the difference and the ratio, before (`base`) and after each dataset."""

from specfair.desk import Desk


def test_difference(specfair: Desk, stage: str) -> None:
    """The fastest group's acceptance rate minus the slowest's."""
    specfair.gate(specfair.audit().measured(stage).acceptance_rate.difference(), kind="gap")


def test_ratio(specfair: Desk, stage: str) -> None:
    """The four-fifths rule: the slowest group's rate is at least 80% of the fastest's."""
    specfair.gate(specfair.audit().measured(stage).acceptance_rate.ratio(), kind="ratio")


def test_speedup_ratio(specfair: Desk, stage: str) -> None:
    """The same rule for what users feel: tokens for each call of the target."""
    specfair.gate(specfair.audit().measured(stage).mean_acceptance_length.ratio(), kind="speedup")


def test_worst_pair(specfair: Desk, stage: str) -> None:
    """The two groups furthest apart, compared within template where the prompt set is crossed."""
    specfair.gate(specfair.audit().measured(stage).acceptance_rate.worst_pair(), kind="worst_pair")
