"""A Run as one self-contained HTML page, and several as an index. Pure functions of
what they are given.

The page may run its own script and style sheet, nothing else.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from specfair.report import cards, changed, findings, lead, many, text, trends
from specfair.report.blocks import Bundle, Card
from specfair.report.lookup import index, tally
from specfair.report.sections import SECTIONS
from specfair.run.run import Run

N_CARDS = 9  # open at once; the others are one click away
N_MORE = 100  # cards at all; further checks are rows of the table
N_ROWS = 60  # of one question's checks; likewise
METHOD = (
    "A small draft model proposes tokens and the target accepts or rejects them. The "
    "text is the target's either way; where the draft understands a group's text less "
    "well, fewer tokens are accepted and that group waits longer.",
    "The unit of evidence is the prompt's cluster, never the token. Intervals are 95% "
    "intervals from leaving out one cluster at a time; before and after are compared "
    "on the same prompts; families of comparisons are corrected by Holm.",
    "Of many noisy rates the lowest is low partly by luck. What to expect next time is "
    "each rate drawn towards the others as far as it is noise, and a rank, 1 being "
    "slowest, is every place that a group may truly have.",
    "The widest difference of several groups is positive even when all are alike, so "
    "what groups that are alike show by chance stands beside it. A check fails only on "
    "evidence and at least its least effect; without enough evidence it is undecided, "
    "which is not a pass, and says how many prompts would decide it.",
)


def render_html(run: Run) -> str:
    """The page."""
    found, every, counts = index(run), cards.cards(run), tally(run)
    alone, bundles = cards.bundled(every)
    return _page(
        "page.html.j2",
        title=f"specfair: {findings.verdict(run)}",
        verdict=findings.verdict(run),
        counts=counts,
        n_waived=findings.known_failures(run),
        gravest=next(iter(counts), "pass"),
        words=findings.WORDS,
        compared=_compared(run),
        command=text.clean(run.command, text.COMMAND),
        datasets=run.datasets,
        groups=run.groups,
        lead=lead.lead(found),
        cards=alone[:N_CARDS],
        more_cards=alone[N_CARDS:N_MORE],
        bundles=bundles,
        n_rows=N_ROWS,
        by_chance=findings.by_chance(run),
        n_left_out=len(alone[N_MORE:]),
        carded=_carded(alone, bundles),
        all_cards=every,
        overview=cards.overview(run, every),
        map_heads=cards.heads(run, every),
        sections=[section for make in SECTIONS if (section := make(found))],
        definitions=sorted(run.definitions.items()),
        method=METHOD,
        notes=(*run.notes, *many.note(run)),
        facts=_facts(run),
    )


def _carded(alone: Sequence[Card], bundles: Sequence[Bundle]) -> set[str]:
    """The checks that stand somewhere else than in the table of all."""
    rows = [card for bundle in bundles for card in bundle.checks[:N_ROWS]]
    return {card.anchor for card in (*alone[:N_MORE], *rows)}


def render_index(runs: Sequence[Run]) -> str:
    """Several runs on one page, the oldest first."""
    runs = sorted(runs, key=lambda run: run.created)
    latest = tally(runs[-1]) if runs else {}
    said = "No run is stored."
    if runs:
        said = f"Latest run: {findings.verdict(runs[-1])}"
    return _page(
        "index.html.j2",
        title="specfair: runs",
        verdict=said,
        gravest=next(iter(latest), "pass"),
        words=findings.WORDS,
        runs=trends.entries(runs),
        changed=changed.changed(*map(index, runs[-2:])) if len(runs) > 1 else None,
        panels=trends.trends(runs),
        answer=trends.answer(runs),
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("specfair.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        count=text.thousands,
        say=text.say,
        clean=text.clean,
        coded=text.coded,
        attribute=lambda value: text.clean(value, 80) if value else "",
    )
    return environment


def _page(template: str, **data: Any) -> str:
    """The template with style, script and the policy that admits those two and nothing
    else.
    """
    style, script = _asset("style.css"), _asset("script.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src "
        f"'{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    made = _environment().get_template(template)
    return made.render(style=style, script=script, policy=policy, **data)


def _asset(name: str) -> Markup:
    loader = _environment().loader
    source = loader.get_source(_environment(), name)[0] if loader else ""
    return Markup(source)  # noqa: S704  # our own file, with nothing put into it


def _digest(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _compared(run: Run) -> list[tuple[str, Markup]]:
    """What was compared, on what, how, and when."""
    entries = {
        "target": run.target,
        "draft": run.draft,
        "prompts": run.prompts,
        "fine-tuned on": _sources(run),
        "decoding": run.decoding,
        "lookahead": run.lookahead,
        "when": run.created[:16].replace("T", " "),
    }
    return [(name, text.say(value, 600)) for name, value in entries.items() if value]


def _sources(run: Run) -> str:
    """The datasets, and what they really are: once where it is the same for all."""
    kinds = {}
    for dataset in run.datasets:
        kind = run.sources.get(dataset, "").removeprefix(dataset).lstrip(", ")
        kinds[dataset] = f" ({kind})" if kind else ""
    if len(set(kinds.values())) == 1:
        return text.enumerated(list(run.datasets)) + kinds[run.datasets[0]]
    return "; ".join(f"{dataset}{kind}" for dataset, kind in kinds.items())


def _facts(run: Run) -> list[tuple[str, list[tuple[str, str]]]]:
    """Settings and provenance as flat tables."""
    tables = {
        "Settings": run.settings,
        "Provenance": run.provenance,
        "Sources": run.sources,
    }
    return [(head, list(_flatten(some))) for head, some in tables.items() if some]


def _flatten(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in sorted(values.items(), key=lambda item: str(item[0])):
        name = f"{above}{text.clean(key, 60)}"
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{name} / ")
        elif isinstance(value, list | tuple):
            yield name, text.clean(", ".join(map(str, value)), 400)
        else:
            yield name, text.clean(str(value), 400)
