"""Against a stored baseline: is any group slower than it was? Collected only with
`--specfair-baseline NAME`.
"""

from specfair.audit.desk import Desk


def test_group_has_not_regressed(
    specfair: Desk, specfair_baseline: str, stage: str, group: str
) -> None:
    """The same prompts, then and now: no group's acceptance rate has fallen."""
    specfair.gate(
        specfair.against_baseline(specfair_baseline, stage).by_group,
        kind="regression",
        of=group,
    )


def test_everyone_together_has_not_regressed(
    specfair: Desk, specfair_baseline: str, stage: str
) -> None:
    """The acceptance rate over all groups has not fallen."""
    specfair.gate(
        specfair.against_baseline(specfair_baseline, stage).overall, kind="regression"
    )
