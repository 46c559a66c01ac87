"""At the desk: measure, decide, fail with the whole story; one bound a gate."""

from pathlib import Path
from typing import NoReturn

import pytest

from specfair import config
from specfair.audit import Audit
from specfair.desk import Desk
from specfair.errors import UsageError
from specfair.gates import Verdict
from specfair.session import Case, Session


class GateFailedError(Exception):
    """What these tests hand in for a failure."""


def fail(text: str) -> NoReturn:
    raise GateFailedError(text)


@pytest.fixture
def desk(measured: Audit) -> Desk:
    session = Session(measured.settings, lambda _: None, audits={measured.settings: measured})
    return Desk(session, Case("mine", "pytest mine"), Path(), {}, [], fail)


def test_a_gate_with_its_own_bound_decides_and_leaves_its_figures(desk: Desk) -> None:
    gap = desk.audit().acceptance_rate.difference()
    verdict = desk.gate(gap, at_most=0.99)
    assert isinstance(verdict, Verdict)
    assert verdict.decision == "pass"
    assert ("specfair.decision", "pass") in desk.properties
    assert desk.gate(desk.audit().acceptance_rate.ratio(), at_least=0.0) is not None


def test_a_failed_gate_tells_the_whole_story(desk: Desk) -> None:
    with pytest.raises(GateFailedError, match=r"(?s)mine: .*expected  .*alone     pytest mine"):
        desk.gate(desk.audit().mean_acceptance_length.overall, at_least=99)


def test_a_gate_that_is_off_says_nothing(desk: Desk) -> None:
    assert desk.gate(desk.audit().acceptance_rate.difference(), kind="clock") is None
    assert desk.properties == []


def test_one_gate_has_one_bound(desk: Desk) -> None:
    with pytest.raises(UsageError, match="has at_most and at_least; a gate has one bound"):
        desk.gate(desk.audit().acceptance_rate.overall, at_most=1, at_least=0)


def test_settings_come_from_the_call_then_the_marker_then_the_project(desk: Desk) -> None:
    marked = Desk(desk.session, desk.case, Path(), {"lookahead": "constant-2", "seed": 1}, [], fail)
    assert marked.audit().settings == config.override(desk.session.settings, {"lookahead": "constant-2", "seed": 1})
    assert marked.audit(lookahead="constant-1").settings.lookahead == "constant-1"
    assert len(marked.case.audits) == 2
