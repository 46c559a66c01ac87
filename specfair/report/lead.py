"""The first screen in a few sentences: who waits longest, why, which draft is
best where several are compared, and what would mend it.

Knows which rows hold the answers, and says what is not known. Knows nothing of HTML.
"""

import math
import re

from specfair.errors import counted
from specfair.report.findings import known_failures
from specfair.report.lookup import Index, stages, tally
from specfair.report.text import COMMAND, clean, number
from specfair.run.drafts import best_said
from specfair.run.rows import SplitRow
from specfair.vocabulary import BASE, Stage

LENGTH = "mean_acceptance_length"
SURE = "confident_rejections"
N_TOKENS = 100  # of the text whose wait is told
_COMMAND = re.compile(r"specfair mend [^`\n]+")


def lead(found: Index) -> tuple[str, ...]:
    """The sentences that this run can say."""
    said = (_who(found), _why(found), _choice(found), _mending(found))
    return tuple(sentence for sentence in said if sentence)


def mending(found: Index) -> str:
    """The command that would mend the draft, filled in by the first check that needs
    it; "" where none does.
    """
    for verdict in found.run.verdicts:
        command = _COMMAND.search(verdict.way_out)
        if verdict.broken and command:
            return clean(command[0].rstrip(". "), COMMAND)
    return ""


def _ends(found: Index, at: Stage) -> tuple[str, str, float, float] | None:
    """The slowest and the fastest group, and what a text costs them in calls."""
    rows = found.by_group(LENGTH, at)
    if len(rows) < 2:
        return None
    slow = min(rows, key=lambda row: row.value)
    fast = max(rows, key=lambda row: row.value)
    return slow.group, fast.group, N_TOKENS / slow.value, N_TOKENS / fast.value


def _named(name: str) -> str:
    """A name from outside; what stands between backticks would be code."""
    return clean(name, 40).replace("`", "\u02cb")


def _who(found: Index) -> str:
    base = _ends(found, BASE)
    if base is None:
        return ""
    slow, fast, most, least = base
    doubt = found.run.doubt(BASE, slow)
    most_calls, more = f"{N_TOKENS} tokens take {most:.0f} calls", most / least - 1
    said = f"{_named(slow)} waits longest{doubt}: {most_calls} of the target, "
    said += f"{more:.0%} more than the {least:.0f} of {_named(fast)}"
    worst = _after(found, most / least)
    return f"{said}{worst}."


def _after(found: Index, before: float) -> str:
    """The stage at which the distance is greatest, where it is greater than before."""
    apart = {}
    for at in stages(found.run, found.run.estimates):
        ends = _ends(found, at) if at.tuned else None
        if ends:
            apart[at] = ends
    worst = max(apart, key=lambda at: apart[at][2] / apart[at][3], default=None)
    if worst is None:
        return ""
    slow, _, most, least = apart[worst]
    name = _named(worst.dataset)
    if most / least <= before:
        return f"; fine-tuning leaves at most {most / least - 1:.0%}, after {name}"
    return f"; after {name} it is {_named(slow)} with {most / least - 1:.0%} more"


def _why(found: Index) -> str:
    """The draft's part in the distance of who waits longest, else in the widest; and
    where it is sure and wrong.
    """
    rows = [row for row in found.run.splits if row.stage == BASE]
    if not rows:
        return ""
    slow = (_ends(found, BASE) or ("",))[0]
    own = [row for row in rows if row.group_a == slow]
    said = _parts(max(own or rows, key=lambda row: abs(row.total)))
    sure = found.by_group(SURE, BASE)
    most = max(sure, key=lambda row: row.value, default=None)
    others = [row.high for row in sure if row is not most]
    if most is not None and others and most.low > max(others):
        said += f"; the draft is sure and wrong most often about {_named(most.group)}"
        said += f" ({most.value:.0%} of what it is sure of)"
    return f"Why: {said}."


def _parts(row: SplitRow) -> str:
    """One difference as draft and text."""
    slow = row.group_a if row.total < 0 else row.group_b
    apart = f"the difference of {number(abs(row.total), 2)} in acceptance between "
    apart += f"{_named(row.group_a)} and {_named(row.group_b)}"
    if row.low <= 0 <= row.high or row.worse_draft * row.total <= 0:
        return f"of {apart} it is not known how much the draft adds to harder text"
    share = row.worse_draft / row.total if row.total else math.nan
    if share > 0.75:
        return f"{apart} comes from a draft that knows {_named(slow)} less well"
    return f"{share:.0%} of {apart} is a worse draft, the rest is harder text"


def _choice(found: Index) -> str:
    """Of several drafts."""
    said = clean(best_said(found.run.drafts)).replace("`", "\u02cb")
    return f"O{said[1:]}." if found.run.drafts else ""


def _mending(found: Index) -> str:
    command = mending(found)
    if command:
        return f"To mend the draft: `{command}`"
    counts = tally(found.run)
    failed = counts.get("fail") or counts.get("invalid")
    if failed:
        return f"{counted(failed, 'check')} failed; what helps stands beside each."
    known = known_failures(found.run)
    if "insufficient" in counts:
        said = "What failed is known and waived" if known else "Nothing failed"
        return f"{said}; more prompts would decide the rest."
    if known:
        return "What failed is known and waived."
    return "Nothing that was judged asks for mending." if counts else ""
