"""Does a verdict hold under another lookahead? One trace answers for every number of
assistant tokens.
"""

import pytest

from specfair.audit.desk import Desk

pytestmark = pytest.mark.specfair_needs("models")


def test_gap(specfair: Desk, stage: str, lookahead: str) -> None:
    """No two groups are further apart than the bound, whatever the number of assistant
    tokens.
    """
    specfair.ask("gap_by_lookahead", stage, of=lookahead)


def test_ratio(specfair: Desk, stage: str, lookahead: str) -> None:
    """The four-fifths rule, for tokens for each call of the target."""
    specfair.ask("speedup_by_lookahead", stage, of=lookahead)
