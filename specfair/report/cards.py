"""Verdicts as cards and as a map of datasets by groups. Knows the fields of a verdict;
fills what is missing.
"""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from specfair.report.blocks import Card, Drawing
from specfair.report.lookup import dataset_of
from specfair.report.page import ExampleRow, Report, elsewhere
from specfair.report.tables import DECISIONS
from specfair.report.text import COMMAND, anchor, clean, interval, number, odds, plural

N_EXAMPLES = 5
SIGNS = {"<=": "\u2264", ">=": "\u2265"}
ANYONE = 2  # groups and more: the verdict is about all of them


def cards(report: Report) -> tuple[Card, ...]:
    """All verdicts, those that need somebody first, otherwise in the run's order."""
    taken: dict[str, int] = {}
    built = [
        _card(report, verdict, _unique(str(verdict.get("case", "")), taken))
        for verdict in report.verdicts
    ]
    return tuple(sorted(built, key=lambda card: DECISIONS.index(card.decision)))


def _unique(case: str, taken: dict[str, int]) -> str:
    name = anchor(case)
    taken[name] = taken.get(name, 0) + 1
    return name if taken[name] == 1 else f"{name}--{taken[name]}"


def _card(report: Report, verdict: Mapping[str, Any], name: str) -> Card:
    case = str(verdict.get("case", ""))
    decision = verdict.get("decision")
    groups = tuple(str(group) for group in verdict.get("groups") or ())
    n = {str(g): pair for g, pair in (verdict.get("n") or {}).items()}
    examples = [
        row
        for row in report.examples
        if row.case == case and row.gate == verdict.get("gate")
    ]
    return Card(
        anchor=name,
        case=case,
        about=clean(other, 600) if (other := elsewhere(report, verdict)) else "",
        dataset=dataset_of(report, case),
        gate=str(verdict.get("gate", "")),
        metric=str(verdict.get("metric", "")),
        decision=decision if decision in DECISIONS else "invalid",
        strict=bool(verdict.get("strict")),
        sentence=clean(verdict.get("sentence", ""), 400),
        expected=(
            f"{SIGNS.get(str(verdict.get('comparison')), '')} "
            f"{number(verdict.get('bound'))}"
        ).strip(),
        actual=number(verdict.get("value")),
        interval=interval(verdict.get("low"), verdict.get("high")),
        min_effect=number(verdict.get("min_effect")),
        p_value=odds(verdict.get("p_holm", verdict.get("p_value"))),
        n=[(group or "all groups", *_counts(pair)) for group, pair in n.items()],
        n_prompts=sum(
            pair[0] for pair in n.values() if isinstance(pair, list | tuple) and pair
        ),
        groups=groups,
        way_out=clean(verdict.get("way_out") or "", 400)
        if verdict.get("way_out")
        else "",
        command=clean(
            verdict.get("reproduce")
            or f"pytest evals -k {shlex.quote(clean(case, 120))}",
            COMMAND,
        ),
        examples=[_example(row) for row in examples[:N_EXAMPLES]],
        drawing=drawing(verdict),
    )


def _counts(pair: Any) -> tuple[str, str]:
    prompts, clusters = (
        (*pair, None, None)[:2] if isinstance(pair, list | tuple) else (pair, None)
    )
    return plural(prompts, "prompt") if isinstance(prompts, int) else "n/a", plural(
        clusters, "cluster"
    ) if isinstance(clusters, int) else "n/a"


def _example(row: ExampleRow) -> tuple[str, str, str]:
    was = f", was {number(row.reference, 2)}" if row.reference is not None else ""
    return clean(row.group, 60), clean(row.text, 300), f"{number(row.value, 2)}{was}"


def drawing(verdict: Mapping[str, Any]) -> Drawing | None:
    """Where value, interval, bound and the allowed side fall; None where one of them is
    not a number.
    """
    numbers = [verdict.get(name) for name in ("low", "high", "value", "bound")]
    if not all(isinstance(x, int | float) and math.isfinite(x) for x in numbers):
        return None
    low, high, value, bound = (float(x) for x in numbers if x is not None)
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

    ceiling = verdict.get("comparison") == "<="
    slack = verdict.get("min_effect")
    tolerated = at(
        bound
        + (slack if isinstance(slack, int | float) else 0.0) * (1 if ceiling else -1)
    )
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


def columns(report: Report, all_cards: Sequence[Card]) -> tuple[str, ...]:
    """The datasets that checks speak of; "" is the base pair."""
    present = {card.dataset for card in all_cards}
    return tuple(dataset for dataset in ("", *report.datasets) if dataset in present)


def overview(
    report: Report, all_cards: Sequence[Card]
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
