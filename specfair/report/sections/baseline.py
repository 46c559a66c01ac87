"""What changed since the stored baseline."""

from specfair.errors import counted
from specfair.report.blocks import Section, Table
from specfair.report.lookup import Index
from specfair.report.text import clean, interval, number


def since_baseline(found: Index) -> Section | None:
    """A row a figure, and whether it moved."""
    rows = found.run.baseline
    if not rows:
        return None
    moved = sum(row.decision in ("worse", "better") for row in rows)
    columns = (
        ("figure", lambda row: clean(row.name, 80)),
        ("", lambda row: clean(row.decision, 20)),
        ("#baseline", lambda row: number(row.baseline)),
        ("#now", lambda row: number(row.value)),
        ("#change, 95%", lambda row: interval(row.low, row.high)),
    )
    return Section(
        id="section-baseline",
        name="Baseline",
        title="What changed against the baseline?",
        answer=f"{counted(moved, 'figure')} of {len(rows)} moved measurably.",
        tables=[Table.of(rows, columns, caption="Against the baseline", open=True)],
    )
