"""What is drawn of many groups: the ends. Everything is in the tables; a chart of two
hundred rows shows nothing.

Knows how many rows a reader can follow, and says in words what was left out. Knows
nothing of drawing.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from specfair.report.lookup import Index
from specfair.report.text import count, plural
from specfair.run.rows import ENDS, MANY
from specfair.run.run import Run
from specfair.vocabulary import Stage

DRAWN = 8  # rows drawn of either end where there are more
Row = TypeVar("Row")


def ends(rows: Sequence[Row], key: Callable[[Row], float]) -> list[Row]:
    """All of a few rows as they come; of many the lowest and the highest, in order."""
    if len(rows) <= MANY:
        return list(rows)
    ordered = sorted(rows, key=key)
    return [*ordered[:DRAWN], *ordered[-DRAWN:]]


def drawn(n: int, what: str = "group", order: str = "lowest and the {} highest") -> str:
    """What `ends` left out, as the end of a sentence; nothing where it left out
    nothing.
    """
    return (
        (
            f"; drawn are the {DRAWN} {order.format(DRAWN)} of {plural(n, what)}, "
            "the table has all"
        )
        if n > MANY
        else ""
    )


def outer(found: Index, at: Stage, n: int = ENDS) -> tuple[str, ...]:
    """The groups whose pairs and tokens are shown at a stage: all of a few, of many the
    n slowest and n fastest.
    """
    if len(found.report.groups) <= MANY:
        return found.report.groups
    ordered = sorted(found.by_group(found.report.metric, at), key=lambda row: row.value)
    return tuple(row.group for row in (*ordered[:n], *ordered[-n:]))


def note(report: Run) -> tuple[str, ...]:
    """What the page leaves out of so many groups."""
    n = len(report.groups)
    if n <= MANY:
        return ()
    both = f"the {ENDS} slowest and the {ENDS} fastest groups"
    return (
        f"Of {plural(n, 'group')}, charts draw the {DRAWN} at either end and the "
        "tables below them have all. Pairs and "
        f"tokens are shown of {both} only, causes of the {2 * ENDS} slowest; gaps, "
        "ratios and checks are about all "
        f"{count(n * (n - 1) // 2)} pairs.",
    )
