"""The three sentences of the first screen, on a recorded run and on runs made from it
in which the cause is known.
"""

from dataclasses import replace

from specfair.report import lead
from specfair.report.lookup import index
from specfair.run.rows import EstimateRow, SplitRow
from specfair.run.run import Run
from specfair.vocabulary import BASE, Stage
from tests import report_samples

GROUPS = ("a", "b", "c")
IMDB = Stage("imdb")


def row(metric: str, group: str, value: float, at: Stage = BASE) -> EstimateRow:
    at_5 = "" if metric == lead.SURE else "constant-5"
    ends = value - 0.01, value + 0.01
    return EstimateRow(at, metric, at_5, group, value, *ends, n_prompts=9, n_clusters=9)


def split(worse: float, low: float, high: float) -> SplitRow:
    total = -0.2
    return SplitRow(BASE, "a", "b", total, total - worse, worse, low, high)


def made(**fields: object) -> Run:
    lengths = [
        row(lead.LENGTH, g, v) for g, v in zip(GROUPS, (2.0, 4.0, 3.0), strict=True)
    ]
    sure = [
        row(lead.SURE, g, v) for g, v in zip(GROUPS, (0.3, 0.01, 0.02), strict=True)
    ]
    known = {"estimates": (*lengths, *sure), "datasets": ("imdb",)} | fields
    return Run(
        created="now",
        command="c",
        groups=GROUPS,
        lookahead="constant-5",
        **known,  # type: ignore[arg-type]  # fields of a run by name
    )


def test_who_waits_and_how_much_longer() -> None:
    who, *_ = lead.lead(index(made()))
    assert who == (
        "a waits longest: 100 tokens take 50 calls of the target, 100% more than "
        "the 25 of b."
    )


def test_a_stage_where_it_is_worse_is_named() -> None:
    run = made()
    after = [
        row(lead.LENGTH, g, v, IMDB)
        for g, v in zip(GROUPS, (2.0, 5.0, 1.0), strict=True)
    ]
    who, *_ = lead.lead(index(replace(run, estimates=(*run.estimates, *after))))
    assert who.endswith("; after imdb it is c with 400% more.")


def test_why_says_what_is_not_known() -> None:
    known, half, unknown = (
        lead.lead(index(made(splits=(split(*part),))))[1]
        for part in ((-0.19, -0.22, -0.15), (-0.1, -0.15, -0.05), (-0.1, -0.3, 0.1))
    )
    assert known.startswith(
        "Why: the difference of 0.20 in acceptance between a and b comes from a draft"
    )
    assert half.startswith(
        "Why: 50% of the difference of 0.20 in acceptance between a and b is a worse"
    )
    assert "it is not known how much the draft adds" in unknown
    assert known.endswith(
        "sure and wrong most often about a (30% of what it is sure of)."
    )


def test_why_is_asked_of_who_waits_longest_even_if_others_lie_further_apart() -> None:
    """Accepted tokens and acceptance need not agree on who is last."""
    own, wider = split(-0.19, -0.22, -0.15), split(-0.4, -0.5, -0.3)
    wider = replace(wider, group_a="c", total=-0.5)
    said = lead.lead(index(made(splits=(wider, own))))[1]
    assert "between a and b" in said
    said = lead.lead(index(made(splits=(wider, replace(own, group_a="d")))))[1]
    assert "between c and b" in said


def test_the_command_is_that_of_the_first_check_that_needs_it() -> None:
    command = "specfair mend --target T --draft D --recipe fairspec --out mended"
    needs = report_samples.verdict(way_out=f"Mend the draft for a: `{command}`.")
    fine = replace(needs, decision="pass", way_out="`specfair mend --target no`")
    found = index(made(verdicts=(fine, needs)))
    assert lead.mending(found) == command
    assert lead.lead(found)[-1] == f"To mend the draft: `{command}`"
    assert lead.lead(index(made(verdicts=(fine,))))[-1] == (
        "Nothing that was judged asks for mending."
    )


def test_a_failure_that_no_mended_draft_answers_is_still_a_failure() -> None:
    lost = report_samples.verdict(way_out="Tune on more of its texts.")
    doubt = replace(lost, decision="insufficient")
    known = replace(lost, excuse="waived")
    broken = replace(lost, decision="invalid")
    ends = [
        lead.lead(index(made(verdicts=verdicts)))[-1]
        for verdicts in ((lost, doubt), (broken,), (doubt,), (known, doubt), (known,))
    ]
    assert ends == [
        "1 check failed; what helps stands beside each.",
        "1 check failed; what helps stands beside each.",
        "Nothing failed; more prompts would decide the rest.",
        "What failed is known and waived; more prompts would decide the rest.",
        "What failed is known and waived.",
    ]


def test_a_recorded_run_says_all_three() -> None:
    assert len(lead.lead(index(report_samples.full()))) == 3
    assert lead.lead(index(Run(created="now", command="c", groups=()))) == ()
