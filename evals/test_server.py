"""A server that runs, beside what is asked of any pair: is anyone slower than without
speculation, and does it matter who asked before? Collected where a server is measured.
"""

import pytest

from specfair.audit.desk import Desk

pytestmark = pytest.mark.specfair_needs("server")


@pytest.mark.specfair_needs("server_plain")
def test_nobody_waits_longer(specfair: Desk, stage: str, group: str) -> None:
    """Seconds without speculation over seconds with it, request by request."""
    specfair.ask("faster", stage, of=group)


@pytest.mark.specfair_needs("server_plain", "clock")
def test_everybody_is_sped_up_alike(specfair: Desk, stage: str) -> None:
    """The four-fifths rule for what clients gain."""
    specfair.ask("clock", stage)


@pytest.mark.specfair_needs("order_check")
def test_it_does_not_matter_who_asked_before(
    specfair: Desk, stage: str, group: str
) -> None:
    """The same prompts in reverse order take as many calls of the target."""
    specfair.ask("order", stage, of=group)
