"""A Run as one self-contained HTML page, and several as an index. Pure functions of
what they are given.

Knows which sections a page has and in which order. The page may run its own script and
style sheet, nothing else.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from specfair.report import (
    cards,
    findings,
    many,
    runs,
    sections,
    sections_groups,
    sections_lookahead,
    sections_more,
    sections_tokens,
    text,
)
from specfair.report.lookup import index, tally
from specfair.run.run import Run

N_CARDS = 9  # open at once; the others are one click away
N_MORE = 100  # cards at all; further checks are rows of the table
WAYS = (
    (sections.before_after, "Before and after"),
    (sections.mentions, "Who gains"),
    (sections_groups.groups, "Groups"),
    (sections_tokens.distributions, "Distributions"),
    (sections_tokens.mistakes, "Confident mistakes"),
    (sections_lookahead.lookahead, "Lookahead"),
    (sections_more.causes, "Causes"),
    (sections_more.training, "Training"),
    (sections_more.baseline, "Baseline"),
)
METHOD = (
    "A small draft model proposes tokens and the target accepts or rejects them. The "
    "text is the target's either way; "
    "where the draft understands a group's text less well, fewer tokens are accepted "
    "and that group waits longer.",
    "The unit of evidence is the prompt's cluster, never the token. Intervals are 95% "
    "intervals of a bootstrap over "
    "clusters; before and after are compared on the same prompts; families of "
    "comparisons are corrected by Holm.",
    "The widest difference of several groups is positive even when all are alike, so "
    "the gap that shuffled labels "
    "reach stands beside it. A check fails only on evidence and at least its least "
    "effect; without enough evidence it "
    "is undecided, which is not a pass, and says how many prompts would decide it.",
)


def render_html(report: Run) -> str:
    """The page."""
    found = index(report)
    every = cards.cards(report)
    urgent = [card for card in every if card.decision != "pass"]
    counts = tally(report)
    made = [
        (section, name) for way, name in WAYS if (section := way(found)) is not None
    ]
    return _page(
        "page.html.j2",
        title=f"specfair: {findings.verdict(report)}",
        verdict=findings.verdict(report),
        counts=counts,
        gravest=next(iter(counts), "pass"),
        words=findings.WORDS,
        compared=_compared(report),
        command=text.clean(report.command, text.COMMAND),
        datasets=report.datasets,
        groups=report.groups,
        cards=urgent[:N_CARDS],
        more_cards=urgent[N_CARDS:N_MORE],
        n_left_out=len(urgent[N_MORE:]),
        carded={card.anchor for card in urgent[:N_MORE]},
        all_cards=every,
        overview=cards.overview(report, every),
        map_heads=cards.columns(report, every),
        sections=[section for section, _ in made],
        names={section.id: name for section, name in made},
        definitions=sorted(report.definitions.items()),
        method=METHOD,
        notes=(*report.notes, *many.note(report)),
        facts=_facts(report),
    )


def render_index(reports: Sequence[Run]) -> str:
    """Several runs on one page, the oldest first."""
    told = runs.ordered(reports)
    latest = tally(told[-1]) if told else {}
    said = findings.verdict(told[-1]) if told else "No run is stored."
    return _page(
        "index.html.j2",
        title="specfair: runs",
        verdict=f"Latest run: {said}" if told else said,
        gravest=next(iter(latest), "pass"),
        words=findings.WORDS,
        runs=runs.runs(told),
        panels=runs.trends(told),
        answer=runs.answer(told),
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
        count=text.count,
        say=text.say,
        clean=text.clean,
        attribute=lambda value: text.clean(value, 80) if value else "",
    )
    return environment


def _page(template: str, **data: Any) -> str:
    """The template with style, script and the policy that admits those two and nothing
    else.
    """
    style, script = _asset("style.css"), _asset("script.js")
    policy = _policy(style=style, script=script)
    return (
        _environment()
        .get_template(template)
        .render(style=style, script=script, policy=policy, **data)
    )


def _asset(name: str) -> Markup:
    loader = _environment().loader
    source = loader.get_source(_environment(), name)[0] if loader else ""
    return Markup(source)  # noqa: S704  # our own file, with nothing put into it


def _policy(*, style: str, script: str) -> str:
    def fingerprint(source: str) -> str:
        return (
            "sha256-"
            + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        )

    return (
        f"default-src 'none'; style-src '{fingerprint(style)}'; script-src "
        f"'{fingerprint(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _compared(report: Run) -> list[tuple[str, Markup]]:
    """What was compared, on what, how, and when."""
    entries = (
        ("target", report.target),
        ("draft", report.draft),
        ("prompts", report.prompts),
        ("fine-tuned on", _sources(report)),
        ("decoding", report.decoding),
        ("lookahead", report.lookahead),
        ("when", report.created[:16].replace("T", " ")),
    )
    return [(name, text.say(value, 600)) for name, value in entries if value]


def _sources(report: Run) -> str:
    """The datasets, and what they really are: once where it is the same for all."""
    kinds = {
        d: report.sources.get(d, "").removeprefix(d).lstrip(", ")
        for d in report.datasets
    }
    if len(set(kinds.values())) == 1 and report.datasets:
        kind = kinds[report.datasets[0]]
        return text.listed(list(report.datasets)) + (f" ({kind})" if kind else "")
    return "; ".join(f"{d} ({kind})" if kind else d for d, kind in kinds.items())


def _facts(report: Run) -> list[tuple[str, list[tuple[str, str]]]]:
    """Settings and provenance as flat tables."""
    tables = (
        ("Settings", report.settings),
        ("Provenance", report.provenance),
        ("Sources", report.sources),
    )
    flat = [(heading, list(_flatten(values))) for heading, values in tables]
    return [(heading, rows) for heading, rows in flat if rows]


def _flatten(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in sorted(values.items(), key=lambda item: str(item[0])):
        name = f"{above}{text.clean(key, 60)}"
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{name} / ")
        else:
            shown = (
                ", ".join(str(x) for x in value)
                if isinstance(value, list | tuple)
                else str(value)
            )
            yield name, text.clean(shown, 400)
