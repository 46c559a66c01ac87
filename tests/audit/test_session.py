"""A session remembers what was asked, finds the family and the bound, and explains a
failure.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from specfair import config, gates
from specfair.audit.audit import Audit
from specfair.audit.case import Case, explain, invoked
from specfair.audit.session import Session, ask_all, snapshot
from specfair.errors import UsageError
from specfair.gates.bounds import parse_rule
from specfair.stats import Estimate
from specfair.vocabulary import BASE, CLAIMS, Stage

IMDB = Stage("imdb")


@pytest.fixture
def session(measured: Audit) -> Session:
    return Session(
        measured.settings,
        lambda _: None,
        audits={measured.settings.measurement: measured},
    )


def test_an_audit_is_made_once_for_each_settings(session: Session) -> None:
    assert session.audit() is session.audit()
    assert session.audit(lookahead="constant-3") is not session.audit()
    assert session.audit(lookahead="constant-3") is session.audit(
        lookahead="constant-3"
    )
    with pytest.raises(UsageError, match="Did you mean 'lookahead'"):
        session.audit(lookahed="constant-3")


def test_a_family_is_corrected_together_and_the_member_is_returned(
    session: Session,
) -> None:
    case = Case("imdb-queer", 'pytest "evals/x.py::t[imdb-queer]"', IMDB, "queer")
    bound = gates.Bound("gain", 0.0)
    alone = session.judge(session.audit().gains("imdb")["queer"], bound, case, "")
    family = session.judge(session.audit().gains("imdb"), bound, case, "queer")
    assert alone.value == family.value
    assert family.p_holm >= alone.p_holm
    first, stored = session.verdicts.values()
    assert (first.nth, stored.nth) == (0, 1)
    assert stored.reproduce == 'pytest "evals/x.py::t[imdb-queer]"'


def test_stages_are_one_family_unless_asked_otherwise(measured: Audit) -> None:
    """The base pair and imdb are asked about the gap; only imdb about a gain."""
    both = [replace(measured.settings, family=name) for name in ("run", "stage")]
    sessions = [Session(settings, lambda _: None) for settings in both]
    gap, gains = measured.base.acceptance_rate.difference(), measured.gains("imdb")
    for kind, asked, times in (("gap", gap, 2), ("gain", gains, 1)):
        of = "queer" if kind == "gain" else ""
        bound = gates.Bound(kind, 0.9)
        run, stage = (s.judge(asked, bound, Case("c", "n", IMDB), of) for s in sessions)
        assert run.p_holm == min(times * stage.p_holm, 1.0)


def test_every_member_of_a_family_is_held_at_its_own_bound(measured: Audit) -> None:
    """A bound of its own for one group does not make others break it."""
    rules = (parse_rule("gain>=-0.9"), parse_rule("queer.gain>=0.9"))
    session = Session(replace(measured.settings, gates=rules), lambda _: None)
    gains = measured.gains("imdb")
    found = {}
    for group in gains:
        case = Case(f"imdb-{group}", "n", IMDB, group)
        bound = session.bound("gain", case)
        assert bound is not None
        found[group] = session.judge(gains, bound, case, group)
    assert found.pop("queer").bound == 0.9
    for verdict in found.values():
        assert (verdict.bound, verdict.decision) == (-0.9, "pass")


def test_members_that_keep_their_own_bounds_charge_the_one_that_does_not(
    measured: Audit,
) -> None:
    """Exact: the others lie right at their own bounds, so Holm's charge is a full one.
    Held at the bound of the one asked about, they would break it more surely than it
    does, and leave it no charge at all.
    """
    gains = measured.gains("imdb")
    best = max(gains, key=lambda group: gains[group].value)
    at = {g: one.high if g == best else one.value for g, one in gains.items()}
    rules = tuple(parse_rule(f"{g}.gain>={v!r}") for g, v in at.items())
    settings = replace(measured.settings, gates=rules, family="stage")
    session = Session(settings, lambda _: None)
    case = Case(f"imdb-{best}", "n", IMDB, best)
    bound = session.bound("gain", case)
    assert bound is not None
    found = session.judge(gains, bound, case, best)
    assert found.p_value == pytest.approx(0.05, abs=0.001)
    assert found.p_holm == pytest.approx(len(gains) * found.p_value)


def test_the_bound_that_is_given_holds_whatever_is_configured(measured: Audit) -> None:
    """Also where the project has switched the gate off for this group."""
    rules = (parse_rule("gain>=-0.9"), parse_rule("queer.gain=off"))
    session = Session(replace(measured.settings, gates=rules), lambda _: None)
    case = Case("imdb-queer", "n", IMDB, "queer")
    bound = gates.Bound("gain", -0.7, 0.3)
    found = session.judge(measured.gains("imdb"), bound, case, "queer")
    assert (found.bound, found.min_effect) == (-0.7, 0.3)


@pytest.mark.parametrize("scope", ["identities", "prompts", "set"])
def test_a_verdict_says_what_it_is_about(measured: Audit, scope: str) -> None:
    """The narrower the claim, the narrower the interval; the set alone has none."""
    settings = replace(measured.settings, scope=scope)
    audit = Audit(settings)
    gap = audit.base.acceptance_rate.difference()
    assert gap.value == measured.base.acceptance_rate.difference().value
    width, usual = gap.high - gap.low, measured.base.acceptance_rate.difference()
    assert (width == 0) == (scope == "set")
    assert width <= usual.high - usual.low
    session, case = Session(settings, lambda _: None), Case("base", "n", BASE)
    verdict = session.judge(gap, gates.Bound("gap", 0.001), case, "")
    assert verdict.scope == scope
    assert CLAIMS[scope] in explain(verdict, case)
    assert (CLAIMS[scope] in verdict.sentence) == (scope != "identities")
    if scope == "set":
        assert verdict.decision == "fail"
        change = audit.gain("imdb")
        assert change.low == change.high == change.value


def test_sampled_texts_are_not_all_there_is() -> None:
    with pytest.raises(UsageError, match="scope = 'set' does not fit: sampled texts"):
        config.override(config.Settings(), {"scope": "set", "temperature": 1})


def test_strict_settings_make_strict_verdicts(measured: Audit) -> None:
    strict = Session(replace(measured.settings, strict=True), lambda _: None)
    wide = Estimate(0.0, -1.0, 1.0)
    assert strict.judge(wide, gates.Bound("gain", 0.0), Case("c", "n"), "").failed
    usual = Session(measured.settings, lambda _: None)
    assert not usual.judge(wide, gates.Bound("gain", 0.0), Case("c", "n"), "").failed


def test_those_who_run_no_tests_ask_the_same(session: Session) -> None:
    for stage in (BASE, IMDB):
        ask_all(session, stage)
    kinds = Counter(v.gate for v in session.verdicts.values())
    n_lookaheads = len(session.settings.other_lookaheads)
    assert kinds == {
        "gap": 2 + 2 * n_lookaheads,
        "ratio": 2,
        "speedup": 2 + 2 * n_lookaheads,
        "worst_pair": 2,
        "confident_rejections": 2,
        "gain": len(session.audit().prompts.groups) + 1,
        "widening": 1,
        "spread": 1,
    }
    names = {v.case for v in session.verdicts.values()}
    assert {"base", "imdb", "imdb-queer", "imdb-constant-1"} <= names
    assert session.settings.lookahead == "constant-5"
    assert "imdb-constant-5" not in names  # that is the gap itself, and is judged once


def test_a_question_without_a_bound_is_counted(session: Session) -> None:
    case = Case("imdb", "pytest x", IMDB)
    assert session.bound("improve", case) is None
    assert session.bound("gap", case) is not None
    assert +session.ungated == {"improve": 1}


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("/venv/bin/pytest", "pytest evals -k 'a b'"),
        ("/lib/pytest/__main__.py", "python -m pytest evals -k 'a b'"),
    ],
)
def test_the_command_is_what_a_person_types(
    monkeypatch: pytest.MonkeyPatch, program: str, expected: str
) -> None:
    monkeypatch.setattr("sys.argv", [program, "evals", "-k", "a b"])
    assert invoked() == expected


def test_a_snapshot_holds_what_was_measured_and_no_path(
    session: Session, tmp_path: Path
) -> None:
    audit = session.audit()
    kept = snapshot(audit, audit.stages)
    assert set(kept.counts) == {BASE, IMDB}
    assert str(tmp_path.parent) not in str(kept.about)
    assert len(kept.labels["prompt"]) == len(audit.prompts)


def test_an_explanation_has_every_number(session: Session) -> None:
    case = Case("imdb", 'pytest "evals/x.py::t[imdb]"', IMDB)
    gap = session.audit().after("imdb").acceptance_rate.difference()
    verdict = session.judge(gap, gates.Bound("gap", -0.5), case, "")
    text = explain(verdict, case)
    for part in (
        "expected",
        "actual",
        "evidence",
        "groups",
        "6 prompts",
        "alone",
        "evals/x.py::t[imdb]",
    ):
        assert part in text
