"""Every recipe over several seeds, before and after, on prompts that no recipe saw:
`make mend` writes the figures of docs/mitigation.md.

    python bench/mend.py                          the embedded pair, five seeds
    python bench/mend.py --target T --draft D ... another pair, printed
    python bench/mend.py --without harder_group   and once more without this group

Knows which claims are made of recipes and what would deny them. Pools, trainings and
readings are kept in the store, so that a killed run goes on where it stopped. Intervals
are over prompts (identities drawn again within their groups, seeds as they are) and
over seeds (Student's t, prompts as they are); a claim holds where both say so.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from specfair import config, project
from specfair.audit import tracing
from specfair.audit.chosen import prompt_set
from specfair.audit.lending import Lender
from specfair.audit.mending import Learned, learn
from specfair.audit.pace import Pace
from specfair.decoding import Decoding
from specfair.store import Store, digest
from specfair.texts.prompts import PromptSet
from specfair.texts.prompts.parts import NEW, in_parts
from specfair.traces.metrics import sums
from specfair.traces.tally import Tally
from specfair.training.recipe import NAMES, recipe_of
from specfair.vocabulary import BASE, TUNED, Stage

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "mitigation.md"
MARKS = ("<!-- figures: made by bench/mend.py -->", "<!-- end of figures -->")
BEFORE = "(as it was)"
RECIPES = tuple(NAMES)
METRICS = ("alpha", "kl", "cross_entropy")
DECODINGS = ("temperature 1", "greedy")
N_DRAWS = 1_000
MARGIN = 0.01
N_TEXTS = 4  # that the target writes after each judging prompt at temperature 1

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Study:
    """What is measured, and how much of it."""

    settings: config.Settings
    n_seeds: int
    recipes: Sequence[str]
    words: tuple[str, ...]  # said to all recipes

    def judging(self, name: str) -> tuple[PromptSet, Decoding]:
        """The prompts to judge by under a decoding."""
        asked, n_new = in_parts(prompt_set(self.settings)).judging, 20
        if name == "greedy":
            return asked, Decoding(n_new)
        several = tuple(
            replace(p, id=f"{p.id}#{k}") for k in range(N_TEXTS) for p in asked
        )
        return replace(asked, prompts=several), Decoding(n_new, temperature=1.0)


@dataclass(frozen=True, slots=True)
class Found:
    """Sums of each metric (n_recipes + 1, n_seeds, n_prompts) under one decoding, the
    draft as it was first, and labels.
    """

    recipes: tuple[str, ...]
    sums: Mapping[str, Floats]
    tokens: Floats  # (n_prompts,)
    group: NDArray[np.str_]
    cluster: NDArray[np.str_]
    new: NDArray[np.str_]

    def only(self, keep: NDArray[np.bool_]) -> "Found":
        """Of some prompts."""
        return Found(
            self.recipes,
            {name: values[..., keep] for name, values in self.sums.items()},
            self.tokens[keep],
            group=self.group[keep],
            cluster=self.cluster[keep],
            new=self.new[keep],
        )

    def rates(self, metric: str, times: Floats | None = None) -> Floats:
        """Of groups (n_recipes + 1, n_seeds, n_groups), each prompt so many times."""
        weights = np.ones_like(self.tokens) if times is None else times
        hot = (self.group[:, None] == np.unique(self.group)) * weights[:, None]
        return np.asarray((self.sums[metric] @ hot) / (self.tokens @ hot))

    def drawn(self) -> Iterator[Floats]:
        """How often each prompt is there when identities are drawn again."""
        rng = np.random.default_rng(0)
        names, first, code = np.unique(
            self.cluster, return_index=True, return_inverse=True
        )
        groups = [np.flatnonzero(self.group[first] == g) for g in np.unique(self.group)]
        for _ in range(N_DRAWS):
            times = np.zeros(len(names))
            for own in groups:
                again = rng.integers(len(own), size=len(own))
                times[own] = np.bincount(again, minlength=len(own))
            yield times[code]


Cost = dict[str, tuple[int, int, float]]  # texts, target calls, seconds of the slowest


def measured(study: Study) -> tuple[dict[str, Found], Cost]:
    """Every recipe and seed, learned and judged, under both decodings."""
    n, done, pace, cost = study.n_seeds * len(study.recipes), 0, Pace(), Cost()
    tables: dict[str, list[list[dict[str, Floats]]]] = {
        name: [[_read(study, name, "")] * study.n_seeds, *([] for _ in study.recipes)]
        for name in DECODINGS
    }
    for seed in range(study.n_seeds):
        settings = replace(study.settings, seed=seed)
        for i, name in enumerate(study.recipes, start=1):
            draft = ("models=draft",) if name == "clm" else ()
            words = (*study.words, name, *draft)
            recipe = recipe_of(words, small=settings.embedded, seed=seed)
            began = time.monotonic()
            learned = learn(settings, recipe, lambda _: None)
            spent = _noted(settings, learned, time.monotonic() - began)
            slowest = max(spent, cost[name][2] if name in cost else 0)
            cost[name] = (len(learned.pool), learned.n_target_calls, slowest)
            for decoding, table in tables.items():
                table[i].append(_read(study, decoding, str(learned.tuned.model)))
            done += 1
            print(f"{name}, seed {seed}: {pace.left(done, n)}", flush=True)
    return {name: _found(study, name, t) for name, t in tables.items()}, cost


def _noted(settings: config.Settings, learned: Learned, spent: float) -> float:
    """The seconds that a training took when it was made: a run that goes on finds it in
    the store, in no time.
    """
    path = Path(settings.store) / "mend-seconds.json"
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    key = digest(learned.training.key)
    known[key] = max(spent, known.get(key, 0.0))
    path.write_text(json.dumps(known, indent=1), "utf-8")
    return float(known[key])


def _read(study: Study, name: str, draft: str) -> dict[str, Floats]:
    """Sums of each metric by prompt, of the draft as it was or of another."""
    (asked, decoding), settings = study.judging(name), study.settings
    settings = replace(settings, tuned_draft=draft)
    store = Store(Path(settings.store))
    lender = Lender(settings, store, lambda _: None, settings.tuning)
    with lender.lent(Stage(TUNED) if draft else BASE) as loan:
        writer = tracing.Writer(loan.identity, decoding, loan.work)
        trace = tracing.traced(store, writer, asked, lambda _: None)
    found = {metric: sums(trace, metric, _uncounted)[0] for metric in METRICS}
    return found | {"tokens": trace.lengths.astype(np.float64)}


def _uncounted() -> Tally:
    raise AssertionError("these metrics count no rounds")


def _found(study: Study, name: str, table: list[list[dict[str, Floats]]]) -> Found:
    asked, _ = study.judging(name)
    new = in_parts(prompt_set(study.settings)).new
    return Found(
        (BEFORE, *study.recipes),
        {m: np.array([[one[m] for one in row] for row in table]) for m in METRICS},
        table[0][0]["tokens"],
        group=np.array([p.group for p in asked]),
        cluster=np.array([f"{p.group}/{p.cluster}" for p in asked]),
        new=np.array([new[p.id.partition("#")[0]] for p in asked]),
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """A number, its interval over prompts and over seeds."""

    value: float
    prompts: tuple[float, float]
    seeds: tuple[float, float]

    def __str__(self) -> str:
        (a, b), (c, d) = self.prompts, self.seeds
        return f"{self.value:+.3f} ({a:+.3f} to {b:+.3f}; {c:+.3f} to {d:+.3f})"

    def below(self, bound: float) -> bool:
        """Whether both intervals lie below it."""
        return max(self.prompts[1], self.seeds[1]) < bound

    def above(self, bound: float) -> bool:
        """Whether both lie above it."""
        return min(self.prompts[0], self.seeds[0]) > bound


# of (..., n_recipes + 1, n_seeds, n_groups): a number for each seed
Of = Callable[[Floats], Floats]


def shown(of: Of, rates: Floats, drawn: Floats) -> Shown:
    """What `of` makes of the rates, a number a seed, and of drawn ones."""
    each = of(rates)
    low, high = np.quantile(of(drawn).mean(-1), [0.025, 0.975])
    n, mean = len(each), float(each.mean())
    error = float(each.std(ddof=1)) / n**0.5 if n > 1 else float("nan")
    half = float(stdtrit(max(1, n - 1), 0.975)) * error
    return Shown(mean, (float(low), float(high)), (mean - half, mean + half))


def gap(rates: Floats) -> Floats:
    """The fastest group less the slowest."""
    return np.asarray(rates.max(-1) - rates.min(-1))


def comparisons(found: Found, ours: str) -> Iterator[tuple[str, Shown, str]]:
    """Each claim in words, its figure, and whether it holds."""
    at = {name: i for i, name in enumerate(found.recipes)}
    rates = found.rates("alpha")
    drawn = np.stack([found.rates("alpha", times) for times in found.drawn()])
    mine, before = at[ours], at[BEFORE]

    def said(of: Of, holds: Callable[[Shown], bool]) -> tuple[Shown, str]:
        figure = shown(of, rates, drawn)
        if np.isnan(figure.seeds[0]):
            return figure, "undecided: one seed"
        return figure, "holds" if holds(figure) else "does not hold"

    def of_two(what: Of, one: int, other: int) -> Of:
        return lambda r: what(r[..., one, :, :]) - what(r[..., other, :, :])

    def least(one: int, other: int) -> Of:
        return lambda r: (r[..., one, :, :] - r[..., other, :, :]).min(-1)

    for rival in ("distill", "scdf", "group_dro"):
        yield (
            f"gap smaller than {rival}'s",
            *said(of_two(gap, mine, at[rival]), lambda f: f.below(0)),
        )
    for rival in ("distill", "scdf", "group_dro"):
        yield (
            f"mean not lower than {rival}'s by {MARGIN:g}",
            *said(
                of_two(lambda r: r.mean(-1), mine, at[rival]),
                lambda f: f.above(-MARGIN),
            ),
        )
    yield (
        "minimum not lower than group_dro's by 0.01",
        *said(
            of_two(lambda r: r.min(-1), mine, at["group_dro"]),
            lambda f: f.above(-MARGIN),
        ),
    )
    yield (
        "no group lower than before",
        *said(least(mine, before), lambda f: f.value >= 0),
    )
    yield (
        f"no group lower than under distill by {MARGIN:g}",
        *said(least(mine, at["distill"]), lambda f: f.value >= -MARGIN),
    )


def table(found: Found, cost: Cost) -> Iterator[str]:
    """A row a recipe, means over seeds."""
    rates = found.rates("alpha")
    variances = {m: found.rates(m).var(-1).mean(-1) for m in METRICS}
    plain = found.recipes.index("distill")
    heads = (
        *("recipe", "mean", "minimum", "gap", "ratio", "U on D", "U on KL"),
        *("U on alpha", "groups against distill", "target calls", "seconds"),
    )
    yield f"| {' | '.join(heads)} |"
    yield "| --- " * len(heads) + "|"
    for i, name in enumerate(found.recipes):
        own = rates[i]
        change = (own - rates[plain]).mean(0)
        _, calls, spent = cost.get(name, (0, 0, 0.0))
        yield (
            f"| {name} | {own.mean():.3f} | {own.min(-1).mean():.3f} | "
            f"{gap(own).mean():.3f} | {(own.min(-1) / own.max(-1)).mean():.3f} | "
            f"{variances['cross_entropy'][i]:.4f} | {variances['kl'][i]:.4f} | "
            f"{variances['alpha'][i]:.5f} | {change.min():+.3f}, {change.max():+.3f} | "
            f"{calls:,} | {spent:.0f} |"
        )


def changes(found: Found) -> Iterator[str]:
    """A row a group: its alpha under distill, and what others change of it."""
    rates, groups = found.rates("alpha").mean(1), np.unique(found.group)
    plain = found.recipes.index("distill")
    others = [i for i in range(len(rates)) if i != plain]
    heads = " | ".join(found.recipes[i] for i in others)
    yield f"| group | distill | {heads} |"
    yield "| --- " * (len(others) + 2) + "|"
    for j, group in enumerate(groups):
        moved = (f"{rates[i, j] - rates[plain, j]:+.3f}" for i in others)
        yield f"| {group} | {rates[plain, j]:.3f} | {' | '.join(moved)} |"


def page(found: Mapping[str, Found], cost: Cost, without: str) -> Iterator[str]:
    """The figures in Markdown."""
    for decoding, every in found.items():
        for new in NEW:
            some = every.only(every.new == new)
            if not len(some.group):
                continue
            what = "templates and identities" if new == "both" else new
            yield f"### New {what}, {decoding}"
            yield "\n".join(table(some, cost))
            yield "\n".join(changes(some))
            yield "\n".join(_claims(some))
            if without in some.group:
                yield f"Without {without}, whose text is harder for any draft:"
                yield "\n".join(_claims(some.only(some.group != without), few=True))


def _claims(found: Found, *, few: bool = False) -> Iterator[str]:
    yield "| of fairspec | figure (over prompts; over seeds) | |"
    yield "| --- | --- | --- |"
    for words, figure, verdict in comparisons(found, "fairspec"):
        if not few or words.startswith("gap"):
            yield f"| {words} | {figure} | {verdict} |"


def main(arguments: Sequence[str]) -> int:
    """Measure and write, or print for a pair of one's own."""
    parser = argparse.ArgumentParser(description="Recipes side by side.")
    names = ("target", "draft", "prompts", "store", "groups")
    for name in names:
        parser.add_argument(f"--{name}", metavar="X")
    parser.add_argument("--recipe", default="", help="said to all recipes")
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--without", default="", metavar="GROUP")
    told = parser.parse_args(arguments)
    given = {name: getattr(told, name) for name in names if getattr(told, name)}
    settings = replace(config.load(project.find(ROOT), given), min_prompts=1)
    words = tuple(filter(None, told.recipe.split(",")))
    study = Study(settings, told.seeds, told.recipes.split(","), words)
    found, cost = measured(study)
    made = "\n\n".join(page(found, cost, told.without))
    if settings.embedded and PAGE.is_file():
        before, _, rest = PAGE.read_text("utf-8").partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        PAGE.write_text(f"{before}{MARKS[0]}\n\n{made}\n\n{MARKS[1]}{after}", "utf-8")
    else:
        print(made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
