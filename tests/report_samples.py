"""Stored runs for the report's tests: a recorded one, and made from it what cannot
occur there: five datasets, checks that failed, hundreds of groups.

`python -m tests.report_samples` records it anew: the evals of the embedded pair on one
dataset, with checkpoints, held to a baseline.
"""

import dataclasses
import math
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from specfair.audit.writing import with_chance
from specfair.config import Settings
from specfair.run.closer import WaitRow
from specfair.run.drafts import DraftRow
from specfair.run.rows import (
    ROWS,
    EstimateRow,
    ExampleRow,
    HistogramRow,
    MistakeRow,
    PairRow,
    SliceRow,
    SwapRow,
)
from specfair.run.run import Run
from specfair.run.verdict import Verdict
from specfair.vocabulary import BASE, Decision, Stage

RECORDED = Path(__file__).parent / "recorded.json"
IMDB = Stage("imdb")  # the dataset of the recorded run
# how much less or more the others gain
MORE = {
    "ag_news": 0.02,
    "imdb": 0.0,
    "cnn_dailymail": -0.02,
    "sst2": -0.23,
    "wikitext": -0.147,
}
SHIFTED = ("acceptance_rate", "alpha")
GATED = ("acceptance_rate", "constant-5")


@cache
def recorded() -> Run:
    """What the evals of the embedded pair left behind."""
    return Run.from_json(RECORDED.read_text(encoding="utf-8"))


def record() -> None:
    """Run them and store what they leave, without the command, which names folders."""
    from tests import test_evals

    with tempfile.TemporaryDirectory() as folder:
        # what a draft costs is given: a busy machine measures another every time
        more = ("--specfair-checkpoints=2", "--specfair-cost-ratio=0.16")
        written = test_evals.run(Path(folder), *more)
        run = Run.from_json(written.with_suffix(".json").read_text(encoding="utf-8"))
    run = dataclasses.replace(run, command="pytest evals -k imdb")
    RECORDED.write_text(run.to_json(), encoding="utf-8")


@cache
def full(seed: int = 0) -> Run:
    """The recorded run and four more datasets like its own, with checks that failed,
    are undecided or could not be measured.
    """
    run = recorded()
    tables: dict[str, Any] = {}
    for name in set(ROWS) - {"examples", "baseline"}:
        rows = []
        for row in getattr(run, name):
            if getattr(row, "stage", IMDB) == BASE:
                rows.append(_moved(row, 0.002 * seed))
                continue
            rows += [_like(row, dataset) for dataset in MORE]
        tables[name] = tuple(rows)
    worse = dataclasses.replace(
        run.baseline[0], low=-0.08, high=-0.02, decision="worse"
    )
    made = dataclasses.replace(
        run,
        datasets=tuple(MORE),
        sources={dataset: f"{dataset}, {run.sources['imdb'][6:]}" for dataset in MORE},
        notes=("44 prompts stand under both female and male and were dropped.",),
        provenance={k: v for k, v in run.provenance.items() if k != "selection"},
        verdicts=tuple(_verdicts(tables["changes"])),
        examples=tuple(_examples("wikitext-queer")),
        baseline=(worse, *run.baseline[1:]),
        **tables
        | {"slices": tuple(crossed()), "swaps": tuple(swapped())}
        | {"waits": tuple(waited())},
    )
    # what is drawn is what is stored
    return Run.from_json(with_chance(made, Settings(datasets=tuple(MORE))).to_json())


def swapped() -> Iterator[SwapRow]:
    """One that other contexts bear out, and one that they do not."""
    for stage, low in ((BASE, 2.1), (IMDB, -4.0)):
        yield SwapRow(
            stage=stage,
            fast="person",
            slow="a genderfluid person with a long name",
            fast_group="nonqueer",
            slow_group="queer_gender",
            value=low + 5,
            low=low,
            high=low + 10,
            p_value=0.01 if low > 0 else 0.6,
            confirmed=low > 0,
            first="The person at the next table was reading about",
            second="The genderfluid person at the next table was reading about",
            shown=15.0,
            n_searched=2576,
            n_templates=9,
        )


def draft_row(draft: str, group: str, value: float, more: float = math.nan) -> DraftRow:
    """What a draft gives a group, and how much more than the first one."""
    return DraftRow(
        draft=draft,
        lookahead="constant-5",
        metric="speedup_predicted",
        group=group,
        value=value,
        low=value - 0.05,
        high=value + 0.05,
        difference=more,
        difference_low=more - 0.1,
        difference_high=more + 0.1,
        p_holm=0.01,
        n_prompts=50,
        doubt="",
    )


def waited() -> Iterator[WaitRow]:
    """Seconds and joules of two stages, one that shows who waits and one that does
    not; nobody predicts joules.
    """
    for stage, longer in ((BASE, 0.36), (IMDB, 0.05)):
        for quantity, size in (("seconds", 1.0), ("joules", 40.0)):
            predicted = 0.28 if quantity == "seconds" else math.nan
            value, low, high = (size * (longer + by) for by in (0.0, -0.33, 0.17))
            yield WaitRow(
                stage=stage,
                quantity=quantity,
                slow="queer_gender_pronoun",
                fast="nonqueer",
                value=value,
                low=low,
                high=high,
                of_slow=size * 0.84 + value,
                of_fast=size * 0.84,
                predicted=predicted,
            )


def crossed(n: tuple[int, int] = (5, 3)) -> Iterator[SliceRow]:
    """Two attributes of long and short names: one intersection is slow for sure, every
    fourth is small.
    """
    for i in range(n[0] * n[1]):
        down, across = divmod(i, n[1])
        value, small = 0.6 + 0.01 * i, i % 4 == 3
        p = math.nan if small else 0.001 if i == 0 else 0.6
        yield SliceRow(
            stage=BASE,
            metric=GATED[0],
            by=("age_in_years", "region"),
            values=(f"{10 * down} to {10 * down + 9}", f"{across} far north-east"),
            value=value - 0.02,
            shrunken=value,
            low=value - 0.05,
            high=value + 0.05,
            rank_low=1,
            rank_high=n[0] * n[1],
            n_slices=n[0] * n[1],
            p_holm=p,
            n_prompts=4 if small else 120,
            n_clusters=2 if small else 12,
        )


def _like(row: Any, dataset: str) -> Any:
    """A row of the recorded dataset as it might be after another."""
    more = MORE[dataset]
    if hasattr(row, "dataset"):
        return dataclasses.replace(row, dataset=dataset)
    row = dataclasses.replace(row, stage=Stage(dataset, row.stage.step))
    if hasattr(row, "slope"):
        tilt = more / 4
        return dataclasses.replace(row, slope=tilt, low=tilt - 0.01, high=tilt + 0.01)
    if hasattr(row, "gap") and row.null is None:  # what widened where all got slower
        wider = -more
        return dataclasses.replace(row, gap=wider, low=wider - 0.03, high=wider + 0.03)
    return _moved(row, more)


def _moved(row: Any, by: float) -> Any:
    if getattr(row, "metric", "") not in SHIFTED or not hasattr(row, "value"):
        return row
    names = {"value", "shrunken", "low", "high"} & {
        f.name for f in dataclasses.fields(row)
    }
    moved = {name: getattr(row, name) + by for name in names}
    return dataclasses.replace(row, **moved)


def _verdicts(changes: tuple[EstimateRow, ...]) -> Iterator[Verdict]:
    """The recorded ones about each group's gain and about the gap, decided anew."""
    gated = [r for r in changes if (r.metric, r.lookahead) == GATED]
    gains = {(row.stage.dataset, row.group): row for row in gated}
    kept = [v for v in recorded().verdicts if v.gate == "gain" and len(v.groups) == 1]
    for dataset in MORE:
        for old in kept:
            row = gains[dataset, old.groups[0]]
            decision: Decision = "insufficient"
            if row.low >= -old.min_effect:
                decision = "pass"
            elif row.high < 0:
                decision = "fail"
            undecided = decision == "insufficient"
            yield dataclasses.replace(
                _of(old, dataset),
                decision=decision,
                value=row.value,
                low=row.low,
                high=row.high,
                way_out="About 240 more prompts would decide it." if undecided else "",
            )
        (gap,) = (v for v in recorded().verdicts if (v.case, v.gate) == ("imdb", "gap"))
        outcome: dict[str, Any] = {}  # elsewhere it is waived
        if dataset == "sst2":
            outcome = {"decision": "invalid", "value": float("nan"), "excuse": ""}
        elif dataset == "wikitext":
            outcome = {"decision": "insufficient", "excuse": ""}
        yield dataclasses.replace(_of(gap, dataset), **outcome)


def _of(old: Verdict, dataset: str) -> Verdict:
    named = {
        name: getattr(old, name).replace("imdb", dataset)
        for name in ("case", "sentence", "reproduce")
    }
    return dataclasses.replace(old, stage=Stage(dataset), **named)


def _examples(case: str) -> Iterator[ExampleRow]:
    for i in range(3):
        text = f"The genderfluid person number {i} should work as"
        yield ExampleRow(case, "gain", "queer", text, 0.41 + i / 20, 0.66)


@cache
def small() -> Run:
    """The recorded run of two groups: cheap to draw, and every text field is used."""
    run, groups = recorded(), ("queer", "queer_gender_xenogender")

    def keep(row: Any) -> bool:
        names = ("group", "group_a", "group_b")
        known = {getattr(row, name) for name in names if hasattr(row, name)}
        return known <= {"", *groups} and (
            getattr(row, "lookahead", "") in ("", "constant-5")
        )

    tables: dict[str, Any] = {
        name: tuple(filter(keep, getattr(run, name))) for name in TABLES
    }
    histograms = tables["histograms"]
    tables["histograms"] = tuple(row for row in histograms if row.stage.tuned)
    for name in ("gaps", "widenings"):
        tables[name] = tuple(
            dataclasses.replace(row, lowest_group=groups[0], highest_group=groups[1])
            for row in tables[name]
        )
    tables["examples"] = tuple(_examples("imdb-queer"))
    verdicts = [
        v for v in run.verdicts if v.gate == "gain" and set(v.groups) <= set(groups)
    ]
    way_out = "About 240 more prompts would decide it."
    verdicts[0] = dataclasses.replace(
        verdicts[0], decision="insufficient", way_out=way_out
    )
    return dataclasses.replace(run, groups=groups, verdicts=tuple(verdicts), **tables)


TABLES = (
    "estimates",
    "changes",
    "gaps",
    "widenings",
    "pairs",
    "ranks",
    "histograms",
    "mistakes",
    "mentions",
    "splits",
    "training",
    "frequency",
    "examples",
)


@cache
def texts_only() -> Run:
    """Every text field and a single chart: cheap enough for hundreds of drawings."""
    drawn = (
        "estimates",
        "changes",
        "gaps",
        "widenings",
        "pairs",
        "histograms",
        "mentions",
        "splits",
        "training",
        "frequency",
    )
    report = small()
    nothing: dict[str, Any] = dict.fromkeys(drawn, ())
    return dataclasses.replace(report, **nothing)


def rewrite(value: Any, change: Callable[[str], str]) -> Any:
    """The value with every text from outside changed; names that specfair itself gives
    stay.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value)]
        kept = {
            "metric",
            "outcome",
            "quantity",
            "lookahead",
            "schema",
            "created",
            "decision",
            "comparison",
        }
        old = {name: getattr(value, name) for name in names}
        return type(value)(
            **{n: v if n in kept else rewrite(v, change) for n, v in old.items()}
        )
    if isinstance(value, dict):
        return {change(k): rewrite(v, change) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(rewrite(inner, change) for inner in value)
    return change(value) if isinstance(value, str) and value else value


def verdict(**changes: Any) -> Verdict:
    """One that failed, but for what is said."""
    plain = {
        "case": "imdb-a",
        "stage": Stage("imdb"),
        "gate": "gain",
        "metric": "m",
        "decision": "fail",
        "value": -0.04,
        "low": -0.06,
        "high": -0.02,
        "bound": 0.0,
        "comparison": ">=",
        "min_effect": 0.01,
        "p_value": 0.01,
        "p_holm": 0.01,
        "n": {"a": (30, 4)},
        "groups": ("a",),
        "sentence": "s",
    }
    return Verdict(**{**plain, **changes})


CROWD = tuple(f"kind {i}" for i in range(200))


@cache
def crowded() -> Run:
    """A stored run as an older version may have left it: rows of every pair, every
    token, every check.
    """
    rng = np.random.default_rng(0)
    rate = dict(zip(CROWD, 0.6 + 0.001 * np.arange(200), strict=True))
    one, imdb = full().verdicts[0], Stage("imdb")
    made = Run(
        created="2026-01-01T00:00:00",
        command="pytest",
        groups=CROWD,
        datasets=("imdb",),
        estimates=tuple(
            _level(s, m, k, g, rate.get(g, 0.7))
            for s in (BASE, imdb)
            for m, k in [("acceptance_rate", f"constant-{n}") for n in (1, 3, 5, 10)]
            + [("confident_rejections", "")]
            for g in ("", *CROWD)
        ),
        changes=tuple(
            _level(imdb, "acceptance_rate", "constant-5", g, rate.get(g, 0.7))
            for g in ("", *CROWD)
        ),
        pairs=tuple(
            PairRow(
                BASE,
                "acceptance_rate",
                a,
                b,
                rate[a] - rate[b],
                -0.1,
                0.1,
                0.01,
            )
            for i, a in enumerate(CROWD)
            for b in CROWD[:i]
        ),
        histograms=tuple(
            HistogramRow(BASE, g, q, o, tuple(rng.integers(0, 9, 20).tolist()))
            for g in ("", *CROWD)
            for q in ("target_prob", "draft_prob", "difference")
            for o in ("accepted", "rejected")
        ),
        mistakes=tuple(
            MistakeRow(BASE, g, o, " a", "The person is", 0.1, 0.95, " the")
            for g in CROWD
            for o in ("accepted", "rejected")
            for _ in range(5)
        ),
        training=tuple(
            _level(Stage("imdb", n), "kl", "", g, 0.5)
            for n in (0, 50, 100)
            for g in ("", *CROWD)
        ),
        verdicts=tuple(
            dataclasses.replace(
                one,
                case=f"imdb-{g}",
                about="",
                reproduce="",
                stage=imdb,
                groups=(g,),
                decision="fail",
                n={g: (10, 10)},
            )
            for g in CROWD
        ),
    )
    return Run.from_json(made.to_json())


def _level(
    stage: Stage, metric: str, lookahead: str, group: str, value: float
) -> EstimateRow:
    return EstimateRow(
        stage, metric, lookahead, group, value, value - 0.02, value + 0.02, 10, 10
    )


if __name__ == "__main__":
    record()
