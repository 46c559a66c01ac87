"""What changed between two runs: checks that come out otherwise, and who moved.

Knows two runs and which of their checks are the same one. Knows nothing of HTML.
"""

from typing import NamedTuple

from specfair.errors import counted
from specfair.report.blocks import Table
from specfair.report.findings import WORDS
from specfair.report.lookup import Index
from specfair.report.text import clean, enumerated, interval, number, signed
from specfair.run.rows import EstimateRow
from specfair.run.run import Run
from specfair.run.verdict import Verdict
from specfair.vocabulary import BASE, DECISIONS

GONE, NEW = "not asked", "new"


class Moved(NamedTuple):
    """One check in both runs; None where a run did not ask it."""

    before: Verdict | None
    after: Verdict | None

    @property
    def either(self) -> Verdict:
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def rank(self) -> int:
        """The gravest of today first; what is asked no more last."""
        return DECISIONS.index(self.after.outcome) if self.after else len(DECISIONS)


def what_moved(old: Run, new: Run) -> list[Moved]:
    """The checks whose outcome is another, or that only one of the runs asked."""
    was, now = _keyed(old), _keyed(new)
    pairs = [Moved(was.get(key), now.get(key)) for key in dict.fromkeys((*now, *was))]
    other = [pair for pair in pairs if _said(pair.before) != _said(pair.after)]
    return sorted(other, key=lambda pair: pair.rank)


def changed(old: Index, new: Index) -> tuple[str, Table]:
    """A sentence, and the checks that come out otherwise."""
    other = what_moved(old.run, new.run)
    said = "Every check comes out as before"
    if other:
        outcomes = [WORDS[d] for d in DECISIONS for p in other if _is(p, d)]
        counts = [f"{outcomes.count(w)} now {w}" for w in dict.fromkeys(outcomes)]
        gone = sum(pair.after is None for pair in other)
        counts += [f"{gone} asked no more"] if gone else []
        said = f"{counted(len(other), 'check')} changed: {enumerated(counts)}"
    columns = (
        ("check", lambda pair: clean(pair.either.case, 80)),
        ("gate", lambda pair: clean(pair.either.gate, 40)),
        ("was", lambda pair: _said(pair.before) or NEW),
        ("is", lambda pair: _said(pair.after) or GONE),
        ("#was", lambda pair: number(pair.before.value) if pair.before else "n/a"),
        ("#is", lambda pair: number(pair.after.value) if pair.after else "n/a"),
    )
    caption = "Checks that come out otherwise"
    table = Table.of(other, columns, caption=caption, open=True)
    return f"{said}. {_level(old, new)}".strip(), table


def _is(pair: Moved, decision: str) -> bool:
    return pair.after is not None and pair.after.outcome == decision


def _keyed(run: Run) -> dict[tuple[str, str, str, int], Verdict]:
    return {(v.case, v.gate, v.metric, v.nth): v for v in run.verdicts}


def _said(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    return "waived" if verdict.excuse == "waived" else WORDS[verdict.outcome]


def _level(old: Index, new: Index) -> str:
    """How everyone together and each group moved before any fine-tuning; groups whose
    intervals do not overlap.
    """
    metric = new.run.metric
    if metric != old.run.metric or old.run.lookahead != new.run.lookahead:
        return "The runs look at different metrics or lookaheads."
    pairs = []
    for row in new.with_everyone(metric, BASE):
        before = old.estimate(metric, BASE, row.group)
        if before is not None:
            pairs.append((before, row))
    far = [_move(a, b) for a, b in pairs if a.high < b.low or b.high < a.low]
    if not pairs:
        return ""
    if not far:
        return f"No group's {metric} before fine-tuning left its interval."
    return f"{metric} before fine-tuning moved for {enumerated(far)}."


def _move(a: EstimateRow, b: EstimateRow) -> str:
    by = f"{signed(b.value - a.value)}, now {interval(b.low, b.high)}"
    return f"{clean(b.group or 'all groups', 40)} ({by})"
