"""Rows of several drafts on one text, and which of them serves everyone best, in words.

Knows what a draft is chosen by: how fast its slowest group is. Does not know how drafts
are measured or drawn.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

EVEN = 1.0  # as fast as without a draft


@dataclass(frozen=True, slots=True)
class DraftRow:
    """What a draft would give a group, and how much more than the first draft gives it
    on the same text; p_holm over its groups. NaN where it is the first.
    """

    draft: str
    lookahead: str
    metric: str
    group: str  # "" is everyone
    value: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    p_holm: float
    n_prompts: int
    doubt: str  # why its replay cannot be relied on; empty where it can
    note: str = ""  # what must be known of its figures


def by_draft(rows: Sequence[DraftRow]) -> dict[str, list[DraftRow]]:
    """Each draft's own, in the order asked."""
    found: dict[str, list[DraftRow]] = {}
    for row in rows:
        found.setdefault(row.draft, []).append(row)
    return found


def slowest_group(rows: Sequence[DraftRow]) -> DraftRow:
    """Of one draft's, the slowest group's."""
    groups = [row for row in rows if row.group and not math.isnan(row.value)]
    return min(groups, key=lambda row: row.value, default=rows[0])


def best_of(drafts: Mapping[str, Sequence[DraftRow]]) -> str:
    """The draft whose slowest group is fastest."""
    return max(drafts, key=lambda draft: slowest_group(drafts[draft]).value)


def best_said(rows: Sequence[DraftRow]) -> str:
    """Which draft that is; "" where there is one draft only."""
    if not rows:
        return ""
    drafts = by_draft(rows)
    best = best_of(drafts)
    row = slowest_group(drafts[best])
    return (
        f"of these drafts {best} is best: its slowest group, {row.group}, is predicted "
        f"to be served {row.value:.2f} times as fast as by the target alone"
    )


def drafts_said(rows: Sequence[DraftRow]) -> list[str]:
    """Every draft in a line, and which is best."""
    lines = []
    for draft, own in by_draft(rows).items():
        row, everyone = slowest_group(own), own[0]
        lines.append(
            f"draft {draft}: {everyone.value:.2f} [{everyone.low:.2f}, "
            f"{everyone.high:.2f}] times the target alone for everyone, "
            f"{row.value:.2f} [{row.low:.2f}, {row.high:.2f}] for {row.group}, its "
            f"slowest group; {row.lookahead}" + (f"; {row.note}" if row.note else "")
        )
    return [*lines, *filter(None, [best_said(rows)])]
