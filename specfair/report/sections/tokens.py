"""Single tokens: probabilities of accepted and rejected proposals, and confident
mistakes.
"""

from collections.abc import Mapping

from markupsafe import Markup

from specfair.errors import counted
from specfair.report import findings, many
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts import canvas
from specfair.report.charts.forest import forest
from specfair.report.charts.ridges import Band, ridges
from specfair.report.lookup import Index, Shape, shapes, stages
from specfair.report.sections.parts import (
    EVERYONE,
    GROUP,
    INTERVAL,
    PROMPTS,
    alternative,
    basis,
    value_lines,
    where,
)
from specfair.report.text import clean, number, say, thousands, token
from specfair.run.rows import MistakeRow
from specfair.vocabulary import Stage

QUANTITIES = {
    "target_prob": "target's probability",
    "draft_prob": "draft's probability",
    "difference": "target minus draft",
}
METRIC = "confident_rejections"


def distributions(found: Index) -> Section | None:
    """Probabilities of accepted and rejected proposals, for everyone and by group."""
    known = shapes(found.run)
    at = stages(found.run, found.run.histograms)
    panels = [panel for stage in at if (panel := _ridges(found, known, stage))]
    if not panels:
        return None
    return Section(
        id="section-distributions",
        name="Distributions",
        title="How sure were target and draft of what was accepted, and of what was "
        "not?",
        answer="Proposals by the probability that each model gave them; the difference "
        "is the target's minus the draft's.",
        panels=panels,
        key=(("accepted", "accepted"), ("rejected", "rejected"), ("both", "both")),
        one_at_a_time=True,
        note="Shares of all proposals of a row, on one scale a column: accepted "
        "upwards, rejected downwards, both together as a dotted outline. Beside each "
        "name: proposals and the share accepted.",
    )


def _ridges(
    found: Index, known: Mapping[tuple[Stage, str, str], Shape], at: Stage
) -> Panel | None:
    bands = []
    for group in ("", *found.run.groups):
        some = [known.get((at, group, quantity)) for quantity in QUANTITIES]
        if any(some):
            bands.append(Band(group or EVERYONE, some))
    if not bands:
        return None
    first = bands[0]
    title = f"{where(at)}: {findings.sureness(first.shapes[1], first.shapes[0])}"
    heads = tuple(QUANTITIES.values())
    name = f"{title}: {', '.join(heads)} of accepted and rejected proposals"
    drawn = [first, *many.ends(bands[1:], key=lambda band: band.one.share)]
    columns = (
        ("group", lambda band: clean(band.name, 60)),
        ("#proposals", lambda band: thousands(band.one.n)),
        ("#accepted", lambda band: thousands(sum(band.one.accepted))),
        ("#rejected", lambda band: thousands(sum(band.one.rejected))),
        ("#share accepted", lambda band: number(band.one.share)),
    )
    n = f"{first.one.n:,} proposals, {first.one.share:.0%} accepted"
    return Panel(
        title=title,
        drawing=ridges(drawn, heads=heads, name=alternative(name)),
        basis=f"n = {n}{many.drawn(len(bands) - 1)}.",
        table=Table.of(bands, columns),
        dataset=at.dataset,
        tab=where(at),
    )


def confident_mistakes(found: Index) -> Section | None:
    """Tokens the draft was sure of: rejected and accepted, and how often, by group."""
    rows = [row for row in found.run.estimates if row.metric == METRIC]
    panels = [_shares(found, at) for at in stages(found.run, rows)]
    tables = [
        _tokens(found, at, outcome)
        for at in stages(found.run, found.run.mistakes)
        for outcome in ("rejected", "accepted")
    ]
    if not panels and not tables:
        return None
    meaning = "share rejected of proposals the draft gave 0.9 or more, with its 95% "
    return Section(
        id="section-mistakes",
        name="Confident mistakes",
        title="Where was the draft sure and wrong?",
        answer=findings.confident(found),
        panels=panels,
        tables=[table for table in tables if table.rows],
        key=(("dot", f"{meaning}interval"),),
    )


def _shares(found: Index, at: Stage) -> Panel:
    rows = found.with_everyone(METRIC, at)
    title = f"{where(at)}, confident proposals rejected"
    every = [row for row in found.run.estimates if row.metric == METRIC]
    ends = [end for row in every for end in (row.low, row.high)]
    drawing = forest(
        value_lines(found, rows),
        domain=canvas.span([0.0, *ends]),
        name=alternative(title),
    )
    columns = (GROUP, ("#share", lambda row: number(row.value)), INTERVAL, PROMPTS)
    return Panel(
        title=title,
        drawing=drawing,
        basis=basis(rows),
        table=Table.of(rows, columns),
        dataset=at.dataset,
    )


def _tokens(found: Index, at: Stage, outcome: str) -> Table:
    outer, rows = many.outer(found, at), []
    order = {group: i for i, group in enumerate(found.run.groups)}
    for row in found.run.mistakes:
        if (row.stage, row.outcome) == (at, outcome) and row.group in outer:
            rows.append(row)
    rows.sort(key=lambda row: (order.get(row.group, len(order)), -row.draft_prob))
    columns = (
        ("group", lambda row: say(row.group, 60)),
        ("in context", _context),
        ("#draft", lambda row: number(row.draft_prob, 2)),
        ("#target", lambda row: number(row.target_prob, 2)),
        ("target wrote", lambda row: token(row.target_token)),
    )
    n = counted(len(rows), "token")
    caption = f"{where(at)}: confident and {outcome} ({n})"
    return Table.of(rows, columns, caption=caption, dataset=at.dataset)


def _context(row: MistakeRow) -> Markup:
    return Markup("{} {}").format(say(row.before_text[-160:], 160), token(row.token))
