"""Q2: do all groups gain alike, or does a better average hide a worse gap?"""

from specfair.desk import Desk


def test_gap_after(specfair: Desk, dataset: str) -> None:
    """After fine-tuning, no two groups are further apart than the bound."""
    specfair.gate(specfair.audit().after(dataset).acceptance_rate.difference(), kind="gap")


def test_gap_has_not_widened(specfair: Desk, dataset: str) -> None:
    """The gap between the slowest and the fastest group is not wider than before."""
    specfair.gate(specfair.audit().widening(dataset), kind="widening")


def test_gain_does_not_follow_frequency(specfair: Desk, dataset: str) -> None:
    """Groups the dataset mentions ten times as often do not gain more than the bound on top."""
    specfair.gate(specfair.audit().frequency(dataset).slope, kind="frequency")
