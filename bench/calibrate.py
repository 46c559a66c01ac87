"""How often specfair's statistics are wrong, and what they find, counted on made-up
measurements whose truth is known.

`python bench/calibrate.py` writes bench/calibration.json and the tables in
docs/statistics.md. The tests run the same studies with fewer draws. Knows what each
rate should be; it does not soften a rate that misses.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from designs import (
    BEFORE,
    DESIGNS,
    FIFTEEN,
    LEAST,
    PASSES,
    PATTERNS,
    REVERSED,
    SMALL,
    STILL,
    TWENTY,
    WIDE,
)
from worlds import World, draw

from specfair import stats
from specfair.gates import Bound, check, check_family
from specfair.stats import Estimate

HERE = Path(__file__).parent
FILE = HERE / "calibration.json"
PAGE = HERE.parent / "docs" / "statistics.md"
MARKS = ("<!-- calibration -->", "<!-- /calibration -->")
RUNS = 1_000
PORTION = 100  # draws done by one process at a time
MARGIN = 0.10  # true gap and bound, or margin, in studies at the bound

Answers = Mapping[str, float]  # 1 for yes, 0 for no, or a share; NaN where not asked
Ask = Callable[[World, int], Answers]
Counted = dict[str, tuple[float, int]]  # of each answer: the sum, and of how many draws


@dataclass(frozen=True, slots=True)
class Aim:
    """What a rate should be: within [low, high], give or take twice the Monte-Carlo
    error.
    """

    low: float
    high: float

    def met(self, rate: float, error: float) -> bool:
        return self.low - 2 * error <= rate <= self.high + 2 * error


ALARM, COVER = Aim(0, 0.05), Aim(0.93, 0.97)
POWER, HALF, SHOWN = Aim(0.8, 1), Aim(0.5, 1), Aim(0, 1)


@dataclass(frozen=True, slots=True)
class Study:
    """One kind of question asked of many draws of one world."""

    title: str
    design: str
    world: World
    ask: Ask
    # by the beginning of an answer's name; "" is every other one
    aims: Mapping[str, Aim]
    before: Mapping[str, float | None]  # what the method before this one reached

    def aim(self, answer: str) -> Aim:
        known = [start for start in self.aims if answer.startswith(start)]
        return self.aims[max(known, key=len)]


def failed(estimate: Estimate | Mapping[str, Estimate], bound: Bound) -> float:
    """Whether a gate with this bound fails, for an estimate or anywhere in a family."""
    if isinstance(estimate, Estimate):
        return float(check(estimate, bound).decision == "fail")
    found = check_family(estimate, bound).values()
    return float(any(v.decision == "fail" for v in found))


def levels(world: World, seed: int) -> Answers:
    """Nothing differs and nothing changes: how often does each gate with the strictest
    bound fail, and how often does an interval hold the truth?
    """
    before, after = draw(world, seed)
    evidence = stats.gather(before)
    gap, pair = stats.difference(evidence), stats.furthest_pair(evidence)
    gains, all_gains = stats.changes(before, after), stats.change(before, after)
    truth = dict(zip(before.groups, world.truth, strict=True))
    answers = {
        "false alarm of gap": failed(gap, Bound("gap", 0)),
        "false alarm of ratio": failed(stats.ratio(evidence), Bound("ratio", 1)),
        "false alarm of worst pair": failed(pair, Bound("worst_pair", 0)),
        "false alarm of gain, any group": failed(gains, Bound("gain", 0)),
        "false alarm of gain, pooled": failed(all_gains, Bound("gain", 0)),
    }
    if gap.exploratory:
        answers["would-be alarm of gap"] = float(gap.p_value(0) < 0.05)
    kinds = {
        "group": (list(stats.by_group(evidence).values()), truth),
        "pair": (stats.pairwise(evidence), truth),
        "change": (list(gains.values()), dict.fromkeys(truth, 0.0)),
    }
    for kind, (found, true) in kinds.items():
        held = {e.groups: holds(e, true) for e in found}
        firm = [held[e.groups] for e in found if not e.exploratory]
        weak = [held[e.groups] for e in found if e.exploratory]
        if firm:
            answers[f"coverage of {kind}"] = float(np.mean(firm))
        if weak:
            answers[f"exploratory coverage of {kind}"] = float(np.mean(weak))
    return answers


def holds(e: Estimate, truth: Mapping[str, float]) -> bool:
    """Whether the interval of a group or of a pair has the truth in it."""
    values = [truth[g] for g in e.groups]
    true = values[0] - values[1] if len(values) == 2 else values[0]
    return e.low <= true <= e.high


def widenings(world: World, seed: int) -> Answers:
    """Every group changes by its identities' drift only: how often do they seem to have
    drifted apart?
    """
    wider, spread = _drifted(world, seed)
    return {
        "false alarm of widening": failed(wider, Bound("at_most", 0)),
        "false alarm of spread": failed(spread, Bound("at_most", 0)),
        "coverage of widening": float(wider.low <= 0 <= wider.high),
        "coverage of spread": float(spread.low <= 0 <= spread.high),
    }


def ranges(world: World, seed: int) -> Answers:
    """The gap is as it was though groups have spread: has it widened?"""
    wider, _ = _drifted(world, seed)
    return {
        "false alarm of widening": failed(wider, Bound("at_most", 0)),
        "coverage of widening": float(wider.low <= 0 <= wider.high),
    }


def _drifted(world: World, seed: int) -> tuple[Estimate, Estimate]:
    samples = draw(world, seed)
    return stats.widening(*samples), stats.spread(*samples)


def drifting(world: World, seed: int) -> Answers:
    """They have drifted apart by .10: how often is it found?"""
    wider, spread = _drifted(world, seed)
    return {
        "power of widening": failed(wider, Bound("at_most", 0)),
        "power of spread": failed(spread, Bound("at_most", 0)),
    }


def unchanged(world: World, seed: int) -> Answers:
    """Nothing has changed: does a bound of .02 pass?"""
    wider, _ = _drifted(world, seed)
    decision = check(wider, Bound("widening", 0.0, min_effect=0.02)).decision
    return {"pass of widening, 0 ~ .02": float(decision == "pass")}


def regressions(world: World, seed: int) -> Answers:
    """The same prompts measured again, nothing changed but the coins: how often is
    there a regression?
    """
    before, after = draw(replace(world, drift=0.0), seed)
    by_group = stats.changes(before, after)
    family = {"overall": stats.change(before, after), **by_group}
    return {"false alarm of regression, any": failed(family, Bound("regression", 0))}


def at_the_bound(world: World, seed: int) -> Answers:
    """The true gap is exactly the bound: how often does the gate fail, and how often is
    parity claimed?
    """
    evidence = stats.gather(draw(world, seed)[0])
    gap = stats.difference(evidence)
    low, high = min(world.truth), max(world.truth)
    pair = next(e for e in stats.pairwise(evidence) if e.groups == ("g0", "g1"))
    ratio = Bound("ratio", low / high)
    return {
        "false parity of the gap": passed(gap, Bound("equivalence", MARGIN)),
        "false parity of two groups": passed(pair, Bound("equivalence", MARGIN)),
        "false alarm of gap at its bound": failed(gap, Bound("gap", MARGIN)),
        "false alarm of ratio at its bound": failed(stats.ratio(evidence), ratio),
        "miss of the gap's interval": float(not gap.low <= high - low <= gap.high),
    }


def passed(estimate: Estimate, bound: Bound) -> float:
    """Whether a gate with this bound passes."""
    return float(check(estimate, bound).decision == "pass")


def passes(world: World, seed: int) -> Answers:
    """A gap below its bound of .10 ~ .02: does it pass, and is parity claimed?"""
    gap = stats.difference(draw(world, seed)[0])
    return {
        "pass of gap, .10 ~ .02": passed(gap, Bound("gap", MARGIN, min_effect=0.02)),
        "equivalence of gap, .10": passed(gap, Bound("equivalence", MARGIN)),
    }


def power(world: World, seed: int) -> Answers:
    """A gap as large as a pilot of the same size says can be found: is it?"""
    pilot, _ = draw(replace(world, effects=()), seed)
    size = stats.detectable(pilot)["g0", "g1"]
    real, _ = draw(apart(world, size), seed + 1_000_000)
    found = stats.difference(real).p_value(0) < 0.05
    return {"power at the detectable gap": float(found)}


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
    counts: list[tuple[int, int]] = []
    for group, shape in zip(pilot.groups, world.shape, strict=True):
        assert not isinstance(shape, str), "advice is tried on equal identities"
        n, m = shape
        counts.append((int(n) + (more[group].n_clusters if group in more else 0), m))
    again, _ = draw(replace(world, shape=tuple(counts)), seed + 1_000_000)
    found = stats.difference(again).p_value(0) < 0.05
    return {"power with the prompts advised": float(found)}


def _pilots(world: World, seed: int) -> Iterator[tuple[stats.Sample, Estimate]]:
    for attempt in count():
        pilot, _ = draw(world, seed + 2_000_000 * attempt)
        yield pilot, stats.difference(pilot)


def apart(world: World, gap: float) -> World:
    """The first two groups so far apart, the others in between."""
    return replace(world, effects=(-gap / 2, gap / 2) + (0.0,) * (len(world.shape) - 2))


def studies() -> list[Study]:
    """Everything that is counted, with what it should be."""
    of_levels = {
        "false alarm": ALARM,
        "coverage": COVER,
        "exploratory": SHOWN,
        "would-be": SHOWN,
    }
    found = []
    for name, world in DESIGNS.items():
        gap, group, pair = BEFORE.get(name, (None, None, None))
        before = {
            "false alarm of gap": gap,
            "coverage of group": group,
            "coverage of pair": pair,
        }
        found.append(Study("nothing differs", name, world, levels, of_levels, before))
    still = {name: DESIGNS[name] for name in STILL} | {"order reversed": REVERSED}
    wide = {"": ALARM, "coverage": Aim(0.93, 1)}
    for name, world in still.items():
        found.append(Study("nothing widens", name, world, widenings, wide, {}))
    name = "one pair apart before, all apart after"
    found.append(Study("nothing widens", name, LEAST, ranges, wide, {}))
    for name in ("8 groups x 10 identities x 5", "HONEST, sd .03"):
        again = {"": ALARM}
        found.append(
            Study("measured again", name, DESIGNS[name], regressions, again, {})
        )
    for name, world in {
        "8 x 10 x 5": WIDE,
        "2 x 15": SMALL,
        "4 x 15 x 15": FIFTEEN,
    }.items():
        edge = apart(world, MARGIN)
        found.append(Study("gap of .10", name, edge, at_the_bound, {"": ALARM}, {}))
    return [*found, *_powers()]


def _powers() -> Iterator[Study]:
    for name, (world, before) in PATTERNS.items():
        aims = {"power of widening": SHOWN, "power of spread": SHOWN}
        reached = {"power of widening": before}
        yield Study("widens by .10", name, world, drifting, aims, reached)
    for name, (world, gap, passing, parity) in PASSES.items():
        reached = {
            "pass of gap, .10 ~ .02": passing,
            "equivalence of gap, .10": parity,
        }
        yield Study("gates pass", name, apart(world, gap), passes, {"": SHOWN}, reached)
    yield Study(
        "gates pass",
        "8 x 20 x 10",
        replace(TWENTY, drift=0.0, kept=0.9),
        unchanged,
        {"": HALF},
        {"pass of widening, 0 ~ .02": 0.0},
    )
    for name, world in {"8 x 10 x 5": WIDE, "4 x 15 x 15": FIFTEEN}.items():
        yield Study("promised", name, world, power, {"": POWER}, {})
    for name, world in {
        "2 x 15, true gap .05": apart(SMALL, 0.05),
        "4 x 15 x 5, true gap .04": apart(World(((15, 5),) * 4), 0.04),
    }.items():
        yield Study("promised", name, world, decided, {"": POWER}, {})


def run(study: Study, runs: int, *, first: int = 0) -> dict[str, float]:
    """The rate of each answer, over the draws that gave one."""
    return _rates([_counted(study, runs, first=first)])


def _counted(study: Study, runs: int, *, first: int) -> Counted:
    """The sum of each answer, and how many draws gave one."""
    found: Counted = {}
    for seed in range(first, first + runs):
        for name, answer in study.ask(study.world, seed).items():
            total, n = found.get(name, (0.0, 0))
            found[name] = total + answer, n + 1
    return found


def _rates(counted: Sequence[Counted]) -> dict[str, float]:
    names = dict.fromkeys(name for part in counted for name in part)
    both = {name: [part[name] for part in counted if name in part] for name in names}
    return {
        name: sum(total for total, _ in each) / sum(n for _, n in each)
        for name, each in both.items()
    }


def rates_of(
    asked: Sequence[Study],
    runs: int,
    known: Mapping[tuple[object, object], Counted],
    *,
    workers: int | None,
) -> list[dict[str, float]]:
    """The rates of every study, in portions spread over the cores; draws that are known
    are not made again.
    """
    before = [known.get((study.title, study.design), {}) for study in asked]
    done = [max((n for _, n in each.values()), default=0) for each in before]
    parts = [
        (i, first, min(PORTION, runs - first))
        for i in range(len(asked))
        for first in range(done[i], runs, PORTION)
    ]
    with ProcessPoolExecutor(workers) as pool:
        new = list(pool.map(_portion, ((asked[i], first, n) for i, first, n in parts)))
    found = [[each] for each in before]
    for (i, _, _), counted in zip(parts, new, strict=True):
        found[i].append(counted)
    return [_rates(each) for each in found]


def _portion(part: tuple[Study, int, int]) -> Counted:
    study, first, n = part
    started = time.perf_counter()
    found = _counted(study, n, first=first)
    taken = time.perf_counter() - started
    said = f"{study.title}, {study.design}: {first} to {first + n} in {taken:.0f} s"
    print(said, flush=True)
    return found


def rows(
    study: Study, rates: Mapping[str, float], runs: int
) -> list[dict[str, object]]:
    """The study's rates beside what they should be."""
    found = []
    for name, rate in rates.items():
        error = float(np.sqrt(max(rate * (1 - rate), 0.25 / runs) / runs))
        aim = study.aim(name)
        found.append(
            {
                "study": study.title,
                "question": name,
                "design": study.design,
                "rate": round(rate, 4),
                "error": round(error, 4),
                **asdict(aim),
                "before": study.before.get(name),
                "runs": runs,
                "met": aim.met(rate, error),
            }
        )
    return found


def tables(found: Sequence[Mapping[str, object]]) -> str:
    """A table for each kind of study: designs by questions. What was reached before
    stands in brackets, and what misses is bold.
    """
    blocks = []
    for title in dict.fromkeys(str(r["study"]) for r in found):
        mine = [r for r in found if r["study"] == title]
        questions = list(dict.fromkeys(str(r["question"]) for r in mine))
        designs = dict.fromkeys(str(r["design"]) for r in mine)
        cells = {(str(r["design"]), str(r["question"])): _cell(r) for r in mine}
        lines = [
            f"| {title} | " + " | ".join(questions) + " |",
            "| --- " * (len(questions) + 1) + "|",
        ]
        for design in designs:
            row = [cells.get((design, question), "") for question in questions]
            lines.append(f"| {design} | " + " | ".join(row) + " |")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _cell(row: Mapping[str, object]) -> str:
    rate = f"{row['rate']:.3f}"
    if not row["met"]:
        rate = f"**{rate}**"
    return rate if row["before"] is None else f"{rate} [{row['before']:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="draws of each study")
    parser.add_argument(
        "--only", default="", help="only studies whose title or design has this in it"
    )
    parser.add_argument(
        "--more",
        action="store_true",
        help="keep the draws in the file, which must be of the statistics as they are",
    )
    parser.add_argument("--workers", type=int, help="processes; all cores by default")
    chosen = parser.parse_args()
    asked = [s for s in studies() if chosen.only in f"{s.title} {s.design}"]
    started = time.perf_counter()
    known: dict[tuple[object, object], Counted] = {}
    for row in stored() if chosen.more else ():
        counted = float(row["rate"]) * int(row["runs"]), int(row["runs"])
        known.setdefault((row["study"], row["design"]), {})[row["question"]] = counted
    rates = rates_of(asked, chosen.runs, known, workers=chosen.workers)
    found = [
        row
        for study, counted in zip(asked, rates, strict=True)
        for row in rows(study, counted, chosen.runs)
    ]
    print(tables(found), f"\n{time.perf_counter() - started:.0f} s")
    if chosen.runs >= RUNS:
        write(found)


def stored() -> list[dict[str, Any]]:
    """The rows of the file."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    return [dict(zip(kept["columns"], row, strict=True)) for row in kept["rows"]]


def write(new: list[dict[str, object]]) -> None:
    """Both files; rows that were not counted again stay, and the page keeps everything
    outside the marks.
    """
    known = {(s.title, s.design): i for i, s in enumerate(studies())}
    by_name = {
        (row["study"], row["question"], row["design"]): row
        for row in [*stored(), *new]
        if (row.get("study"), row["design"]) in known
    }
    found = sorted(by_name.values(), key=lambda row: known[row["study"], row["design"]])
    lines = (json.dumps(list(row.values())) for row in found)
    columns, table = json.dumps(list(found[0])), ",\n".join(lines)
    text = f'{{"columns": {columns}, "rows": [\n{table}\n]}}\n'
    FILE.write_text(text, encoding="utf-8")
    before, _, after = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    PAGE.write_text(
        f"{before}{MARKS[0]}\n{tables(found)}\n{MARKS[1]}{after.partition(MARKS[1])[2]}",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
