"""Sentences say what the rows say, and call noise noise."""

import dataclasses
from typing import Any

import pytest

from specfair.report import findings
from specfair.report.lookup import (
    Index,
    index,
    lookaheads,
    stages,
    tally,
)
from specfair.run.rows import (
    EstimateRow,
    FrequencyRow,
    GapRow,
    PairRow,
    RankRow,
    SplitRow,
)
from specfair.run.run import Run
from specfair.run.verdict import Verdict
from specfair.vocabulary import BASE, Stage
from tests import report_samples

IMDB = Stage("imdb")


def verdict(case: str, decision: str, stage: str = "imdb") -> Verdict:
    return report_samples.verdict(case=case, decision=decision, stage=Stage.of(stage))


def run(**fields: Any) -> Run:
    defaults: dict[str, Any] = {
        "created": "now",
        "command": "c",
        "groups": ("a", "b"),
        "datasets": ("imdb", "imdb-2"),
    }
    return Run(**{**defaults, **fields})


def change(
    group: str, value: float, *, sure: bool, dataset: str = "imdb"
) -> EstimateRow:
    half = abs(value) / 2 if sure else abs(value) * 2 + 0.01
    return EstimateRow(
        Stage(dataset),
        "acceptance_rate",
        "constant-5",
        group,
        value,
        value - half,
        value + half,
        9,
        3,
    )


def level(group: str, value: float, *, stage: Stage = IMDB) -> EstimateRow:
    return EstimateRow(
        stage,
        "acceptance_rate",
        "constant-5",
        group,
        value,
        value - 0.1,
        value + 0.1,
        9,
        3,
    )


@pytest.mark.parametrize(
    ("decisions", "sentence"),
    [
        ([], "Measured, not judged: this run holds no bounds."),
        (["pass"], "The only check passed."),
        (["pass", "pass"], "All 2 checks passed."),
        (
            ["pass", "insufficient"],
            "No check failed; 1 of 2 checks needs more prompts to decide.",
        ),
        (["fail", "insufficient"], "1 of 2 checks failed after imdb: a."),
        (["invalid", "pass"], "1 of 2 checks could not be measured after imdb: a."),
    ],
)
def test_the_whole_run_in_one_sentence(decisions: list[str], sentence: str) -> None:
    cases = zip(("imdb-a", "imdb-b"), decisions, strict=False)
    assert (
        findings.verdict(run(verdicts=tuple(verdict(*pair) for pair in cases)))
        == sentence
    )


def test_failures_of_several_datasets_keep_their_whole_names() -> None:
    cases = {
        "imdb-a": "imdb",
        "imdb-2-b": "imdb-2",
        "base": "base",
        "imdb": "imdb",
        "imdb-b": "imdb",
    }
    failed = (verdict(case, "fail", stage) for case, stage in cases.items())
    said = findings.verdict(run(verdicts=tuple(failed)))
    assert said == "5 of 5 checks failed: imdb-a, imdb-2-b, base and 2 more."
    assert findings.verdict(run(verdicts=(verdict("imdb", "fail"),))).endswith(
        "after imdb: all groups."
    )


def test_a_change_whose_interval_spans_zero_is_no_change() -> None:
    rows = (change("", 0.05, sure=True), change("", 0.01, sure=False, dataset="imdb-2"))
    said = findings.speed(index(run(changes=rows)))
    assert said == "Higher after imdb (+0.050); no measurable change after imdb-2."
    down = findings.speed(index(run(changes=(change("", -0.05, sure=True),))))
    assert down == "Lower after imdb (\u22120.050)."
    assert findings.speed(index(run())) == "This run has no change with an interval."


def test_one_dataset_names_winner_and_slowest() -> None:
    levels = (level("a", 0.6), level("b", 0.7))
    rows = (change("a", 0.1, sure=True), change("b", 0.2, sure=False))
    said = findings.dataset(index(run(estimates=levels, changes=rows)), IMDB)
    assert said == "After imdb, a gains most (+0.10); a is slowest, 0.10 behind b"
    noise = tuple(dataclasses.replace(row, low=-1.0, high=1.0) for row in rows)
    assert "no measurable change in any group" in findings.dataset(
        index(run(changes=noise)), IMDB
    )
    losses = (change("a", -0.1, sure=True), change("b", -0.2, sure=True))
    assert (
        findings.dataset(index(run(changes=losses)), IMDB)
        == "After imdb, a loses least (\u22120.10)"
    )
    assert findings.dataset(index(run()), IMDB) == "After imdb"


def rank(group: str, high: int, *, stage: Stage) -> RankRow:
    return RankRow(
        stage, "acceptance_rate", group, 0.6, 0.62, 0.6, 0.64, 1, high, n_groups=4
    )


def test_the_slowest_is_named_with_its_doubt() -> None:
    levels = (level("a", 0.6), level("b", 0.7))
    rows = {"estimates": levels, "gaps": (gap("base", 0.1, 0.02, 0.2),)}
    unsure = (rank("a", 3, stage=IMDB), rank("a", 2, stage=BASE))
    found = index(run(**rows, ranks=unsure))
    assert findings.dataset(found, IMDB) == (
        "After imdb, a is slowest as measured (it may be 1st to 3rd slowest of 4), "
        "0.10 behind b"
    )
    said = (
        "Slowest is a as measured (it may be 1st to 2nd slowest of 4), fastest b: a gap"
    )
    assert findings.slowest(found).startswith(said)
    sure = tuple(dataclasses.replace(row, rank_high=1) for row in unsure)
    found = index(run(**rows, ranks=sure))
    assert findings.dataset(found, IMDB) == "After imdb, a is slowest, 0.10 behind b"
    assert findings.slowest(found).startswith("Slowest is a, fastest b: a gap")


def test_mentions_against_gain() -> None:
    rows = [
        FrequencyRow(Stage("imdb"), 0.02, 0.01, 0.03, 0.9, 0.01),
        FrequencyRow(Stage("imdb-2"), -0.02, -0.03, -0.01, 0.9, 0.01),
    ]
    said = findings.share(index(run(frequency=tuple(rows))))
    assert said.startswith(
        "Groups mentioned more often gain more after imdb (+0.020 for each "
        "tenfold); they gain less"
    )
    assert findings.share(index(run(frequency=(rows[1],)))).startswith(
        "Groups mentioned more often gain less after"
    )
    nothing = dataclasses.replace(rows[0], low=-1.0)
    assert (
        findings.share(index(run(frequency=(nothing,))))
        == "No measurable relation after imdb."
    )
    unknown = dataclasses.replace(rows[0], low=float("nan"), high=float("nan"))
    assert (
        findings.share(index(run(frequency=(unknown,))))
        == "No measurable relation after imdb."
    )
    assert findings.share(index(run())) == ""


def gap(stage: str, *ends: float, null: float | None = 0.05) -> GapRow:
    value, low, high = ends
    at, metric, ahead = Stage.of(stage), "acceptance_rate", "constant-5"
    return GapRow(at, metric, ahead, value, low, high, null, 0.9, "a", "b")


def test_the_gap_and_chance() -> None:
    assert "more than groups that are alike" in findings.slowest(
        index(run(gaps=(gap("base", 0.1, 0.02, 0.2),)))
    )
    assert "no more than groups that are alike" in findings.slowest(
        index(run(gaps=(gap("base", 0.04, 0.0, 0.2),)))
    )
    edge = findings.slowest(index(run(gaps=(gap("base", 0.1, 0.0, 0.2),))))
    assert edge.endswith("though its interval reaches zero.")
    assert findings.chance(gap("base", 0.1, 0.0, 0.2, null=None)) == ""
    assert findings.slowest(index(run())) == ""
    both = (
        gap("imdb", 0.1, 0.05, 0.2),
        gap("imdb-2", -0.1, -0.2, -0.05),
    )
    assert findings.widened(index(run(widenings=both))) == (
        "The gap between groups widened after imdb (+0.100) and narrowed after "
        "imdb-2 (\u22120.100)."
    )
    flat = index(run(widenings=(gap("imdb", 0.1, -0.05, 0.2),)))
    assert findings.widened(flat) == "The gap between groups did not change measurably."


def test_widest_pair_is_the_widest_detected_one() -> None:
    pairs = (
        PairRow(BASE, "m", "a", "b", 0.1, 0, 0, 0.01),
        PairRow(BASE, "m", "a", "c", -0.3, 0, 0, 0.2),
    )
    assert (
        findings.widest_pair(index(run(pairs=pairs)), BASE)
        == "b is 0.10 behind a; 1 of 2 pairs differ"
    )
    assert (
        findings.widest_pair(index(run(pairs=pairs[1:])), BASE)
        == "none of 1 pair differs measurably"
    )


def test_causes_keep_noise_apart() -> None:
    row = SplitRow(BASE, "a", "b", -0.1, -0.04, -0.06, -0.08, -0.04)
    assert (
        findings.widest_split(index(run(splits=(row,))), BASE)
        == "a is 0.10 behind b, 0.06 of it by a worse draft"
    )
    noise = dataclasses.replace(row, total=0.1, high=0.1)
    said = findings.widest_split(index(run(splits=(noise,))), BASE)
    assert said == "b is 0.10 behind a; the draft's part may be noise"
    assert findings.causes(index(run(splits=(row, noise)))).startswith(
        "In 1 of 2 comparisons over 1 stage"
    )
    assert findings.causes(index(run())) == ""


def confident(group: str, low: float, high: float) -> EstimateRow:
    return EstimateRow(
        BASE,
        "confident_rejections",
        "",
        group,
        (low + high) / 2,
        low,
        high,
        9,
        3,
    )


def test_confident_rejections_need_intervals_apart() -> None:
    apart = index(run(estimates=(confident("a", 0.1, 0.2), confident("b", 0.3, 0.4))))
    assert findings.confident(apart).endswith("their intervals do not overlap.")
    same = index(run(estimates=(confident("a", 0.1, 0.2), confident("b", 0.1, 0.2))))
    assert findings.confident(same).startswith("The same share in every group (0.1")
    near = index(run(estimates=(confident("a", 0.1, 0.35), confident("b", 0.3, 0.4))))
    assert findings.confident(near).endswith("so this may be noise.")
    assert findings.sureness(None, None) == "where proposals lie"


def test_best_lookahead_for_all_and_for_each() -> None:
    def speed(group: str, ahead: str, value: float) -> EstimateRow:
        return EstimateRow(
            BASE, "speedup_predicted", ahead, group, value, value, value, 9, 3
        )

    rows = (
        speed("", "constant-3", 2.0),
        speed("", "constant-5", 1.9),
        speed("a", "constant-5", 2.1),
    )
    assert findings.best_for_all(index(run(estimates=rows))) == (
        "Fastest for all together is constant-3 (predicted speed-up 2.00); 1 "
        "group would be faster with another."
    )
    assert findings.best_for_all(index(run(estimates=rows[:2]))).endswith(
        "and for every group."
    )
    assert findings.best_for_all(index(run())) == ""


def test_look_ups() -> None:
    report = run(
        estimates=(
            level("a", 0.5, stage=BASE),
            level("a", float("nan")),
        )
    )
    found: Index = index(report)
    before = found.estimate("acceptance_rate", BASE, "a")
    assert before is not None
    assert before.value == 0.5
    assert found.estimate("acceptance_rate", Stage("imdb"), "a") is None
    assert found.ends() == ("", "")
    assert stages(report, report.estimates) == (BASE, Stage("imdb"))
    names = ("heuristic", "constant-20", "heuristic-5", "constant-3")
    rows = [dataclasses.replace(level("a", 0.5), lookahead=name) for name in names]
    assert lookaheads(run(estimates=rows)) == [
        "constant-3",
        "constant-20",
        "heuristic",
        "heuristic-5",
    ]
    assert list(tally(report_samples.full())) == [
        "fail",
        "invalid",
        "insufficient",
        "pass",
    ]


def test_a_waived_failure_is_said_and_not_counted_as_one() -> None:
    sample = report_samples.verdict
    one = sample(case="imdb-a", excuse="waived", waiver="gain of *, until then: why")
    over = sample(case="imdb-b", excuse="unneeded", decision="pass", waiver="same")
    passed = sample(case="imdb-c", decision="pass")
    known = run(verdicts=(one, passed))
    assert (
        findings.verdict(known)
        == "No other of 2 checks failed. 1 known failure waived."
    )
    both = run(verdicts=(one, over))
    assert findings.verdict(both).startswith("1 of 2 checks failed after imdb: b.")
