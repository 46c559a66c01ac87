"""Verdicts as cards and as a map of datasets by groups.

Knows the fields of a verdict.
"""

import math
import shlex
from collections.abc import Sequence

from specfair.report.blocks import Card, Drawing
from specfair.report.text import COMMAND, anchor, clean, interval, number, odds, plural
from specfair.run.rows import N_EXAMPLES, ExampleRow
from specfair.run.run import Run
from specfair.run.verdict import Verdict
from specfair.vocabulary import DECISIONS

SIGNS = {"<=": "\u2264", ">=": "\u2265"}


def cards(report: Run) -> tuple[Card, ...]:
    """All verdicts, those that need somebody first, otherwise in the run's order."""
    taken: dict[str, int] = {}
    built = [
        _card(report, verdict, _unique(verdict.case, taken))
        for verdict in report.verdicts
    ]
    return tuple(sorted(built, key=lambda card: DECISIONS.index(card.decision)))


def _unique(case: str, taken: dict[str, int]) -> str:
    name = anchor(case)
    taken[name] = taken.get(name, 0) + 1
    return name if taken[name] == 1 else f"{name}--{taken[name]}"


def _card(report: Run, verdict: Verdict, name: str) -> Card:
    v, other = verdict, report.elsewhere(verdict)
    rows = [r for r in report.examples if (r.case, r.gate) == (v.case, v.gate)]
    again = v.reproduce or f"pytest evals -k {shlex.quote(clean(v.case, 120))}"
    return Card(
        anchor=name,
        case=v.case,
        about=clean(other, 600) if other else "",
        dataset=v.dataset,
        gate=v.gate,
        metric=v.metric,
        decision=v.decision,
        strict=v.strict,
        sentence=clean(v.sentence, 400),
        expected=f"{SIGNS.get(v.comparison, '')} {number(v.bound)}".strip(),
        actual=number(v.value),
        interval=interval(v.low, v.high),
        min_effect=number(v.min_effect),
        p_value=odds(v.p_holm),
        n=[
            (group or "all groups", plural(n[0], "prompt"), plural(n[1], "cluster"))
            for group, n in v.n.items()
        ],
        n_prompts=sum(n[0] for n in v.n.values()),
        groups=v.groups,
        way_out=clean(v.way_out, 400) if v.way_out else "",
        command=clean(again, COMMAND),
        examples=[_example(row) for row in rows[:N_EXAMPLES]],
        drawing=drawing(v),
    )


def _example(row: ExampleRow) -> tuple[str, str, str]:
    was = f", was {number(row.reference, 2)}" if row.reference is not None else ""
    return clean(row.group, 60), clean(row.text, 300), f"{number(row.value, 2)}{was}"


def drawing(verdict: Verdict) -> Drawing | None:
    """Where value, interval, bound and the allowed side fall; None where one of them is
    not a number.
    """
    low, high, value, bound = verdict.low, verdict.high, verdict.value, verdict.bound
    if not all(map(math.isfinite, (low, high, value, bound))):
        return None
    around = [
        low,
        high,
        value,
        bound,
        *([0.0] if abs(bound) < max(abs(low), abs(high)) else []),
    ]
    room = max((max(around) - min(around)) * 0.08, 1e-6)
    left, right = min(around) - room, max(around) + room

    def at(x: float) -> float:
        return min(max(round(100 * (x - left) / (right - left), 2), 0.0), 100.0)

    ceiling = verdict.comparison == "<="
    slack = verdict.min_effect if math.isfinite(verdict.min_effect) else 0.0
    tolerated = at(bound + slack if ceiling else bound - slack)
    zero = at(0.0) if left <= 0 <= right else None
    edges = (0.0, at(bound), tolerated) if ceiling else (at(bound), 100.0, tolerated)
    return Drawing(
        at(low),
        at(high),
        at(value),
        at(bound),
        zero,
        edges[:2],
        tuple(sorted((at(bound), edges[2]))),
    )


def columns(report: Run, all_cards: Sequence[Card]) -> tuple[str, ...]:
    """The datasets that checks speak of, those of other audits last; "" is the base
    pair.
    """
    present = dict.fromkeys(card.dataset for card in all_cards)
    known = ("", *report.datasets)
    own = [dataset for dataset in known if dataset in present]
    return (*own, *(dataset for dataset in present if dataset not in known))


def overview(
    report: Run, all_cards: Sequence[Card]
) -> list[tuple[str, list[Card | None]]]:
    """A row a group, a column a dataset: the gravest verdict of each. The first row
    holds verdicts about all groups.
    """
    gravest: dict[tuple[str, str], Card] = {}
    for card in sorted(
        all_cards, key=lambda card: DECISIONS.index(card.decision), reverse=True
    ):
        about = card.groups[0] if len(card.groups) == 1 else ""
        gravest[about, card.dataset] = card
    wanted = columns(report, all_cards)
    rows = [
        (group, [gravest.get((group, dataset)) for dataset in wanted])
        for group in ("", *report.groups)
    ]
    return [row for row in rows if any(row[1])]
