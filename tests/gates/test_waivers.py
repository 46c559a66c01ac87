"""Waivers excuse a failure until a day, and fail when they are over or not needed."""

from datetime import date

import pytest

from specfair.errors import UsageError
from specfair.gates.waivers import Waiver, waived, waivers_of
from specfair.run.verdict import Excuse, Verdict
from specfair.vocabulary import Decision
from tests.report_samples import verdict

DAY = date(2027, 3, 31)
WAIVER = Waiver("imdb-*", "gain", DAY, "retrained in April")


@pytest.mark.parametrize(
    ("decision", "strict", "today", "excuse", "failed"),
    [
        ("fail", False, DAY, "waived", False),
        ("fail", False, date(2027, 4, 1), "expired", True),
        ("insufficient", True, DAY, "waived", False),
        ("insufficient", False, DAY, "", False),
        ("pass", False, DAY, "unneeded", True),
        ("pass", False, date(2027, 4, 1), "unneeded", True),
        ("invalid", False, DAY, "", True),
    ],
)
def test_what_a_waiver_does(
    decision: Decision, strict: bool, today: date, excuse: Excuse, failed: bool
) -> None:
    asked = verdict(decision=decision, strict=strict)
    found, _ = waived(asked, [WAIVER], today)
    assert (found.excuse, found.failed) == (excuse, failed)
    assert found.broken == asked.failed
    assert (found.outcome in ("fail", "invalid")) == failed
    assert ("retrained in April" in found.note) == bool(excuse)


@pytest.mark.parametrize(
    "other", [{"case": "sst2-a"}, {"gate": "gap"}, {"case": "base"}]
)
def test_other_verdicts_stay_as_they_are(other: dict[str, str]) -> None:
    asked: Verdict = verdict(**other)
    assert waived(asked, [WAIVER], DAY) == (asked, None)


def test_of_several_one_that_holds_is_taken() -> None:
    over = Waiver("imdb-a", "gain", date(2020, 1, 1), "old")
    found, one = waived(verdict(), [over, WAIVER], DAY)
    assert (found.excuse, one) == ("waived", WAIVER)
    assert waived(verdict(), [over], DAY)[0].excuse == "expired"


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"case": "a"}, "is not a list of tables"),
        (["a"], "has case = None"),
        ([{"case": "a", "gate": "gap", "until": DAY}], "has reason = None"),
        ([{"case": "a", "gat": "gap"}], "unknown key in .*waive.* 'gat'"),
        (
            [{"case": "a", "gate": "gapp", "until": DAY, "reason": "r"}],
            "unknown gate in a waiver 'gapp'",
        ),
        (
            [{"case": "a", "gate": "gap", "until": "2027-03-31", "reason": "r"}],
            "until = '2027-03-31', which is not a date such as 2027-03-31, without",
        ),
        ([{"case": "a", "gate": "gap", "until": DAY, "reason": " "}], "has reason"),
    ],
)
def test_what_is_no_waiver_is_refused(tables: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        waivers_of(tables, strict=True)


@pytest.mark.parametrize("strict", [True, False])
def test_only_the_configured_run_can_tell_that_one_is_unneeded(*, strict: bool) -> None:
    table = {"case": "imdb-*", "gate": "gain", "until": DAY, "reason": "known"}
    (one,) = waivers_of([table], strict=strict)
    found, used = waived(verdict(decision="pass"), [one], DAY)
    assert found.excuse == ("unneeded" if strict else "")
    assert used == one
    assert waived(verdict(decision="fail"), [one], DAY)[0].excuse == "waived"
