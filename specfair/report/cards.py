"""Verdicts as cards and as a map of datasets by groups. Knows the fields of a verdict;
fills what is missing.
"""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from specfair.report.blocks import Card
from specfair.report.charts.forest import WIDTH, Judged, beam
from specfair.report.lookup import dataset_of
from specfair.report.page import ExampleRow, Report, elsewhere
from specfair.report.tables import DECISIONS
from specfair.report.text import COMMAND, anchor, clean, interval, number, odds, plural

N_EXAMPLES = 5
SIGNS = {"<=": "\u2264", ">=": "\u2265"}


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
        decision=_decision(verdict),
        strict=bool(verdict.get("strict")),
        sentence=clean(verdict.get("sentence", ""), 400),
        expected=_expected(verdict),
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
        drawing=drawing(verdict, 0.13 * WIDTH),
        small=drawing(verdict, 0.06 * WIDTH),
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


def drawing(verdict: Mapping[str, Any], height: float) -> Markup:
    """The interval against the bound; nothing where one of them is not a number."""
    names = ("value", "low", "high", "bound")
    numbers = [verdict.get(name) for name in names]
    if not all(isinstance(x, int | float) and math.isfinite(x) for x in numbers):
        return Markup()
    value, low, high, bound = (float(x) for x in numbers if x is not None)
    slack = verdict.get("min_effect")
    judged = Judged(
        now=(value, low, high),
        bound=bound,
        ceiling=verdict.get("comparison") == "<=",
        slack=slack if isinstance(slack, int | float) else 0.0,
        decision=_decision(verdict),
    )
    said = f"value {number(value)}, interval {interval(low, high)}, bound "
    return beam(judged, height=height, name=said + _expected(verdict))


def _expected(verdict: Mapping[str, Any]) -> str:
    sign = SIGNS.get(str(verdict.get("comparison")), "")
    return f"{sign} {number(verdict.get('bound'))}".strip()


def _decision(verdict: Mapping[str, Any]) -> str:
    decision = verdict.get("decision")
    return decision if decision in DECISIONS else "invalid"


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
