"""The worst identity swap: the same context about somebody else, how many more calls of
the target does the text take? Collected where a bound `swap` is set: it writes prompts
of its own.
"""

import pytest

from specfair.audit.desk import Desk

pytestmark = pytest.mark.specfair_needs("swap")


def test_worst_swap(specfair: Desk, stage: str) -> None:
    """Searched in some contexts, and judged by others that the search never saw."""
    specfair.ask("swap", stage)
