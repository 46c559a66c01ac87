"""The report in short, as Markdown for step summaries and pull requests.

Says the same sentences as the page and shows tables of it. Knows nothing of HTML or
charts; text from outside cannot form Markdown or HTML.
"""

import re
from collections.abc import Iterable, Mapping

from specfair.errors import counted
from specfair.report import findings, lead, many
from specfair.report.blocks import Card, Table
from specfair.report.cards import cards
from specfair.report.lookup import Index, index, tally
from specfair.report.sections.before_after import by_dataset, table_by_group
from specfair.report.sections.groups import ranking
from specfair.report.sections.mentions import gaps
from specfair.report.sections.mitigation import mended, recipes
from specfair.report.text import COMMAND, clean
from specfair.run.run import Run
from specfair.vocabulary import BASE, Decision

N_CHECKS = 12
MARKS: Mapping[Decision, str] = {
    "fail": "\u2717",
    "invalid": "!",
    "insufficient": "?",
    "pass": "\u2713",
}
_SYNTAX = re.compile(r"([\\`*_\[\]#|<>~&$]|:(?=//)|(?<=www)\.)")
_JOINER = "\u2060"  # after an @, so that nobody is notified


def render_markdown(run: Run) -> str:
    """The verdict, what needs somebody, before and after, the gaps."""
    found, counts = index(run), tally(run)
    marked = [f"{MARKS[d]} {n} {findings.WORDS[d]}" for d, n in counts.items()]
    if findings.known_failures(run):
        marked.append(f"{findings.known_failures(run)} waived")
    said = findings.by_chance(run)
    blocks = (
        f"## specfair: {_escape(findings.verdict(run))}",
        " \u00b7 ".join(marked),
        *(_coded(sentence) for sentence in lead.lead(found)),
        _compared(run),
        _checks(run),
        _escape(said, 300) if said else "",
        *_sections(found),
        "\n".join(f"- {_escape(note, 300)}" for note in run.notes),
        f"Again: {_code(run.command)}",
    )
    return "\n\n".join(filter(None, blocks)) + "\n"


def _escape(text: object, limit: int = 200) -> str:
    return _SYNTAX.sub(r"\\\1", clean(text, limit)).replace("@", f"@{_JOINER}")


def _code(text: object) -> str:
    """A code span that holds what it was given, backticks too: what is copied from it
    is what runs.
    """
    whole = clean(text, COMMAND)
    fence = "`"
    while fence in whole:
        fence += "`"
    edges = {whole[:1], whole[-1:]}
    if "`" in edges or edges == {" "}:
        whole = f" {whole} "
    return f"{fence}{whole}{fence}"


def _coded(sentence: str) -> str:
    """A sentence of ours; what stands between backticks in it stays code."""
    parts = enumerate(sentence.split("`"))
    return "".join(_code(p) if i % 2 else _escape(p, 600) for i, p in parts if p)


def _compared(run: Run) -> str:
    pair = [_escape(name, 80) for name in (run.target, run.draft) if name]
    parts = [" / ".join(pair)]
    if run.prompts:
        parts.append(_escape(run.prompts, 400))
    if run.decoding:
        parts.append(_escape(run.decoding))
    if run.prompts:
        parts.append(_escape(run.lookahead, 60))
    return "; ".join(filter(None, parts))


def _table(table: Table) -> str:
    """A table of the page."""
    if not table.rows:
        return ""
    heads = [_escape(head.lstrip("#"), 60) if head else "" for head in table.heads]
    cells = [[_escape(cell, 700) for cell in row] for row in table.rows]
    lines = (heads, ["---" for _ in heads], *cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _checks(run: Run) -> str:
    urgent = [card for card in cards(run) if card.decision != "pass" or card.note]
    columns = (
        ("", _marked),
        ("check", _case),
        ("gate", lambda card: clean(card.gate, 40)),
        ("value", lambda card: card.actual),
        ("95% interval", lambda card: card.interval),
        ("expected", lambda card: card.expected),
        ("prompts", lambda card: f"{card.n_prompts:,}"),
    )
    shown = _table(Table.of(urgent[:N_CHECKS], columns))
    more = len(urgent) - N_CHECKS
    if more > 0:
        shown += f"\n\nand {counted(more, 'more check')} of this kind."
    return shown


def _marked(card: Card) -> str:
    said = f"{MARKS[card.decision]} {findings.WORDS[card.decision]}"
    return f"{said} ({clean(card.note, 120)})" if card.note else said


def _case(card: Card) -> str:
    case = clean(card.case, 80)
    return f"{case} ({card.about})" if card.about else case


def _sections(found: Index) -> Iterable[str]:
    """Who waits, Q1 and Q2, each as a sentence over a table."""
    yield from _who_waits(found)
    speed = _table(by_dataset(found))
    if speed:
        yield _escape(findings.speed(found), 600)
        yield speed
        yield _table(table_by_group(found))
    share = findings.share(found)
    if share:
        yield _escape(share, 900)
    yield _table(gaps(found))
    if found.run.mending:
        yield _escape(mended(found), 600)
        yield _table(recipes(found))


def _who_waits(found: Index) -> Iterable[str]:
    """Who is slowest, and every group's place; of many groups the ends."""
    said = findings.slowest(found)
    if not said:
        return
    rows = list(found.run.ranked(BASE).values())
    shown = many.ends(rows, key=lambda row: row.shrunken)
    yield _escape(said, 400)
    yield _table(ranking(BASE, shown))
    if len(shown) < len(rows):
        ends = f"the {many.DRAWN} slowest and the {many.DRAWN} fastest"
        yield f"These are {ends} of {counted(len(rows), 'group')}."
