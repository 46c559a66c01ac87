"""Sections about single tokens: probabilities of accepted and rejected proposals, and
confident mistakes.

Knows which rows answer which question; drawing is the charts' part.
"""

from collections.abc import Mapping

from markupsafe import Markup

from specfair.report import charts, charts_rows, charts_tokens, findings, many
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts_rows import Line
from specfair.report.charts_tokens import Band
from specfair.report.lookup import Index, Shape, extremes, shapes, stages
from specfair.report.sections import EVERYONE, TABLE_BELOW, basis, shown
from specfair.report.text import clean, count, interval, number, plural, say, token
from specfair.run.rows import MistakeRow
from specfair.vocabulary import Stage

QUANTITIES = {
    "target_prob": "target's probability",
    "draft_prob": "draft's probability",
    "difference": "target minus draft",
}


def where(at: Stage) -> str:
    """The stage in words."""
    return f"After {clean(at.dataset, 40)}" if at.tuned else "Base pair"


def distributions(found: Index) -> Section | None:
    """Probabilities of accepted and rejected proposals, for everyone and by group."""
    histograms = shapes(found.report)
    at = stages(found.report, found.report.histograms)
    panels = [panel for stage in at if (panel := _ridges(found, histograms, stage))]
    if not panels:
        return None
    return Section(
        "section-distributions",
        "How sure were target and draft of what was accepted, and of what was not?",
        (
            "Proposals by the probability that each model gave them; the "
            "difference is the target's minus the draft's."
        ),
        tuple(panels),
        key=(("accepted", "accepted"), ("rejected", "rejected"), ("both", "both")),
        note="Shares of all proposals of a row, on one scale a column: accepted "
        "upwards, rejected downwards, "
        "both together as a dotted outline. Beside each name: proposals and the share "
        "accepted.",
    )


def _ridges(
    found: Index, histograms: Mapping[tuple[Stage, str, str], Shape], at: Stage
) -> Panel | None:
    rows, table = [], []
    for group in ("", *found.report.groups):
        some = [histograms.get((at, group, quantity)) for quantity in QUANTITIES]
        one = next((shape for shape in some if shape is not None), None)
        if one is None:
            continue
        share = sum(one.accepted) / (one.n or 1)
        rows.append((share, Band(group or EVERYONE, f"{one.n:,} · {share:.0%}", some)))
        table.append(
            (
                clean(group or EVERYONE, 60),
                count(one.n),
                count(sum(one.accepted)),
                count(sum(one.rejected)),
                number(sum(one.accepted) / one.n if one.n else float("nan")),
            )
        )
    if not rows:
        return None
    bands = [
        rows[0][1],
        *(band for _, band in many.ends(rows[1:], key=lambda row: row[0])),
    ]
    title = f"{where(at)}: {findings.sureness(bands[0].shapes[1], bands[0].shapes[0])}"
    heads = tuple(QUANTITIES.values())
    name = (
        f"{title}: {', '.join(heads)} of accepted and rejected proposals. {TABLE_BELOW}"
    )
    return Panel(
        title,
        charts_tokens.ridges(bands, heads=heads, name=name),
        (
            f"n = {bands[0].note.replace(' · ', ' proposals, ')} "
            f"accepted{many.drawn(len(rows) - 1)}."
        ),
        Table(
            ("group", "#proposals", "#accepted", "#rejected", "#share accepted"),
            tuple(table),
        ),
        at.dataset,
    )


def mistakes(found: Index) -> Section | None:
    """Tokens the draft was sure of: rejected and accepted, and how often, by group."""
    metric = "confident_rejections"
    at = stages(
        found.report, [row for row in found.report.estimates if row.metric == metric]
    )
    panels = [_shares(found, stage) for stage in at]
    tables = [
        _tokens(found, stage, outcome)
        for stage in stages(found.report, found.report.mistakes)
        for outcome in ("rejected", "accepted")
    ]
    if not panels and not tables:
        return None
    return Section(
        "section-mistakes",
        "Where was the draft sure and wrong?",
        findings.confident(found),
        tuple(panels),
        tuple(table for table in tables if table.rows),
        key=(
            (
                "dot",
                (
                    "share rejected of proposals the draft gave 0.9 or more, with "
                    "its 95% interval"
                ),
            ),
        ),
    )


def _shares(found: Index, at: Stage) -> Panel:
    rows = [
        row
        for group in ("", *found.report.groups)
        if (row := found.estimate("confident_rejections", at, group))
    ]
    ends = extremes(found)
    lines = [
        Line(
            r.group or EVERYONE,
            r.value,
            r.low,
            r.high,
            number(r.value),
            charts.colour(r.group, ends) if r.group else charts.INK,
            not r.group,
        )
        for r in rows
    ]
    title = f"{where(at)}, confident proposals rejected"
    table = tuple(
        (
            clean(r.group or EVERYONE, 60),
            number(r.value),
            interval(r.low, r.high),
            count(r.n_prompts),
        )
        for r in rows
    )
    every = [
        x
        for row in found.report.estimates
        if row.metric == "confident_rejections"
        for x in (row.low, row.high)
    ]
    return Panel(
        title,
        charts_rows.intervals(
            shown([(line.value, line) for line in lines]),
            domain=charts.span([0.0, *every]),
            name=f"{title}. {TABLE_BELOW}",
        ),
        basis(rows),
        Table(
            ("group", "#share", "#interval", "#prompts"),
            table,
            groups=tuple(r.group for r in rows),
        ),
        at.dataset,
    )


def _tokens(found: Index, at: Stage, outcome: str) -> Table:
    rows = [
        row
        for row in found.report.mistakes
        if (row.stage, row.outcome) == (at, outcome)
    ]
    order, outer = (
        {group: i for i, group in enumerate(found.report.groups)},
        many.outer(found, at),
    )
    rows = [row for row in rows if row.group in outer]
    rows = sorted(
        rows, key=lambda row: (order.get(row.group, len(order)), -row.draft_prob)
    )
    return Table(
        ("group", "in context", "#draft", "#target", "target wrote"),
        tuple(
            (
                say(r.group, 60),
                _context(r),
                number(r.draft_prob, 2),
                number(r.target_prob, 2),
                token(r.target_token),
            )
            for r in rows
        ),
        caption=f"{where(at)}: confident and {outcome} ({plural(len(rows), 'token')})",
        groups=tuple(r.group for r in rows),
        dataset=at.dataset,
    )


def _context(row: MistakeRow) -> Markup:
    return Markup("{} {}").format(say(row.before_text[-160:], 160), token(row.token))
