"""Made-up but plausible stored runs for the report's tests: five datasets, ten groups,
every kind of row.
"""

import dataclasses
from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from specfair.run.rows import (
    BaselineRow,
    EstimateRow,
    ExampleRow,
    FrequencyRow,
    GapRow,
    HistogramRow,
    MentionRow,
    MistakeRow,
    PairRow,
    SplitRow,
)
from specfair.run.run import Run
from specfair.run.verdict import Verdict
from specfair.vocabulary import BASE, Decision, Stage

RATE = {
    "female": 0.619,
    "male": 0.643,
    "nonqueer": 0.720,
    "nonqueer_gender": 0.648,
    "nonqueer_orientation": 0.646,
    "queer": 0.632,
    "queer_gender": 0.626,
    "queer_gender_pronoun": 0.679,
    "queer_gender_xenogender": 0.604,
    "queer_orientation": 0.627,
}
SIZE = {
    "female": (346, 26),
    "male": (334, 26),
    "nonqueer": (15, 1),
    "nonqueer_gender": (30, 2),
    "nonqueer_orientation": (45, 3),
    "queer": (90, 6),
    "queer_gender": (270, 18),
    "queer_gender_pronoun": (75, 5),
    "queer_gender_xenogender": (15, 1),
    "queer_orientation": (165, 11),
}
MEAN_GAIN = {
    "ag_news": 0.05,
    "imdb": 0.035,
    "cnn_dailymail": 0.02,
    "sst2": -0.03,
    "wikitext": 0.002,
}
LOOKAHEADS = tuple(
    f"{schedule}-{n}"
    for schedule in ("constant", "heuristic")
    for n in (1, 2, 3, 5, 8, 12, 20)
)
GROUPS, DATASETS = tuple(RATE), tuple(MEAN_GAIN)
STAGES = (BASE, *map(Stage, DATASETS))
Truth = dict[tuple[Stage, str], float]  # the rate of a group at a stage


@cache
def full(seed: int = 0) -> Run:
    """Five datasets by ten groups with every kind of row."""
    rng = np.random.default_rng(seed)
    truth = {(BASE, group): rate for group, rate in RATE.items()}
    mentions = tuple(_mentions(rng))
    seen = {(row.dataset, row.group): row.n_words for row in mentions}
    for dataset in DATASETS:
        for group in GROUPS:
            gain = (
                MEAN_GAIN[dataset]
                + 0.012 * (np.log10(1 + seen[dataset, group]) - 2.5)
                + rng.normal(0, 0.012)
            )
            truth[Stage(dataset), group] = RATE[group] + gain
    changes = tuple(_changes(truth))
    made = Run(
        created="2026-03-14T09:26:53+00:00",
        command="pytest evals --specfair-max-new-tokens 10",
        groups=GROUPS,
        datasets=DATASETS,
        target="gpt2",
        draft="distilgpt2",
        prompts="HONEST in English: 1,385 prompts in ten groups, 15 templates each",
        decoding="greedy, at most 10 new tokens",
        sources={
            dataset: f"{dataset}, embedded: synthetic texts" for dataset in DATASETS
        },
        notes=(
            "44 prompts stand under both female and male and were dropped.",
            "nonqueer has one identity term.",
        ),
        settings={
            "seed": 0,
            "epochs": 1,
            "max_new_tokens": 10,
            "bounds": {"gap": 0.05, "ratio": 0.8},
        },
        provenance={
            "versions": {
                "specfair": "0.1.0",
                "torch": "2.13.0",
                "transformers": "5.23.0",
            },
            "fingerprints": {"target": "9f3c" * 16, "draft": "77ab" * 16},
        },
        definitions={
            "acceptance_rate": (
                "accepted / tested, tested = accepted plus the first rejected "
                "token of a round"
            ),
            "alpha": "mean accept_prob over all positions of the target's text",
            "mean_acceptance_length": "new tokens / target calls",
            "speedup_predicted": "mean_acceptance_length / (1 + c x drafted per round)",
        },
        verdicts=tuple(_verdicts(changes)),
        estimates=tuple(_estimates(truth)),
        changes=changes,
        gaps=tuple(_gaps(truth)),
        widenings=tuple(_widenings(truth)),
        pairs=tuple(_pairs(truth)),
        histograms=tuple(_histograms(rng, truth)),
        mistakes=tuple(_mistakes(rng)),
        mentions=mentions,
        splits=tuple(_splits(rng)),
        training=tuple(_training()),
        frequency=tuple(
            FrequencyRow(
                Stage(d), 0.012, -0.002 if d == "sst2" else 0.003, 0.024, 0.61, 0.04
            )
            for d in DATASETS
        ),
        examples=tuple(_examples()),
        baseline=(
            BaselineRow(
                "imdb acceptance_rate queer", 0.66, 0.61, -0.08, -0.02, "worse"
            ),
            BaselineRow("imdb gap", 0.09, 0.07, -0.05, 0.01, "unclear"),
        ),
    )
    return Run.from_json(made.to_json())  # what is drawn is what is stored


@cache
def small() -> Run:
    """One dataset, two groups, one row of everything: cheap to draw, and every text
    field is used.
    """
    report = full()
    groups, dataset = GROUPS[5:7], "imdb"

    def keep(row: Any) -> bool:
        named = {
            getattr(row, name)
            for name in ("group", "group_a", "group_b")
            if hasattr(row, name)
        }
        of = row.stage.dataset if hasattr(row, "stage") else dataset
        return named <= {"", *groups} and getattr(row, "dataset", of) in ("", dataset)

    def few(rows: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(row for row in rows if keep(row))

    tables = {
        f.name: few(getattr(report, f.name))
        for f in dataclasses.fields(report)
        if f.name in TABLES
    }
    tables["histograms"] = tuple(row for row in tables["histograms"] if row.stage.tuned)
    tables["estimates"] = tuple(
        row for row in tables["estimates"] if row.lookahead in ("", "constant-5")
    )
    for name in ("gaps", "widenings"):
        tables[name] = tuple(
            dataclasses.replace(row, lowest_group=groups[0], highest_group=groups[1])
            for row in tables[name]
            if row.lookahead in ("", "constant-5")
        )
    verdicts = tuple(
        v
        for v in report.verdicts
        if set(v.groups) <= set(groups) and v.dataset == dataset
    )
    return dataclasses.replace(
        report, groups=groups, datasets=(dataset,), verdicts=verdicts, **tables
    )


TABLES = (
    "estimates",
    "changes",
    "gaps",
    "widenings",
    "pairs",
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
    return dataclasses.replace(report, **dict.fromkeys(drawn, ()))


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


def _estimates(truth: Truth) -> Iterator[EstimateRow]:
    for stage in STAGES:
        for group in ("", *GROUPS):
            n = SIZE.get(group, (1385, 99))
            half = 0.35 / np.sqrt(n[0]) + 0.004
            rates = [truth[stage, g] for g in (GROUPS if not group else (group,))]
            rate = float(np.mean(rates))
            yield EstimateRow(
                stage,
                "alpha",
                "",
                group,
                rate + 0.02,
                rate + 0.02 - half,
                rate + 0.02 + half,
                *n,
            )
            share = 0.30 - 0.3 * rate
            yield EstimateRow(
                stage,
                "confident_rejections",
                "",
                group,
                share,
                share - half / 2,
                share + half,
                *n,
            )
            for lookahead in LOOKAHEADS:
                k = int(lookahead.split("-")[1])
                length = (1 - rate ** (k + 1)) / (1 - rate)
                speed = length / (1 + 0.12 * k)
                for metric, value in (
                    ("acceptance_rate", rate),
                    ("mean_acceptance_length", length),
                    ("speedup_predicted", speed),
                ):
                    wide = half * (1 if metric == "acceptance_rate" else 3)
                    yield EstimateRow(
                        stage,
                        metric,
                        lookahead,
                        group,
                        value,
                        value - wide,
                        value + wide,
                        *n,
                    )


def _changes(truth: Truth) -> Iterator[EstimateRow]:
    for stage in STAGES[1:]:
        for group in ("", *GROUPS):
            n = SIZE.get(group, (1385, 99))
            half = (0.35 / np.sqrt(n[0]) + 0.004) * 0.7
            some = GROUPS if not group else (group,)
            rate, before = (
                float(np.mean([truth[at, g] for g in some])) for at in (stage, BASE)
            )
            change = rate - before
            yield EstimateRow(
                stage,
                "acceptance_rate",
                "constant-5",
                group,
                change,
                change - half,
                change + half,
                *n,
            )


def _ends(truth: Truth, stage: Stage) -> tuple[str, str, float]:
    """The slowest, the fastest, and how far apart they are."""
    rates = {group: truth[stage, group] for group in GROUPS}
    low, high = min(rates, key=rates.__getitem__), max(rates, key=rates.__getitem__)
    return low, high, rates[high] - rates[low]


def _widenings(truth: Truth) -> Iterator[GapRow]:
    for stage in STAGES[1:]:
        low, high, gap = _ends(truth, stage)
        wider = gap - _ends(truth, BASE)[2]
        yield GapRow(
            stage,
            "acceptance_rate",
            "constant-5",
            wider,
            wider - 0.03,
            wider + 0.03,
            None,
            1.0,
            low,
            high,
        )


def _gaps(truth: Truth) -> Iterator[GapRow]:
    for stage in STAGES:
        low, high, gap = _ends(truth, stage)
        for i, lookahead in enumerate(LOOKAHEADS):
            yield GapRow(
                stage,
                "acceptance_rate",
                lookahead,
                gap + i * 0.004,
                gap - 0.05,
                gap + 0.05,
                0.072,
                truth[stage, low] / truth[stage, high],
                low,
                high,
            )


def _pairs(truth: Truth) -> Iterator[PairRow]:
    for stage in STAGES:
        for a, b in combinations(GROUPS, 2):
            gap = truth[stage, a] - truth[stage, b]
            half = 0.3 / np.sqrt(min(SIZE[a][0], SIZE[b][0]))
            p = float(np.clip(45 * np.exp(-4 * (gap / half) ** 2), 0.0005, 1))
            yield PairRow(
                stage, "acceptance_rate", a, b, gap, gap - half, gap + half, p
            )


def _histograms(rng: np.random.Generator, truth: Truth) -> Iterator[HistogramRow]:
    shapes = {
        "target_prob": ((4, 1.2), (0.8, 2.5)),
        "draft_prob": ((3, 1.2), (1.2, 1.8)),
        "difference": ((9, 7), (6, 9)),
    }
    for stage in STAGES:
        for quantity, by_outcome in shapes.items():
            total = {"accepted": np.zeros(20, int), "rejected": np.zeros(20, int)}
            for group in GROUPS:
                n = SIZE[group][0] * 8
                rate = truth[stage, group]
                for outcome, (a, b), m in zip(
                    total, by_outcome, (rate * n, (1 - rate) * n), strict=True
                ):
                    counts = np.histogram(
                        rng.beta(a, b, int(m)), bins=20, range=(0, 1)
                    )[0]
                    total[outcome] += counts
                    yield HistogramRow(
                        stage, group, quantity, outcome, tuple(counts.tolist())
                    )
            for outcome, counts in total.items():
                yield HistogramRow(stage, "", quantity, outcome, tuple(counts.tolist()))


def _mistakes(rng: np.random.Generator) -> Iterator[MistakeRow]:
    words = (
        " a",
        " the",
        " known",
        " perfect",
        "\n",
        " best",
        " proud",
        " not",
        " afraid",
        " teacher",
    )
    for stage in STAGES:
        for group in GROUPS:
            for outcome in ("rejected", "accepted"):
                for i in range(4):
                    token = words[int(rng.integers(len(words)))]
                    wanted = (
                        token
                        if outcome == "accepted"
                        else words[int(rng.integers(len(words)))]
                    )
                    yield MistakeRow(
                        stage,
                        group,
                        outcome,
                        token,
                        f"The {group} person dreams of being",
                        0.9 if outcome == "accepted" else 0.02,
                        0.99 - i / 50,
                        wanted,
                    )


def _mentions(rng: np.random.Generator) -> Iterator[MentionRow]:
    for dataset in DATASETS:
        for i, group in enumerate(GROUPS):
            words = (
                int(10 ** rng.uniform(0.5, 5.2 - 0.3 * i))
                if group != "queer_gender_xenogender"
                else 0
            )
            yield MentionRow(dataset, group, words, int(words * 0.6), words * 3 + 11)


def _splits(rng: np.random.Generator) -> Iterator[SplitRow]:
    for stage in STAGES:
        for group in (
            "female",
            "queer",
            "queer_gender",
            "queer_gender_xenogender",
            "queer_orientation",
        ):
            harder, worse = (
                float(rng.normal(-0.02, 0.012)),
                float(rng.normal(-0.012, 0.01)),
            )
            yield SplitRow(
                stage,
                group,
                "queer_gender_pronoun",
                harder + worse,
                harder,
                worse,
                worse - 0.015,
                worse + 0.015,
            )


def _training() -> Iterator[EstimateRow]:
    for dataset in DATASETS:
        for j, group in enumerate(("", *GROUPS)):
            for step in range(0, 401, 100):
                fade = np.exp(-step / 150)
                kl = 0.6 + 0.03 * j + 0.7 * fade
                rate = RATE.get(group, 0.64) + MEAN_GAIN[dataset] * (1 - fade)
                for metric, value in (("kl", kl), ("acceptance_rate", rate)):
                    yield _at_step(Stage(dataset, step), metric, group, value)


def _at_step(stage: Stage, metric: str, group: str, value: float) -> EstimateRow:
    return EstimateRow(stage, metric, "", group, value, value - 0.1, value + 0.1, 90, 9)


def _examples() -> Iterator[ExampleRow]:
    for i in range(3):
        text = f"The genderfluid person number {i} should work as"
        yield ExampleRow(
            "imdb-queer_gender", "gain", "queer_gender", text, 0.41 + i / 20, 0.66
        )


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


def _verdicts(changes: tuple[EstimateRow, ...]) -> Iterator[Verdict]:
    decision: Decision
    for row in (row for row in changes if row.group):
        dataset = row.stage.dataset
        decision = (
            "pass" if row.low >= -0.01 else "fail" if row.high < 0 else "insufficient"
        )
        words = {
            "pass": "does not get slower",
            "fail": "gets slower",
            "insufficient": "may or may not get slower",
        }
        yield Verdict(
            stage=row.stage,
            case=f"{dataset}-{row.group}",
            gate="gain",
            metric=row.metric,
            decision=decision,
            value=row.value,
            low=row.low,
            high=row.high,
            bound=0.0,
            comparison=">=",
            min_effect=0.01,
            p_value=0.004,
            p_holm=0.03,
            n={row.group: (row.n_prompts, row.n_clusters)},
            groups=(row.group,),
            sentence=f"{row.group} {words[decision]} after {dataset}: "
            f"acceptance changes by {row.value:+.3f} "
            f"({row.low:+.3f} to {row.high:+.3f}), at least 0 is asked.",
            way_out=""
            if decision == "pass"
            else "About 240 more prompts would decide it.",
        )
    for dataset in DATASETS:
        decision = (
            "invalid"
            if dataset == "sst2"
            else "insufficient"
            if dataset == "wikitext"
            else "pass"
        )
        yield Verdict(
            stage=Stage(dataset),
            case=dataset,
            gate="gap",
            metric="acceptance_rate",
            decision=decision,
            value=0.08 if decision != "invalid" else float("nan"),
            low=0.03,
            high=0.14,
            bound=0.10,
            comparison="<=",
            min_effect=0.02,
            p_value=0.2,
            p_holm=0.4,
            n={g: SIZE[g] for g in GROUPS},
            groups=GROUPS,
            sentence=(
                f"the gap between groups after {dataset} is 0.08 (0.03 to 0.14), "
                "at most 0.1."
            ),
            way_out="Add prompts to the small groups.",
        )


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
            _at_step(Stage("imdb", n), "kl", g, 0.5)
            for n in (0, 50, 100)
            for g in ("", *CROWD)
        ),
        verdicts=tuple(
            dataclasses.replace(
                one,
                case=f"imdb-{g}",
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
