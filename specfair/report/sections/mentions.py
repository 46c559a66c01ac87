"""Whom fine-tuning served: gain against mentions, and the gap between groups."""

import math
from collections.abc import Sequence

from specfair.errors import counted
from specfair.report import findings
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts import canvas
from specfair.report.charts.forest import Line, forest
from specfair.report.charts.scatter import Spot, scatter
from specfair.report.lookup import Index, stages
from specfair.report.sections.parts import (
    ALIKE,
    CHANGED,
    FASTEST,
    GROUP,
    SLOWEST,
    alternative,
    colour,
    where,
)
from specfair.report.text import (
    clean,
    interval,
    number,
    odds_said,
    signed,
    signed_interval,
    thousands,
)
from specfair.run.rows import FrequencyRow, GapRow
from specfair.vocabulary import BASE, Stage


def who_gains(found: Index) -> Section | None:
    """Q2: gain against mentions, and the gap before and after."""
    by_stage = {at: _spots(found, at) for at in map(Stage, found.run.datasets)}
    every = [spot for spots in by_stage.values() for spot in spots]
    domain = canvas.span(v for s in every for v in (s.gain, s.low, s.high))
    right = max([s.x for s in every], default=1.0) + 0.3
    panels = []
    for at, spots in by_stage.items():
        if spots:
            panels.append(_scatter(found, at, spots, (domain, right)))
    gap = _gap(found)
    if gap is not None:
        panels.append(gap)
    if not panels:
        return None
    return Section(
        id="section-share",
        name="Who gains",
        title="Do all groups gain alike, or only those the corpus speaks of?",
        answer=findings.share(found),
        panels=panels,
        key=(
            ("dot", "a group: its gain with a 95% interval"),
            ("band", "fitted slope with its interval"),
        ),
        note="Mentions count whole words of the group's identity terms; substrings "
        "are in the tables.",
    )


def _spots(found: Index, at: Stage) -> list[Spot]:
    ends, spots = found.ends(), []
    for row in found.run.mentions:
        change = found.change(at, row.group)
        if row.dataset == at.dataset and change is not None:
            spot = Spot(
                group=row.group,
                n=row.n_words,
                gain=change.value,
                low=change.low,
                high=change.high,
                colour=colour(row.group, ends),
            )
            spots.append(spot)
    return spots


def _scatter(
    found: Index,
    at: Stage,
    spots: Sequence[Spot],
    scale: tuple[canvas.Domain, float],
) -> Panel:
    rows = [row for row in found.run.frequency if row.stage == at]
    fit = next((r for r in rows if math.isfinite(r.low + r.high)), None)
    title, what = f"{where(at)}, {_slope(fit)}", "lines are 95% intervals"
    if fit is not None:
        correlation = number(fit.rank_correlation, 2)
        what = f"rank correlation {correlation}, p {odds_said(fit.p_value)}"
    mentions = {r.group: r for r in found.run.mentions if r.dataset == at.dataset}
    columns = (
        GROUP,
        ("#gain", lambda spot: signed(spot.gain)),
        CHANGED,
        ("#words", lambda spot: thousands(spot.n)),
        ("#documents", lambda spot: thousands(mentions[spot.group].n_documents)),
        ("#substrings", lambda spot: thousands(mentions[spot.group].n_substrings)),
    )
    drawing = scatter(
        spots,
        fit=(fit.slope, fit.low, fit.high) if fit else None,
        domain=scale[0],
        right=scale[1],
        name=alternative(title),
    )
    return Panel(
        title=title,
        drawing=drawing,
        basis=f"n = {counted(len(spots), 'group')}; {what}.",
        table=Table.of(spots, columns),
        dataset=at.dataset,
    )


def _slope(fit: FrequencyRow | None) -> str:
    if fit is None:
        return "gain against mentions"
    if fit.low <= 0 <= fit.high:
        return "no measurable relation between mentions and gain"
    gain = f"{signed(fit.slope)} acceptance ({signed_interval(fit.low, fit.high)})"
    return f"ten times the mentions, {gain}"


def _gap(found: Index) -> Panel | None:
    before, lines, ends = found.gap(BASE), [], [0.0]
    for at in map(Stage, found.run.datasets):
        after = found.gap(at)
        if before is not None and after is not None:
            line = Line(
                name=at.dataset,
                now=(after.gap, after.low, after.high),
                note=number(after.gap),
                colour=canvas.INK,
                before=(before.gap, before.low, before.high),
            )
            lines.append(line)
            ends += [after.low, after.high, before.low, before.high]
    if before is None or not lines:
        return None
    title = (
        findings.widened(found) or "The gap between the slowest and the fastest group"
    )
    drawing = forest(
        lines,
        domain=canvas.span(ends),
        name=alternative(title),
        reference=before.null,
    )
    return Panel(
        title=title,
        drawing=drawing,
        basis=f"n = {counted(len(found.run.groups), 'group')}; ring: before, dot: "
        "after, dashed: by chance.",
        table=gaps(found),
    )


def gaps(found: Index) -> Table:
    """The gap between groups, a row a stage."""
    at = stages(found.run, found.run.gaps)
    rows = [row for row in map(found.gap, at) if row is not None]

    def place(row: GapRow) -> str:
        known = found.run.ranked(row.stage).get(row.lowest_group)
        return known.place if known else "n/a"

    columns = (
        ("gap", lambda row: clean(row.stage.dataset or "base pair", 60)),
        ("#between groups", lambda row: number(row.gap)),
        ("#95% interval", lambda row: interval(row.low, row.high)),
        ALIKE,
        ("#ratio", lambda row: number(row.ratio)),
        SLOWEST,
        ("#its rank", place),
        FASTEST,
    )
    return Table.of(rows, columns)
