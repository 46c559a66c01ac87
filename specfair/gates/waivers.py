"""Waivers: failures that a project knows of, by whom they are excused and until when.

    [[tool.specfair.waive]]
    case = "imdb*"         # the case's name; * stands for anything
    gate = "gap"
    until = 2027-03-31     # the last day it holds
    reason = "the draft is retrained in March, ticket 41"

A waiver excuses a failing verdict, nothing else: one that could not be measured stays
invalid. Past its day it fails, and so does one that nothing needs any more, because
both would be forgotten; a run whose options ask for something else than the project
does, such as other models, cannot tell what it still needs. Does not know tests: what
becomes of a waived one is decided by whoever runs it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Any

from specfair.errors import UsageError, unknown
from specfair.gates.kinds import KINDS
from specfair.run.verdict import Excuse, Verdict


@dataclass(frozen=True, slots=True)
class Waiver:
    """One excuse."""

    case: str
    gate: str
    until: date
    reason: str
    strict: bool = field(default=True, compare=False)  # one that is unneeded fails

    def __str__(self) -> str:
        return f"{self.gate} of {self.case}, until {self.until}: {self.reason}"

    def covers(self, case: str, gate: str) -> bool:
        """Whether the verdict of this gate on this case is meant."""
        return gate == self.gate and fnmatchcase(case, self.case)


_KEYS = ("case", "gate", "until", "reason")


def waivers_of(tables: object, *, strict: bool) -> tuple[Waiver, ...]:
    """Those of a project's file, strict in a run as it is configured; one that lacks
    anything is refused.
    """
    if not isinstance(tables, list | tuple):
        raise UsageError(
            f"waive = {tables!r} is not a list of tables. Write [[tool.specfair.waive]]"
            " and below it case, gate, until and reason."
        )
    return tuple(_waiver(table, strict=strict) for table in tables)


def _waiver(table: Any, *, strict: bool) -> Waiver:
    names = list(_KEYS)
    given = table if isinstance(table, Mapping) else {}
    for name in given:
        if name not in names:
            raise UsageError(unknown("key in [[tool.specfair.waive]]", name, names))
    for name in names:
        value, day = given.get(name), name == "until"
        right = isinstance(value, date) and not isinstance(value, datetime)
        if not (right if day else isinstance(value, str) and value.strip()):
            such = "a date such as 2027-03-31, without quotes" if day else "a text"
            raise UsageError(
                f"waiver {dict(given)!r} has {name} = {value!r}, which is not {such}. "
                "A waiver names case, gate, until and reason."
            )
    if given["gate"] not in KINDS:
        raise UsageError(unknown("gate in a waiver", given["gate"], KINDS))
    return Waiver(**given, strict=strict)


def waived(
    verdict: Verdict, waivers: Iterable[Waiver], today: date
) -> tuple[Verdict, Waiver | None]:
    """The verdict as a waiver leaves it, and the waiver: of several that cover it, one
    that still holds.
    """
    found = [w for w in waivers if w.covers(verdict.case, verdict.gate)]
    if not found or verdict.decision == "invalid":
        return verdict, None
    one = next((w for w in found if w.until >= today), found[0])
    excuse: Excuse = ""
    if verdict.decision == "pass":
        excuse = "unneeded" if one.strict else ""
    elif verdict.broken:
        excuse = "waived" if one.until >= today else "expired"
    return replace(verdict, excuse=excuse, waiver=str(one)), one
