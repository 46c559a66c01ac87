"""At the desk: measure, decide, fail with the whole story; one bound a gate."""

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from specfair import config, stats
from specfair.audit.audit import Audit
from specfair.audit.case import Case
from specfair.audit.desk import Desk
from specfair.audit.session import Session
from specfair.errors import UsageError
from specfair.gates import bounds
from specfair.run.verdict import Verdict
from tests.conftest import small_audit


class GateFailedError(Exception):
    """What these tests hand in for a failure."""


def fail(text: str) -> NoReturn:
    raise GateFailedError(text)


def excuse(text: str) -> NoReturn:
    raise AssertionError(f"nothing is waived here: {text}")


@pytest.fixture
def desk(measured: Audit) -> Desk:
    session = Session(
        measured.settings,
        lambda _: None,
        audits={measured.settings.measurement: measured},
    )
    return Desk(session, Case("mine", "pytest mine"), Path(), {}, [], fail, excuse)


def test_a_gate_with_its_own_bound_decides_and_leaves_its_figures(desk: Desk) -> None:
    gap = desk.audit().acceptance_rate.difference()
    verdict = desk.gate(gap, at_most=0.99)
    assert isinstance(verdict, Verdict)
    assert verdict.decision == "pass"
    assert ("specfair.decision", "pass") in desk.properties
    assert desk.gate(desk.audit().acceptance_rate.ratio(), at_least=0.0) is not None


def test_a_failed_gate_tells_the_whole_story(desk: Desk) -> None:
    with pytest.raises(
        GateFailedError, match=r"(?s)mine: .*expected  .*alone     pytest mine"
    ):
        desk.gate(desk.audit(scope="set").mean_acceptance_length.overall, at_least=99)


def test_a_gate_that_is_off_says_nothing(desk: Desk) -> None:
    assert desk.gate(desk.audit().acceptance_rate.difference(), kind="clock") is None
    assert [name for name, _ in desk.properties] == ["specfair.about"]


def test_one_gate_has_one_bound(desk: Desk) -> None:
    with pytest.raises(
        UsageError, match="has at_most and at_least; a gate has one bound"
    ):
        desk.gate(desk.audit().acceptance_rate.overall, at_most=1, at_least=0)


def test_settings_come_from_the_call_then_the_marker_then_the_project(
    desk: Desk,
) -> None:
    marked = Desk(
        desk.session,
        desk.case,
        Path(),
        {"lookahead": "constant-2", "seed": 1},
        [],
        fail,
        excuse,
    )
    expected = config.override(
        desk.session.settings, {"lookahead": "constant-2", "seed": 1}
    ).measurement
    assert marked.audit().settings == expected
    assert marked.audit(lookahead="constant-1").settings.lookahead == "constant-1"
    assert len(marked.case.audits) == 2


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"kind": "gpa"}, "Did you mean 'gap'"),
        ({"kind": "at_most"}, "unknown gate 'at_most'"),
        ({}, "neither a kind nor a bound"),
        ({"at_most": "0.1"}, "a bound is a finite number"),
        ({"at_most": float("nan")}, "a bound is a finite number"),
        ({"at_least": True}, "a bound is a finite number"),
    ],
)
def test_a_slip_in_a_gate_is_one_line(desk: Desk, asked: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        desk.gate(desk.audit().acceptance_rate.overall, **asked)
    assert "\n" not in str(caught.value)


def test_what_is_no_estimate_is_one_line(desk: Desk) -> None:
    groups, gains = desk.audit().acceptance_rate, desk.audit().gains("imdb")
    for given, said in (
        (groups, "given Groups"),
        (0.5, "given float"),
        (None, "given NoneType"),
        ({}, "an empty family"),
    ):
        with pytest.raises(UsageError, match=said):
            desk.gate(given, at_most=1.0)  # type: ignore[arg-type]  # that is the mistake
    with pytest.raises(UsageError, match="unknown member of the family"):
        desk.gate(gains, at_least=-1.0)
    with pytest.raises(UsageError, match="Did you mean 'queer'"):
        desk.gate(gains, at_least=-1.0, of="quer")


def test_two_gates_of_one_test_are_two_verdicts(desk: Desk) -> None:
    for bound in (0.9, 0.95, 0.99):
        desk.gate(desk.audit().acceptance_rate.difference(), at_most=bound)
    assert [v.bound for v in desk.session.verdicts.values()] == [0.9, 0.95, 0.99]
    assert {v.gate for v in desk.session.verdicts.values()} == {"at_most"}


def test_a_ceiling_is_not_called_a_gap(desk: Desk) -> None:
    verdict = desk.gate(desk.audit().kl.overall, at_most=99.0)
    assert verdict is not None
    assert "gap" not in verdict.sentence


@pytest.mark.parametrize("by_marker", [True, False])
def test_strict_in_the_marker_or_the_call_is_strict(
    desk: Desk, by_marker: bool
) -> None:
    marked = {"strict": True} if by_marker else {}
    strict = Desk(
        desk.session, Case("mine", "pytest mine"), Path(), marked, [], fail, excuse
    )
    audit = strict.audit(**({} if by_marker else {"strict": True}))
    assert audit is desk.audit()  # nothing is measured again for it
    undecided = stats.Estimate(0.5, 0.0, 1.0)
    assert desk.gate(undecided, at_most=0.5) is not None
    with pytest.raises(GateFailedError, match="undecided"):
        strict.gate(undecided, at_most=0.5)


@pytest.mark.parametrize("name", config.OF_THE_RUN)
def test_what_is_of_the_run_is_refused_for_one_audit(desk: Desk, name: str) -> None:
    with pytest.raises(UsageError, match="it is of the whole run"):
        desk.audit(**{name: "main"})


def test_a_standard_question_is_asked_in_every_metric_that_is_bounded(
    measured: Audit,
) -> None:
    rules = bounds.rules_of({"gap": 0.9, "alpha": {"gap": 0.99}, "kl": {"gap": "off"}})
    session = Session(replace(measured.settings, gates=rules), lambda _: None)
    session.audits[session.settings.measurement] = measured
    desk = Desk(session, Case("imdb", "pytest mine"), Path(), {}, [], fail, excuse)
    assert [(v.metric, v.bound) for v in desk.ask("gap", "imdb")] == [
        ("acceptance_rate", 0.9),
        ("alpha", 0.99),
    ]
    assert session.held == set(rules)
    failing = replace(
        session.settings, gates=bounds.rules_of({"gap": -0.9, "alpha": {"gap": -0.9}})
    )
    folder = Path(measured.settings.store).parent
    session.audits[failing.measurement] = small_audit(folder, scope="set")[0]
    with pytest.raises(GateFailedError, match=r"(?s)acceptance_rate.*alpha"):
        replace(desk, session=replace(session, settings=failing)).ask("gap", "imdb")
    with pytest.raises(UsageError, match="Did you mean 'gap'"):
        desk.ask("gpa", "imdb")


def test_what_is_measured_stands_in_the_properties(desk: Desk) -> None:
    desk.audit()
    desk.audit()
    [(name, said)] = desk.properties
    assert name == "specfair.about"
    assert all(
        part in str(said)
        for part in (
            "embedded / embedded",
            "18",
            "3 groups",
            "greedy, at most 8 new tokens",
        )
    )
