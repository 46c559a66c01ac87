"""What a page is made of: sections of panels and tables, and cards for verdicts. Plain
data, ready for a template.

Knows nothing of jinja or of drawing; texts from outside are already made harmless here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from specfair.vocabulary import Decision


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows; a heading that begins with '#' stands over figures."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str | Markup, ...], ...]
    caption: str = ""
    groups: tuple[str, ...] = ()  # one a row, for the filter
    dataset: str = ""
    open: bool = False

    @property
    def numeric(self) -> tuple[bool, ...]:
        return tuple(head.startswith("#") for head in self.heads)

    def group(self, i: int) -> str:
        """The group row i speaks of, or nobody's."""
        return self.groups[i] if i < len(self.groups) else ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing with its finding, what it is based on, and the same figures as a
    table.
    """

    title: str
    drawing: Markup
    basis: str  # n and what the marks are
    table: Table
    dataset: str = ""
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A question, its answer and the evidence."""

    id: str
    title: str
    answer: str
    panels: tuple[Panel, ...] = ()
    tables: tuple[Table, ...] = ()
    key: tuple[tuple[str, str], ...] = ()  # (mark, meaning)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """An interval against a bound, in hundredths of the width."""

    low: float
    high: float
    value: float
    bound: float
    zero: float | None
    allowed: tuple[float, ...]  # both ends of what the bound allows
    # both ends of what lies beyond it by less than the least effect
    tolerated: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One verdict as the page shows it."""

    anchor: str
    case: str
    about: str  # what it was measured on, where that is not what the report is about
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
    command: str
    examples: Sequence[tuple[str, str, str]]
    drawing: Drawing | None
