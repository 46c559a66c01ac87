"""Does a verdict hold under another lookahead? One trace answers for every number of assistant tokens."""

from specfair.desk import Desk


def test_gap(specfair: Desk, stage: str, lookahead: str) -> None:
    """No two groups are further apart than the bound, whatever the number of assistant tokens."""
    specfair.gate(specfair.audit().across_lookaheads(stage, "difference", "acceptance_rate"), kind="gap", of=lookahead)


def test_ratio(specfair: Desk, stage: str, lookahead: str) -> None:
    """The four-fifths rule, for tokens for each call of the target."""
    specfair.gate(
        specfair.audit().across_lookaheads(stage, "ratio", "mean_acceptance_length"), kind="speedup", of=lookahead
    )
