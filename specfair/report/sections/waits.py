"""How much longer the slowest group waits, in seconds and joules of a machine."""

from specfair.errors import counted
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts import canvas
from specfair.report.charts.forest import Line, forest
from specfair.report.lookup import Index
from specfair.report.sections.parts import alternative, where
from specfair.report.text import clean, number, signed, signed_interval

COLUMNS = (
    ("stage", lambda row: where(row.stage)),
    ("slowest", lambda row: clean(row.slow, 60)),
    ("#takes", lambda row: number(row.of_slow)),
    ("fastest", lambda row: clean(row.fast, 60)),
    ("#takes", lambda row: number(row.of_fast)),
    ("#more", lambda row: signed(row.value)),
    ("#interval", lambda row: signed_interval(row.low, row.high)),
    ("#predicted", lambda row: signed(row.predicted)),
)


def seconds_waited(found: Index) -> Section | None:
    """Nothing where nobody took the time."""
    panels = []
    for quantity in dict.fromkeys(row.quantity for row in found.run.waits):
        rows = [row for row in found.run.waits if row.quantity == quantity]
        title = f"{quantity} for 100 tokens: the slowest group's over the fastest's"
        lines = [
            Line(
                name=where(row.stage),
                now=(row.value, row.low, row.high),
                note=signed(row.value),
                colour=canvas.INK,
                strong=False,
                sure=row.low > 0,
            )
            for row in rows
        ]
        ends = [0.0, *(end for row in rows for end in (row.low, row.high))]
        drawn = forest(
            lines, domain=canvas.span(ends), reference=0.0, name=alternative(title)
        )
        panels.append(
            Panel(
                title=title,
                drawing=drawn,
                basis=f"n = {counted(len(rows), 'stage')}; lines are 95% intervals "
                "over batches timed in turn.",
                table=Table.of(rows, COLUMNS),
            )
        )
    if not panels:
        return None
    worst = max(found.run.waits, key=lambda row: (row.quantity == "seconds", row.value))
    return Section(
        id="section-waits",
        name="Seconds",
        title="How much longer does the slowest group wait for 100 tokens?",
        answer=f"{where(worst.stage)}: {clean(worst.said, 300)}.",
        panels=panels,
        note="On the machine that ran this, in its batches. Predicted is the target's "
        "own time over each group's predicted speed-up.",
    )
