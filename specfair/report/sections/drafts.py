"""Which draft serves everyone best: predicted speed-up of everyone against that of the
slowest group.
"""

from collections.abc import Sequence

from specfair.errors import counted
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts import canvas
from specfair.report.charts.plane import Thing, plane
from specfair.report.lookup import Index
from specfair.report.sections.parts import GROUP, INTERVAL, PROMPTS, alternative
from specfair.report.text import clean, number, signed, signed_interval
from specfair.run import drafts
from specfair.run.drafts import DraftRow


def which_draft(found: Index) -> Section | None:
    """Nothing, where there is one draft only."""
    of = drafts.by_draft(found.run.drafts)
    if not of:
        return None
    rows = found.run.drafts
    best = clean(drafts.best_said(rows))
    told = ((row.draft, said) for row in rows for said in (row.doubt, row.note) if said)
    notes = dict.fromkeys(f"{draft}: {said}." for draft, said in told)
    return Section(
        id="section-drafts",
        name="Drafts",
        title="Which draft serves everyone best?",
        answer=" ".join([f"O{best[1:]}.", *map(_behind, of.values())]),
        panels=[_panel(of, rows)],
        key=(
            ("fast", "the draft whose slowest group is fastest"),
            ("quiet", "another"),
        ),
        note=" ".join(clean(note, 300) for note in notes),
    )


def _behind(rows: Sequence[DraftRow]) -> str:
    """The groups that this draft surely serves more slowly than none would."""
    slower = [
        clean(row.group, 60) for row in rows if row.group and row.high < drafts.EVEN
    ]
    if not slower:
        return ""
    draft = clean(rows[0].draft, 60)
    return f"With {draft}, speculation is slower than none for {', '.join(slower)}."


def _panel(of: dict[str, list[DraftRow]], rows: Sequence[DraftRow]) -> Panel:
    best, things = drafts.best_of(of), []
    for draft, own in of.items():
        everyone, slowest = own[0], drafts.slowest_group(own)
        things.append(
            Thing(
                name=draft,
                across=(everyone.value, everyone.low, everyone.high),
                up=(slowest.value, slowest.low, slowest.high),
                colour=canvas.FAST if draft == best else canvas.QUIET,
            )
        )
    title = "Predicted speed-up: everyone against the slowest group"
    columns = (
        ("draft", lambda row: clean(row.draft, 60)),
        ("lookahead", lambda row: clean(row.lookahead, 40)),
        GROUP,
        ("#speed-up", lambda row: number(row.value, 2)),
        INTERVAL,
        ("#more than the first", lambda row: signed(row.difference)),
        (
            "#its interval",
            lambda row: signed_interval(row.difference_low, row.difference_high),
        ),
        ("#p", lambda row: number(row.p_holm, 4)),
        PROMPTS,
    )
    n = sum(row.n_prompts for row in rows if row.draft == rows[0].draft and row.group)
    return Panel(
        title=title,
        drawing=plane(
            things,
            even=drafts.EVEN,
            axes=("everyone", "slowest group"),
            name=alternative(title),
        ),
        basis=f"n = {counted(n, 'prompt')}, one text for all drafts; lines are 95% "
        "intervals, p-values after Holm over a draft's groups.",
        table=Table.of(rows, columns),
    )
