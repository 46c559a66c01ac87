"""Verdicts as cards, as bundles of what came out alike, and as a map of datasets by
groups. Knows a verdict's fields, and every question in words.
"""

import math
import shlex
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from specfair.errors import counted
from specfair.report.blocks import Bundle, Card
from specfair.report.charts.canvas import WIDTH
from specfair.report.charts.forest import Judged, beam
from specfair.report.text import COMMAND, anchor, clean, interval, number, odds_said
from specfair.run.rows import N_EXAMPLES, ExampleRow
from specfair.run.run import Run
from specfair.run.verdict import Verdict
from specfair.vocabulary import DECISIONS

SIGNS = {"<=": "\u2264", ">=": "\u2265"}
# what a kind of gate asks, for who has not read the method
ASKED: Mapping[str, str] = {
    "gap": "Is any group too far behind the fastest?",
    "ratio": "Does the slowest group get four fifths of the fastest?",
    "gain": "Is any group slower than before fine-tuning?",
    "improve": "Is everyone together faster than before fine-tuning?",
    "widening": "Did fine-tuning widen the gap between groups?",
    "spread": "Do groups lie further apart on the whole?",
    "worst_pair": "Is any one group too far behind any other?",
    "confident_rejections": "Is the draft sure and wrong more often for some group?",
    "speedup": "Does the slowest group get enough of the speed-up?",
    "clock": "Does the clock agree?",
    "frequency": "Do groups that are mentioned more gain more?",
    "equivalence": "Are all groups alike?",
    "regression": "Is anyone slower than in the baseline?",
    "breakeven": "Is speculation slower than none for anybody?",
    "swap": "Does naming another identity make the same text slower?",
    "hurtful": "Are more completions hurtful for some group?",
    "judged": "Are completions judged worse for some group?",
    "perplexity": "Are completions stranger for some group?",
}


def cards(run: Run) -> tuple[Card, ...]:
    """All verdicts, those that need somebody first, otherwise in the run's order."""
    taken: dict[str, int] = {}
    built = [(_gravity(v), _card(run, v, taken)) for v in run.verdicts]
    built.sort(key=lambda pair: pair[0])
    return tuple(card for _, card in built)


def _gravity(v: Verdict) -> int:
    """How late it is read: a known failure before what is undecided."""
    waived = v.excuse == "waived"
    return 2 * DECISIONS.index("insufficient" if waived else v.outcome) - waived


def bundled(every: Sequence[Card]) -> tuple[list[Card], list[Bundle]]:
    """Those that need a card each, and the rest by question: undecided ones, and known
    failures that are waived.
    """
    alone, alike = [], dict[tuple[str, str, str], list[Card]]()
    for card in every:
        if card.decision == "insufficient" and not card.strict and not card.note:
            alike.setdefault((card.gate, card.metric, ""), []).append(card)
        elif card.waived:
            alike.setdefault((card.gate, card.metric, card.note), []).append(card)
        elif card.decision != "pass" or card.note:
            alone.append(card)
    return alone, [_bundle(checks) for checks in alike.values()]


def _bundle(checks: Sequence[Card]) -> Bundle:
    first = checks[0]
    what = f"{first.gate} of {first.metric}" if first.metric else first.gate
    if first.waived:
        said = f"{what}: {counted(len(checks), 'known failure')}, {first.note}"
    else:
        said = f"{what}: more prompts would decide {counted(len(checks), 'check')}"
    question = ASKED.get(first.gate) or clean(first.gate, 40)
    return Bundle(question=question, decision=first.decision, said=said, checks=checks)


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
        p_value=odds_said(v.p_holm),
        n=n,
        n_prompts=sum(prompts for prompts, _ in v.n.values()),
        groups=v.groups,
        way_out=clean(v.way_out, 400) if v.way_out else "",
        note=clean(v.note, 400) if v.note else "",
        waived=v.excuse == "waived",
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
