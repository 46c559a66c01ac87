"""What a page is made of: sections of panels and tables, and cards for verdicts. Plain
data, ready for a template.

Knows nothing of jinja or of drawing; texts from outside are already made harmless here.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from specfair.vocabulary import Decision

Column = tuple[str, Callable[[Any], str | Markup]]  # its heading, and a row's cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Headings and rows; a heading that begins with '#' stands over figures."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str | Markup, ...], ...]
    groups: tuple[str, ...]  # one a row, for the filter; "" is everybody's
    caption: str = ""
    dataset: str = ""
    open: bool = False

    @classmethod
    def of(cls, rows: Iterable[Any], columns: Sequence[Column], **look: Any) -> "Table":
        """A cell for each row and column; the filter goes by a row's `group`."""
        rows = list(rows)
        cells = (tuple(cell(row) for _, cell in columns) for row in rows)
        return cls(
            heads=tuple(head for head, _ in columns),
            rows=tuple(cells),
            groups=tuple(getattr(row, "group", "") for row in rows),
            **look,
        )

    @property
    def numeric(self) -> tuple[bool, ...]:
        return tuple(head.startswith("#") for head in self.heads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One drawing with its finding, what it is based on, and the same figures as a
    table.
    """

    title: str
    drawing: Markup
    basis: str  # n and what the marks are
    table: Table
    dataset: str = ""
    tab: str = ""  # what it is picked by, where one is shown at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A question, its answer and the evidence."""

    id: str
    name: str  # in the list of contents
    title: str
    answer: str
    panels: Sequence[Panel] = ()
    tables: Sequence[Table] = ()
    key: tuple[tuple[str, str], ...] = ()  # (mark, meaning)
    note: str = ""
    one_at_a_time: bool = False  # its panels are large, and the reader picks one


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One verdict as the page shows it."""

    anchor: str
    case: str
    about: str  # what it was measured on, where that is not what the run is about
    dataset: str
    gate: str
    metric: str
    decision: Decision
    strict: bool
    sentence: str
    expected: str
    actual: str
    interval: str
    min_effect: str
    p_value: str
    n: Sequence[tuple[str, str, str]]
    n_prompts: int
    groups: tuple[str, ...]
    way_out: str
    note: str  # what a waiver has to do with it
    waived: bool
    command: str
    examples: Sequence[tuple[str, str, str]]
    drawing: Markup  # the interval against the bound; empty without numbers
    small: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The checks of one question that came out alike and need no card each."""

    question: str
    decision: Decision
    said: str  # why they are here, in words
    checks: Sequence[Card]
