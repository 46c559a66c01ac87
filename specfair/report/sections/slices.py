"""Who waits within the groups: the prompts cut by every attribute and every two."""

from specfair.errors import counted
from specfair.report.blocks import Panel, Section, Table
from specfair.report.charts.heat import COLUMNS, Crossing, heat
from specfair.report.lookup import Index, stages
from specfair.report.sections.parts import (
    CLUSTERS,
    INTERVAL,
    PROMPTS,
    alternative,
    where,
)
from specfair.report.text import clean, interval, number, odds_said
from specfair.run.rows import MANY, SliceRow
from specfair.vocabulary import ALPHA, BASE, Stage

N_PANELS = 4
COLUMNS_OF = (
    ("by", lambda row: clean(" & ".join(row.by), 60)),
    ("slice", lambda row: clean(row.group, 80)),
    ("#rank", lambda row: row.place),
    ("#expected next time", lambda row: number(row.shrunken)),
    INTERVAL,
    ("#as measured", lambda row: number(row.value)),
    ("#p", lambda row: odds_said(row.p_holm)),
    PROMPTS,
    CLUSTERS,
)


def within_groups(found: Index) -> Section | None:
    """The slowest slices at every stage; two attributes crossed at the base pair."""
    run = found.run
    if not run.slices:
        return None
    every = {at: _of(found, at) for at in stages(run, run.slices)}
    return Section(
        id="section-slices",
        name="Slices",
        title="Who waits longest within the groups?",
        answer=_answer(every.get(BASE, [])),
        panels=_panels(found, every.get(BASE, [])),
        tables=[
            Table.of(
                rows[:MANY],
                COLUMNS_OF,
                caption=f"{where(at)}: the slowest of {counted(len(rows), 'slice')}",
                dataset=at.dataset,
                open=not at.tuned,
            )
            for at, rows in every.items()
        ],
        key=(
            ("slower", "slower than all together, deeper for more"),
            ("faster", "faster"),
            ("muted", "too few clusters to say"),
            ("outline", "differs from all others"),
        ),
        note="Figures are what to expect next time: rates drawn towards the others of "
        "their grouping as far as they are noise. p is against all others, corrected "
        "for every slice of every grouping that has enough clusters.",
    )


def _of(found: Index, at: Stage) -> list[SliceRow]:
    return [row for row in found.run.slices if row.stage == at]


def _answer(rows: list[SliceRow]) -> str:
    n = f"{counted(sum(row.known for row in rows), 'slice')} with enough clusters"
    slow = [row for row in rows if row.p_holm < ALPHA and row.value < row.shrunken]
    if not slow:
        return f"None of {n} is measurably slower than all others."
    first = slow[0]
    return (
        f"{len(slow)} of {n} are measurably slower than all others. The slowest is "
        f"{clean(first.group, 80)} (by {clean(' & '.join(first.by), 60)}): "
        f"{number(first.shrunken)} ({interval(first.low, first.high)}) to expect next "
        "time."
    )


def _panels(found: Index, rows: list[SliceRow]) -> list[Panel]:
    """Two attributes crossed, as far as their values fit side by side."""
    pairs = dict.fromkeys(row.by for row in found.run.slices if len(row.by) == 2)
    made = (_panel([row for row in rows if row.by == by]) for by in sorted(pairs))
    return [panel for panel in made if panel][:N_PANELS]


def _panel(rows: list[SliceRow]) -> Panel | None:
    down, across = (list(dict.fromkeys(row.values[i] for row in rows)) for i in (0, 1))
    turned = len(across) > len(down)
    if turned:
        down, across = across, down
    if not rows or len(across) > COLUMNS or len(down) > MANY:
        return None
    cells = []
    for row in rows:
        first, second = reversed(row.values) if turned else row.values
        cells.append(
            Crossing(
                row=down.index(first),
                column=across.index(second),
                value=row.shrunken,
                known=row.known,
                sure=row.p_holm < ALPHA,
            )
        )
    n = sum(row.n_prompts for row in rows)
    middle = sum(row.n_prompts * row.value for row in rows) / n
    title = " by ".join(clean(name, 40) for name in rows[0].by)
    drawing = heat((down, across), cells, middle=middle, name=alternative(title))
    few = sum(not cell.known for cell in cells)
    return Panel(
        title=title,
        drawing=drawing,
        basis=f"n = {n:,} prompts in {counted(len(rows), 'slice')}, {few} of them with "
        "too few clusters to say; slowest first.",
        table=Table.of(rows, COLUMNS_OF),
    )
