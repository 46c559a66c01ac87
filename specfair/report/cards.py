"""Verdicts as cards, and as a map of datasets by groups. Knows a verdict's fields."""

import math
import shlex
from collections.abc import Sequence

from markupsafe import Markup

from specfair.errors import counted
from specfair.report.blocks import Card
from specfair.report.charts.canvas import WIDTH
from specfair.report.charts.forest import Judged, beam
from specfair.report.text import COMMAND, anchor, clean, interval, number, odds
from specfair.run.rows import N_EXAMPLES, ExampleRow
from specfair.run.run import Run
from specfair.run.verdict import Verdict
from specfair.vocabulary import DECISIONS

SIGNS = {"<=": "\u2264", ">=": "\u2265"}


def cards(run: Run) -> tuple[Card, ...]:
    """All verdicts, those that need somebody first, otherwise in the run's order."""
    taken: dict[str, int] = {}
    built = [(v.outcome, _card(run, v, taken)) for v in run.verdicts]
    built.sort(key=lambda pair: DECISIONS.index(pair[0]))
    return tuple(card for _, card in built)


def _unique(case: str, taken: dict[str, int]) -> str:
    name = anchor(case)
    taken[name] = taken.get(name, 0) + 1
    return name if taken[name] == 1 else f"{name}--{taken[name]}"


def _card(run: Run, v: Verdict, taken: dict[str, int]) -> Card:
    rows = [r for r in run.examples if (r.case, r.gate) == (v.case, v.gate)]
    again = v.reproduce or f"pytest evals -k {shlex.quote(clean(v.case, 120))}"
    about, n = run.elsewhere(v), []
    for group, (prompts, clusters) in v.n.items():
        counts = counted(prompts, "prompt"), counted(clusters, "cluster")
        n.append((group or "all groups", *counts))
    expected = f"{SIGNS.get(v.comparison, '')} {number(v.bound)}".strip()
    said = f"value {number(v.value)}, interval {interval(v.low, v.high)}"
    said += f", bound {expected}"
    return Card(
        anchor=_unique(v.case, taken),
        case=v.case,
        about=clean(about, 600) if about else "",
        dataset=v.dataset,
        gate=v.gate,
        metric=v.metric,
        decision=v.decision,
        strict=v.strict,
        sentence=clean(v.sentence, 400),
        expected=expected,
        actual=number(v.value),
        interval=interval(v.low, v.high),
        min_effect=number(v.min_effect),
        p_value=odds(v.p_holm),
        n=n,
        n_prompts=sum(prompts for prompts, _ in v.n.values()),
        groups=v.groups,
        way_out=clean(v.way_out, 400) if v.way_out else "",
        note=clean(v.note, 400) if v.note else "",
        command=clean(again, COMMAND),
        examples=[_example(row) for row in rows[:N_EXAMPLES]],
        drawing=_drawing(v, 0.13 * WIDTH, said),
        small=_drawing(v, 0.06 * WIDTH, said),
    )


def _example(row: ExampleRow) -> tuple[str, str, str]:
    was = f", was {number(row.reference, 2)}" if row.reference is not None else ""
    return clean(row.group, 60), clean(row.text, 300), f"{number(row.value, 2)}{was}"


def _drawing(v: Verdict, height: float, said: str) -> Markup:
    """The interval against the bound; nothing where one of them is not a number."""
    if not all(map(math.isfinite, (v.value, v.low, v.high, v.bound))):
        return Markup()
    judged = Judged(
        now=(v.value, v.low, v.high),
        bound=v.bound,
        ceiling=v.comparison == "<=",
        slack=v.min_effect if math.isfinite(v.min_effect) else 0.0,
        decision=v.decision,
    )
    return beam(judged, height=height, name=said)


def heads(run: Run, every: Sequence[Card]) -> tuple[str, ...]:
    """The datasets that checks speak of, those of other audits last; "" is the base
    pair.
    """
    present = dict.fromkeys(card.dataset for card in every)
    known = ("", *run.datasets)
    own = [dataset for dataset in known if dataset in present]
    return (*own, *(dataset for dataset in present if dataset not in known))


def overview(run: Run, every: Sequence[Card]) -> list[tuple[str, list[Card | None]]]:
    """A row a group, a column a dataset: the gravest verdict of each. The first row
    holds verdicts about all groups, the last ones those of other audits.
    """
    gravest: dict[tuple[str, str], Card] = {}
    for card in every:  # the gravest first, as `cards` orders them
        group = card.groups[0] if len(card.groups) == 1 else ""
        gravest.setdefault((group, card.dataset), card)
    rows = []
    for group in dict.fromkeys(("", *run.groups, *(group for group, _ in gravest))):
        row = [gravest.get((group, dataset)) for dataset in heads(run, every)]
        if any(row):
            rows.append((group, row))
    return rows
