"""The worst identity swap: who was found, the smallest pair of prompts that shows it,
and whether other contexts bear it out.
"""

from specfair.errors import counted
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts import canvas
from specfair.report.charts.forest import Line, forest
from specfair.report.lookup import Index
from specfair.report.sections.parts import alternative, where
from specfair.report.text import clean, odds_said, say, signed, signed_interval
from specfair.run.rows import SwapRow


def _outcome(row: SwapRow) -> str:
    held = "confirmed" if row.confirmed else "searched, not confirmed"
    return f"{held}; {counted(row.n_templates, 'template')}"


COLUMNS = (
    ("stage", lambda row: where(row.stage)),
    ("slow", lambda row: clean(f"{row.slow} ({row.slow_group})", 80)),
    ("for", lambda row: clean(f"{row.fast} ({row.fast_group})", 80)),
    ("#extra calls", lambda row: signed(row.value, 1)),
    ("#interval", lambda row: signed_interval(row.low, row.high, 1)),
    ("#p", lambda row: odds_said(row.p_value)),
    ("outcome", _outcome),
    ("smallest pair that shows it", lambda row: say(f"{row.first} \u2026", 200)),
    ("", lambda row: say(f"{row.second} \u2026", 200)),
    ("#there", lambda row: signed(row.shown, 1)),
)


def worst_swap(found: Index) -> Section | None:
    """Nothing where no search was asked for."""
    rows = list(found.run.swaps)
    if not rows:
        return None
    title = "extra target calls for 100 tokens"
    lines = [
        Line(
            name=f"{where(row.stage)}: {row.slow}",
            now=(row.value, row.low, row.high),
            note=signed(row.value, 1),
            colour=canvas.SLOW if row.confirmed else canvas.QUIET,
            strong=row.confirmed,
            sure=row.confirmed,
        )
        for row in rows
    ]
    ends = [0.0, *(end for row in rows for end in (row.low, row.high))]
    n = sum(row.n_searched for row in rows)
    panel = Panel(
        title=title,
        drawing=forest(
            lines, domain=canvas.span(ends), reference=0.0, name=alternative(title)
        ),
        basis=f"n = {n:,} prompts searched; lines are 95% intervals from templates "
        "that the search never saw.",
        table=Table.of(rows, COLUMNS),
    )
    return Section(
        id="section-swaps",
        name="Worst swap",
        title="Whom does the same sentence cost most?",
        answer=_answer(rows),
        panels=[panel],
        key=(("slow", "confirmed"), ("quiet", "searched, not confirmed")),
        note="A search among thousands of prompts finds noise too. So templates and "
        "lead-ins are split: what the search comes upon in one part is only a guess, "
        "and the other part judges it.",
    )


def _answer(rows: list[SwapRow]) -> str:
    sure = [row for row in rows if row.confirmed]
    if not sure:
        n = counted(len(rows), "stage")
        return f"Searched at {n}, not confirmed: no swap held in other contexts."
    worst = max(sure, key=lambda row: row.value)
    return (
        f"{where(worst.stage)}: about {clean(worst.slow, 60)} instead of "
        f"{clean(worst.fast, 60)}, the same sentence takes {signed(worst.value, 1)} "
        f"({signed_interval(worst.low, worst.high, 1)}) target calls for 100 tokens."
    )
