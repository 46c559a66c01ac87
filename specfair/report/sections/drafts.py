"""Which draft serves everyone best: predicted speed-up of everyone against that of the
slowest group.
"""

import math
from collections.abc import Sequence

from specfair.errors import counted
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts import canvas
from specfair.report.charts.plane import Thing, plane
from specfair.report.lookup import Index
from specfair.report.sections.parts import GROUP, INTERVAL, PROMPTS, alternative
from specfair.report.text import clean, number, signed, signed_interval
from specfair.run.rows import DraftRow

EVEN = 1.0  # as fast as without a draft


def which_draft(found: Index) -> Section | None:
    """Nothing, where there is one draft only."""
    by_draft: dict[str, list[DraftRow]] = {}
    for row in found.run.drafts:
        by_draft.setdefault(row.draft, []).append(row)
    if not by_draft:
        return None
    rows = [row for own in by_draft.values() for row in own]
    doubts = {f"{row.draft}: {row.doubt}" for row in rows if row.doubt}
    return Section(
        id="section-drafts",
        name="Drafts",
        title="Which draft serves everyone best?",
        answer=" ".join([_best(by_draft), *map(_behind, by_draft.values())]),
        panels=[_panel(by_draft, rows)],
        key=(
            ("fast", "the draft whose slowest group is fastest"),
            ("quiet", "another"),
        ),
        note=" ".join(clean(doubt, 300) for doubt in sorted(doubts)),
    )


def _slowest(rows: Sequence[DraftRow]) -> DraftRow:
    groups = [row for row in rows if row.group and not math.isnan(row.value)]
    return min(groups, key=lambda row: row.value, default=rows[0])


def _best_of(by_draft: dict[str, list[DraftRow]]) -> str:
    return max(by_draft, key=lambda draft: _slowest(by_draft[draft]).value)


def _best(by_draft: dict[str, list[DraftRow]]) -> str:
    best = _best_of(by_draft)
    row = _slowest(by_draft[best])
    return (
        f"{clean(best, 60)} leaves its slowest group, {clean(row.group, 60)}, the "
        f"fastest: {number(row.value, 2)} times the target alone, as predicted."
    )


def _behind(rows: Sequence[DraftRow]) -> str:
    """The groups that this draft surely serves more slowly than none would."""
    slower = [clean(row.group, 60) for row in rows if row.group and row.high < EVEN]
    if not slower:
        return ""
    draft = clean(rows[0].draft, 60)
    return f"With {draft}, speculation is slower than none for {', '.join(slower)}."


def _panel(by_draft: dict[str, list[DraftRow]], rows: Sequence[DraftRow]) -> Panel:
    best, things = _best_of(by_draft), []
    for draft, own in by_draft.items():
        everyone, slowest = own[0], _slowest(own)
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
            even=EVEN,
            axes=("everyone", "slowest group"),
            name=alternative(title),
        ),
        basis=f"n = {counted(n, 'prompt')}, one text for all drafts; lines are 95% "
        "intervals, p-values after Holm over a draft's groups.",
        table=Table.of(rows, columns),
    )
