"""Where the gap comes from: harder text against a worse draft."""

from specfair.errors import counted
from specfair.report import findings
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts import canvas
from specfair.report.charts.forest import Halves, bars
from specfair.report.lookup import Index, stages
from specfair.report.sections.parts import CHANGED, alternative, where
from specfair.report.text import clean, signed
from specfair.vocabulary import Stage

N_SPLITS = 12


def causes_of_gaps(found: Index) -> Section | None:
    """Kitagawa: harder text against a worse draft."""
    panels = [_splits(found, at) for at in stages(found.run, found.run.splits)]
    if not panels:
        return None
    return Section(
        id="section-causes",
        name="Causes",
        title="Where does the gap come from?",
        answer=findings.causes(found),
        panels=panels,
        key=(
            ("quiet", "text that is harder for the target too"),
            ("slow", "a draft that serves the group worse, with its 95% interval"),
            ("tick", "both together"),
        ),
        note="Kitagawa's decomposition of the difference within a pair of groups, by "
        "how sure the target was.",
    )


def _splits(found: Index, at: Stage) -> Panel:
    rows = [row for row in found.run.splits if row.stage == at]
    drawn, known = [], [0.0]
    for row in sorted(rows, key=lambda row: -abs(row.total))[:N_SPLITS]:
        parts = Halves(
            name=row.group_a,
            against=row.group_b,
            first=row.harder_text,
            second=(row.worse_draft, row.low, row.high),
        )
        drawn.append(parts)
    for row in found.run.splits:
        known += [row.low, row.high, row.harder_text, row.worse_draft, row.total]
    columns = (
        ("group", lambda row: clean(row.group_a, 60)),
        ("against", lambda row: clean(row.group_b, 60)),
        ("#total", lambda row: signed(row.total)),
        ("#harder text", lambda row: signed(row.harder_text)),
        ("#worse draft", lambda row: signed(row.worse_draft)),
        CHANGED,
    )
    title, n = f"{where(at)}: {findings.widest_split(found, at)}", len(rows)
    return Panel(
        title=title,
        drawing=bars(drawn, domain=canvas.span(known), name=alternative(title)),
        basis=f"n = {counted(n, 'pair')} of groups, the {len(drawn)} widest drawn; "
        "lines are 95% intervals.",
        table=Table.of(rows, columns),
        dataset=at.dataset,
    )
