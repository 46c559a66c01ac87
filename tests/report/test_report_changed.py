"""What changed between two runs: made from one recorded run, so that what differs is
known.
"""

from dataclasses import replace

from specfair.report.changed import changed, what_moved
from specfair.report.lookup import index
from specfair.vocabulary import BASE
from tests import report_samples


def test_the_same_run_twice_changed_in_nothing() -> None:
    run = index(report_samples.full())
    said, table = changed(run, run)
    assert said.startswith("Every check comes out as before. No group's")
    assert table.rows == ()


def test_checks_that_come_out_otherwise_are_listed_the_gravest_first() -> None:
    old = report_samples.full()
    passed = [v for v in old.verdicts if v.decision == "pass"]
    worse, gone = passed[0], passed[1]
    waived = replace(passed[2], decision="fail", excuse="waived", waiver="known")
    others = [v for v in old.verdicts if v not in passed[:3]]
    broken = replace(worse, decision="fail")
    new = replace(old, verdicts=(*others, waived, broken))
    pairs = what_moved(old, new)
    assert [pair.either.case for pair in pairs] == [
        v.case for v in (worse, waived, gone)
    ]
    said, table = changed(index(old), index(new))
    assert said.startswith("3 checks changed: 1 now failed")
    assert [(row[2], row[3]) for row in table.rows] == [
        ("passed", "failed"),
        ("passed", "waived"),
        ("passed", "not asked"),
    ]


def test_a_group_that_left_its_interval_is_named() -> None:
    old = report_samples.full()
    far = [
        replace(r, value=r.value + 0.3, low=r.low + 0.3, high=r.high + 0.3)
        if (r.stage, r.metric, r.group) == (BASE, old.metric, "queer")
        else r
        for r in old.estimates
    ]
    said, _ = changed(index(old), index(replace(old, estimates=tuple(far))))
    assert f"{old.metric} before fine-tuning moved for queer (+0.300" in said
