"""How often specfair's statistics are wrong, counted on made-up measurements whose
truth is known.

`python bench/calibrate.py` writes bench/calibration.json and the table in
docs/statistics.md. The tests run the same studies with fewer runs. Knows what each rate
should be; it does not soften a rate that misses.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from worlds import World, draw

from specfair import stats
from specfair.gates import Bound, check, check_family
from specfair.stats import Estimate

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "statistics.md"
MARKS = ("<!-- calibration -->", "<!-- /calibration -->")
RUNS = 1_000
PORTION = 50  # runs done by one process at a time
MARGIN = 0.10  # true gap and bound, or margin, in studies at the bound

Answers = Mapping[str, float]  # 1 for yes, 0 for no, or a share
Ask = Callable[[World, int], Answers]

WIDE = World(((10, 5),) * 8)
# 5 identities a group: below 8, so partly lent by the other groups
FEW = World(((5, 10),) * 8)
SMALL = World(((15, 1),) * 2)
# one identity a group: templates are the evidence
SINGLE = World(((1, 15),) * 2, identity=0.0, drift=0.0)
HONEST = World(tuple((n, 15) for n in (26, 26, 18, 11, 6, 5, 3, 2, 1, 1)))
SKEWED = World(((15, 5),) * 4, base=0.93, identity=0.02, template=0.01)
FIFTEEN = World(((15, 15),) * 4)
THIRTY = World(((30, 5),) * 4)
DESIGNS = {
    "8 groups x 50 prompts, 10 identities": WIDE,
    "8 x 50, 5 identities": FEW,
    "2 x 15, 15 identities": SMALL,
    "2 x 15, 1 identity": SINGLE,
    "10 groups of HONEST's shape": HONEST,
}


@dataclass(frozen=True, slots=True)
class Aim:
    """What a rate should be: within [low, high], give or take twice the Monte-Carlo
    error.
    """

    low: float
    high: float

    def met(self, rate: float, error: float) -> bool:
        return self.low - 2 * error <= rate <= self.high + 2 * error


ALARM, COVER, POWER = Aim(0, 0.05), Aim(0.93, 0.97), Aim(0.8, 1)


@dataclass(frozen=True, slots=True)
class Study:
    """One kind of question asked of many draws of one world."""

    title: str
    design: str
    world: World
    ask: Ask
    aim: Aim


def _failed(estimate: Estimate | Mapping[str, Estimate], bound: Bound) -> float:
    """Whether a gate with this bound fails, for an estimate or anywhere in a family."""
    if isinstance(estimate, Estimate):
        return float(check(estimate, bound).decision == "fail")
    return float(
        any(v.decision == "fail" for v in check_family(estimate, bound).values())
    )


def false_alarms(world: World, seed: int) -> Answers:
    """Nothing differs and nothing changes: how often does each gate with the strictest
    bound fail?
    """
    before, after = draw(world, seed)
    evidence = stats.gather(before, seed=seed)
    gains = stats.changes(before, after, seed=seed)
    return {
        "gap": _failed(stats.difference(evidence, seed=seed), Bound("gap", 0)),
        "ratio": _failed(stats.ratio(evidence, seed=seed), Bound("ratio", 1)),
        "worst pair": _failed(
            stats.worst_pair(evidence, seed=seed), Bound("worst_pair", 0)
        ),
        "gain, any group after Holm": _failed(gains, Bound("gain", 0)),
        "gain, pooled": _failed(
            stats.change(before, after, seed=seed), Bound("gain", 0)
        ),
    }


def widenings(world: World, seed: int) -> Answers:
    """Every group changes by its identities' drift only: how often has the gap
    widened?
    """
    before, after = draw(world, seed)
    return {
        "widening": _failed(
            stats.widening(before, after, seed=seed), Bound("widening", 0)
        )
    }


def regressions(world: World, seed: int) -> Answers:
    """The same prompts measured again, nothing changed but the coins: how often is
    there a regression?
    """
    before, after = draw(replace(world, drift=0.0), seed)
    by_group = stats.changes(before, after, seed=seed)
    family = {"overall": stats.change(before, after, seed=seed), **by_group}
    return {
        "baseline regression, any case after Holm": _failed(
            family, Bound("regression", 0)
        )
    }


def at_the_bound(world: World, seed: int) -> Answers:
    """The true gap is exactly the bound: how often does the gate fail, and how often is
    parity claimed?
    """
    before, _ = draw(world, seed)
    evidence = stats.gather(before, seed=seed)
    gap = stats.difference(evidence, seed=seed)
    low, high = min(world.truth), max(world.truth)
    parity = {
        "equivalence of the gap": check(gap, Bound("equivalence", MARGIN)).decision
        == "pass",
        "equivalence of two groups": _parity(evidence, MARGIN),
        "gap at its bound": check(gap, Bound("gap", MARGIN)).decision == "fail",
        "gap outside its interval": not gap.low <= high - low <= gap.high,
        "ratio at its bound": check(
            stats.ratio(evidence, seed=seed), Bound("ratio", low / high)
        ).decision
        == "fail",
    }
    return {name: float(said) for name, said in parity.items()}


def _parity(evidence: stats.Evidence, margin: float) -> bool:
    pair = next(e for e in stats.pairwise(evidence) if e.groups == ("g0", "g1"))
    return check(pair, Bound("equivalence", margin)).decision == "pass"


def coverage(world: World, seed: int) -> Answers:
    """How often does the interval hold the truth? By group and by pair: the mean share
    that does.
    """
    before, after = draw(world, seed)
    evidence = stats.gather(before, seed=seed)
    truth = dict(zip(before.groups, world.truth, strict=True))
    groups = stats.by_group(evidence)
    gains = [
        *stats.changes(before, after, seed=seed).values(),
        stats.change(before, after, seed=seed),
    ]
    pairs = stats.pairwise(evidence)
    return {
        "group": float(
            np.mean([e.low <= truth[g] <= e.high for g, e in groups.items()])
        ),
        "change": float(np.mean([e.low <= 0 <= e.high for e in gains])),
        "difference of two groups": float(np.mean([_holds(e, truth) for e in pairs])),
    }


def _holds(e: Estimate, truth: Mapping[str, float]) -> bool:
    first, second = e.groups
    return e.low <= truth[first] - truth[second] <= e.high


def power(world: World, seed: int) -> Answers:
    """A gap as large as a pilot of the same size says can be found: is it?"""
    pilot, _ = draw(replace(world, effects=()), seed)
    size = stats.detectable(pilot, seed=seed)["g0", "g1"]
    real, _ = draw(apart(world, size), seed + 1_000_000)
    return {
        "gap of the detectable size": float(
            stats.difference(real, seed=seed).p_value(0) < 0.05
        )
    }


def decided(world: World, seed: int) -> Answers:
    """A gap too small for the prompts at hand, measured again with as many more as
    advised: is it decided?

    Advice is about the two groups that a pilot names, and holds if the truth is where
    its estimate is. So the pilot is one that names the two groups which truly are
    furthest apart, and its estimate is set to the truth.
    """
    pilot, gap = next(
        found for found in _pilots(world, seed) if set(found[1].groups) == {"g0", "g1"}
    )
    true = float(np.ptp(world.truth))
    more = stats.prompts_needed(replace(gap, value=true, corrected=true), 0.0)
    counts = [
        (n + (more[g].n_clusters if g in more else 0), m)
        for g, (n, m) in zip(pilot.groups, world.shape, strict=True)
    ]
    again, _ = draw(replace(world, shape=tuple(counts)), seed + 1_000_000)
    return {
        "gap with the prompts advised": float(
            stats.difference(again, seed=seed).p_value(0) < 0.05
        )
    }


def _pilots(world: World, seed: int) -> Iterator[tuple[stats.Sample, Estimate]]:
    for attempt in count():
        pilot, _ = draw(world, seed + 2_000_000 * attempt)
        yield pilot, stats.difference(pilot, seed=seed)


def apart(world: World, gap: float) -> World:
    """The first two groups so far apart, the others in between."""
    return replace(world, effects=(-gap / 2, gap / 2) + (0.0,) * (len(world.shape) - 2))


def studies() -> list[Study]:
    """Everything that is counted, with what it should be."""
    alarms = [
        Study("false alarm", name, world, ask, ALARM)
        for ask in (false_alarms, widenings, regressions)
        for name, world in DESIGNS.items()
    ]
    edge = [
        Study("wrong at the bound", name, apart(world, MARGIN), at_the_bound, ALARM)
        for name, world in DESIGNS.items()
        if world is not HONEST
    ]
    covers = {
        "4 groups x 15 identities x 15": FIFTEEN,
        "4 x 15 x 5, rate 0.93": SKEWED,
        "4 x 30 x 5": THIRTY,
        "2 x 15, 15 identities": SMALL,
        "8 x 50, 10 identities": WIDE,
    }
    return [
        *alarms,
        *edge,
        *(
            Study("interval covers", name, world, coverage, COVER)
            for name, world in covers.items()
        ),
        Study("power", "8 x 50, 10 identities", WIDE, power, POWER),
        Study("power", "4 x 15 x 15", FIFTEEN, power, POWER),
        Study(
            "power",
            "2 x 15, 15 identities, true gap 0.05",
            apart(SMALL, 0.05),
            decided,
            POWER,
        ),
        Study(
            "power",
            "4 x 15 x 5, true gap 0.04",
            apart(World(((15, 5),) * 4), 0.04),
            decided,
            POWER,
        ),
    ]


def run(study: Study, runs: int, *, first: int = 0) -> dict[str, float]:
    """The rate of each answer."""
    answers = [study.ask(study.world, first + seed) for seed in range(runs)]
    return {name: float(np.mean([a[name] for a in answers])) for name in answers[0]}


def rates_of(asked: list[Study], runs: int) -> list[dict[str, float]]:
    """The rates of every study, in portions spread over the cores."""
    parts = [
        (i, first, min(PORTION, runs - first))
        for i in range(len(asked))
        for first in range(0, runs, PORTION)
    ]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(_portion, ((asked[i], first, n) for i, first, n in parts)))
    found: list[dict[str, float]] = [{} for _ in asked]
    for (i, _, n), rates in zip(parts, done, strict=True):
        for name, rate in rates.items():
            found[i][name] = found[i].get(name, 0.0) + rate * n / runs
    return found


def _portion(part: tuple[Study, int, int]) -> dict[str, float]:
    study, first, n = part
    started = time.perf_counter()
    rates = run(study, n, first=first)
    print(
        (
            f"{study.title}, {study.design}: {first} to {first + n} in "
            f"{time.perf_counter() - started:.0f} s"
        ),
        flush=True,
    )
    return rates


def rows(
    study: Study, rates: Mapping[str, float], runs: int
) -> list[dict[str, object]]:
    """The study's rates beside what they should be."""
    found = []
    for name, rate in rates.items():
        error = float(np.sqrt(max(rate * (1 - rate), 0.25 / runs) / runs))
        aim = asdict(study.aim)
        found.append(
            {
                "question": f"{study.title}: {name}",
                "design": study.design,
                "rate": round(rate, 4),
                "error": round(error, 4),
                **aim,
                "runs": runs,
                "met": study.aim.met(rate, error),
            }
        )
    return found


def table(found: list[dict[str, object]]) -> str:
    lines = [
        "| question | design | rate | should be | runs | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for r in found:
        aim = f"{r['low']:g} to {r['high']:g}"
        met = "" if r["met"] else "**misses**"
        lines.append(
            f"| {r['question']} | {r['design']} | {r['rate']:.3f} ± "
            f"{r['error']:.3f} | {aim} | {r['runs']:,} | {met} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="draws of each study")
    parser.add_argument(
        "--only", default="", help="only studies whose title or design has this in it"
    )
    chosen = parser.parse_args()
    asked = [s for s in studies() if chosen.only in f"{s.title} {s.design}"]
    started = time.perf_counter()
    rates = rates_of(asked, chosen.runs)
    found = [
        row
        for study, found in zip(asked, rates, strict=True)
        for row in rows(study, found, chosen.runs)
    ]
    print(table(found), f"\n{time.perf_counter() - started:.0f} s")
    if chosen.runs == RUNS:
        write(found)


def write(new: list[dict[str, object]]) -> None:
    """Both files; rows that were not counted again stay, and the page keeps everything
    outside the marks.
    """
    file = HERE / "calibration.json"
    stored = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    by_name = {(row["question"], row["design"]): row for row in [*stored, *new]}
    found = list(by_name.values())
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    before, _, after = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    PAGE.write_text(
        f"{before}{MARKS[0]}\n{table(found)}\n{MARKS[1]}{after.partition(MARKS[1])[2]}",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
