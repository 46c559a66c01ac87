"""What is drawn of many groups: the ends. Everything is in the tables; a chart of two
hundred rows shows nothing.

Knows how many rows a reader can follow, and says in words what was left out. Knows
nothing of drawing.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from specfair.errors import counted
from specfair.report.lookup import Index
from specfair.report.text import thousands
from specfair.run.rows import ENDS, MANY
from specfair.run.run import Run
from specfair.vocabulary import Stage

DRAWN = 8  # rows drawn of either end where there are many
Row = TypeVar("Row")


def ends(rows: Sequence[Row], key: Callable[[Row], float]) -> list[Row]:
    """All of a few rows as they come; of many the lowest and the highest, in order."""
    if len(rows) <= MANY:
        return list(rows)
    ordered = sorted(rows, key=key)
    return [*ordered[:DRAWN], *ordered[-DRAWN:]]


def drawn(n: int, order: str = "lowest and the {} highest") -> str:
    """What `ends` left out of n groups, as the end of a sentence."""
    if n <= MANY:
        return ""
    some = f"the {DRAWN} {order.format(DRAWN)} of {counted(n, 'group')}"
    return f"; drawn are {some}, the table has all"


def outer(found: Index, at: Stage, n: int = ENDS) -> tuple[str, ...]:
    """The groups whose pairs and tokens are shown at a stage: all of a few, of many the
    n slowest and n fastest.
    """
    if len(found.run.groups) <= MANY:
        return found.run.groups
    ordered = sorted(found.by_group(found.run.metric, at), key=lambda row: row.value)
    return tuple(row.group for row in (*ordered[:n], *ordered[-n:]))


def note(run: Run) -> tuple[str, ...]:
    """What the page leaves out of so many groups."""
    n = len(run.groups)
    if n <= MANY:
        return ()
    return (
        f"Of {counted(n, 'group')}, charts draw the {DRAWN} at either end and the "
        "tables below them have all. Pairs and tokens are shown of the "
        f"{ENDS} slowest and the {ENDS} fastest groups only, causes of the "
        f"{2 * ENDS} slowest; gaps, ratios and checks are about all "
        f"{thousands(n * (n - 1) // 2)} pairs.",
    )
