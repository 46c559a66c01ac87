"""What the rows say, in sentences. Every claim is a number with its interval; where the
interval spans zero it says so.

Knows the questions of the original study; knows nothing of HTML or Markdown, and never
says more than a row does.
"""

from collections.abc import Mapping

from specfair.report.lookup import (
    Index,
    Shape,
    measurable,
    stages,
    tally,
)
from specfair.report.text import clean, interval, listed, number, plural, signed
from specfair.run.rows import EstimateRow, GapRow
from specfair.run.run import Run
from specfair.vocabulary import ALPHA, BASE, Decision, Stage

N_SURE = 2  # bins of 20: a probability of 0.9 or more, or of 0.1 or less
FEW = 3  # names before "and more"
NOISE = "no measurable change"
WORDS: Mapping[Decision, str] = {
    "fail": "failed",
    "invalid": "could not be measured",
    "insufficient": "undecided",
    "pass": "passed",
}


def verdict(report: Run) -> str:
    """The whole run in one sentence."""
    counts, n = tally(report), len(report.verdicts)
    if not n:
        return "Measured, not judged: this run holds no bounds."
    if "fail" in counts:
        return (
            f"{counts['fail']} of {plural(n, 'check')} failed{_where(report, 'fail')}."
        )
    if "invalid" in counts:
        return (
            f"{counts['invalid']} of {plural(n, 'check')} could not be "
            f"measured{_where(report, 'invalid')}."
        )
    if "insufficient" in counts:
        return (
            f"No check failed; {counts['insufficient']} of {n:,} need more prompts "
            "to decide."
        )
    return "The only check passed." if n == 1 else f"All {n:,} checks passed."


def _where(report: Run, decision: Decision) -> str:
    """The cases, without their dataset where it is one and the same."""
    verdicts = [v for v in report.verdicts if v.decision == decision]
    cases = dict.fromkeys(v.case for v in verdicts)
    datasets = {v.dataset for v in verdicts}
    only = datasets.pop() if len(datasets) == 1 else ""
    names = [
        clean(case.removeprefix(only).removeprefix("-") or "all groups", 60)
        for case in cases
    ]
    shown = (
        listed(names)
        if len(names) <= FEW
        else f"{', '.join(names[:FEW])} and {len(names) - FEW} more"
    )
    return f" after {clean(only, 40)}: {shown}" if only else f": {shown}"


def speed(found: Index) -> str:
    """Q1: on which datasets target and draft became more aligned."""
    rows = [row for dataset in found.report.datasets if (row := found.change(dataset))]
    up = [_after(row) for row in rows if row.low > 0]
    down = [_after(row) for row in rows if row.high < 0]
    flat = [clean(row.stage.dataset, 40) for row in rows if not measurable(row)]
    parts = [f"Higher after {listed(up)}"] * bool(up) + [
        f"lower after {listed(down)}"
    ] * bool(down)
    parts += [f"{NOISE} after {listed(flat)}"] * bool(flat)
    return (
        _sentence("; ".join(parts))
        if parts
        else "This run has no change with an interval."
    )


def _after(row: EstimateRow) -> str:
    return f"{clean(row.stage.dataset, 40)} ({signed(row.value)})"


def dataset(found: Index, name: str) -> str:
    """One dataset: who gains most, who ends slowest, and by how much."""
    at, metric = Stage(name), found.report.metric
    changes = [
        row for group in found.report.groups if (row := found.change(name, group))
    ]
    moved = [row for row in changes if measurable(row)]
    said = []
    if changes and not moved:
        said = [f"{NOISE} in any group"]
    elif moved:
        best = max(moved, key=lambda row: row.value)
        verb = "gains most" if best.value > 0 else "loses least"
        said = [f"{clean(best.group, 40)} {verb} ({signed(best.value, 2)})"]
    after = found.by_group(metric, at)
    if len(after) > 1:
        slow, fast = (
            min(after, key=lambda row: row.value),
            max(after, key=lambda row: row.value),
        )
        behind = number(fast.value - slow.value, 2)
        said.append(
            f"{clean(slow.group, 40)} is slowest, {behind} behind "
            f"{clean(fast.group, 40)}"
        )
    return (
        f"After {clean(name, 40)}, {'; '.join(said)}"
        if said
        else f"After {clean(name, 40)}"
    )


def share(found: Index) -> str:
    """Q2: whether the gain goes to the groups the corpus speaks of, and whether the gap
    widened.
    """
    rows = found.report.frequency
    more = [
        f"{clean(r.stage.dataset, 40)} ({signed(r.slope)} for each tenfold)"
        for r in rows
        if r.low > 0
    ]
    less = [
        f"{clean(r.stage.dataset, 40)} ({signed(r.slope)} for each tenfold)"
        for r in rows
        if r.high < 0
    ]
    parts = [f"groups mentioned more often gain more after {listed(more)}"] * bool(more)
    parts += [
        f"they gain less after {listed(less)}"
        if more
        else f"groups mentioned more often gain less after {listed(less)}"
    ] * bool(less)
    unclear = [
        clean(r.stage.dataset, 40) for r in rows if not (r.low > 0 or r.high < 0)
    ]
    parts += [f"no measurable relation after {listed(unclear)}"] * bool(unclear)
    return " ".join(
        part for part in (_sentence("; ".join(parts)), widened(found)) if part
    )


def widened(found: Index) -> str:
    """Whether the gap between groups grew."""
    changes = [(d, row) for d in found.report.datasets if (row := found.widening(d))]
    wider = [f"{clean(d, 40)} ({signed(row.gap)})" for d, row in changes if row.low > 0]
    narrower = [
        f"{clean(d, 40)} ({signed(row.gap)})" for d, row in changes if row.high < 0
    ]
    if not changes:
        return ""
    if not wider and not narrower:
        return "The gap between groups did not change measurably."
    parts = [f"widened after {listed(wider)}"] * bool(wider) + [
        f"narrowed after {listed(narrower)}"
    ] * bool(narrower)
    return f"The gap between groups {' and '.join(parts)}."


def groups(found: Index, at: Stage = BASE) -> str:
    """Who is slowest and who is fastest, and whether that is more than shuffled labels
    show.
    """
    row = found.gap(found.report.metric, at)
    if row is None:
        return ""
    who = (
        f"slowest is {clean(row.lowest_group, 40)}, fastest "
        f"{clean(row.highest_group, 40)}"
    )
    return _sentence(
        f"{who}: a gap of {number(row.gap)} "
        f"({interval(row.low, row.high)}){chance(row)}"
    )


def chance(row: GapRow) -> str:
    """The gap beside what shuffled labels reach."""
    if row.null is None:
        return ""
    more = "more than" if row.gap > row.null else "no more than"
    but = (
        ", though its interval reaches zero"
        if row.gap > row.null and row.low <= 0
        else ""
    )
    return (
        f", {more} shuffled group labels reach ({number(row.null)} in 95 of 100 "
        f"shuffles){but}"
    )


def worst_pair(found: Index, at: Stage) -> str:
    """The detected pair with the greatest difference, or that none is detected."""
    pairs = [row for row in found.report.pairs if row.stage == at]
    detected = [row for row in pairs if row.p_holm < ALPHA]
    if not detected:
        return f"none of {plural(len(pairs), 'pair')} differs measurably"
    worst = max(detected, key=lambda row: abs(row.difference))
    slow, fast = (
        (worst.group_a, worst.group_b)
        if worst.difference < 0
        else (worst.group_b, worst.group_a)
    )
    return (
        f"{clean(slow, 40)} is {number(abs(worst.difference), 2)} behind "
        f"{clean(fast, 40)}; "
        f"{len(detected)} of {plural(len(pairs), 'pair')} differ"
    )


def lookahead(found: Index) -> str:
    """The best number of assistant tokens for all, and who would want another."""
    best = best_lookahead(found, BASE, "")
    if best is None:
        return ""
    others = [
        group
        for group in found.report.groups
        if (own := best_lookahead(found, BASE, group))
        and own.lookahead != best.lookahead
    ]
    said = (
        f"fastest for all together is {clean(best.lookahead, 40)} (predicted "
        f"speed-up {number(best.value, 2)})"
    )
    return _sentence(
        f"{said}; {plural(len(others), 'group')} would be faster with another"
        if others
        else f"{said} and for every group"
    )


def best_lookahead(found: Index, at: Stage, group: str) -> EstimateRow | None:
    """The lookahead with the highest predicted speed-up."""
    metric = "speedup_predicted"
    rows = [
        row
        for name in found.lookaheads.get(metric, ())
        if (row := found.estimate(metric, at, group, name))
    ]
    return max(rows, key=lambda row: row.value, default=None)


def sureness(draft: Shape | None, target: Shape | None) -> str:
    """How much of what was rejected the draft had been sure of."""
    if draft is None or target is None or not sum(draft.rejected):
        return "where proposals lie"
    sure = sum(draft.rejected[-N_SURE:]) / sum(draft.rejected)
    doubted = sum(target.rejected[:N_SURE]) / sum(target.rejected)
    return (
        f"of rejected proposals the draft was sure of {sure:.0%}, the target all "
        f"but excluded {doubted:.0%}"
    )


def confident(found: Index) -> str:
    """Which group meets the most confident rejections."""
    rows = found.by_group("confident_rejections", BASE)
    if not rows:
        return ""
    most, least = (
        max(rows, key=lambda row: row.value),
        min(rows, key=lambda row: row.value),
    )
    if most.value == least.value:
        return _sentence(f"The same share in every group ({number(most.value)})")
    apart = most.low > least.high
    verdict = (
        "their intervals do not overlap"
        if apart
        else "their intervals overlap, so this may be noise"
    )
    return _sentence(
        f"Most in {clean(most.group, 40)} ({number(most.value)}), fewest in "
        f"{clean(least.group, 40)} ({number(least.value)}); {verdict}"
    )


def split(found: Index) -> str:
    """How many of the differences the draft explains."""
    rows = found.report.splits
    worse = [row for row in rows if row.low > 0 or row.high < 0]
    at = stages(found.report, rows)
    if not rows:
        return ""
    return _sentence(
        f"In {len(worse)} of {plural(len(rows), 'comparison')} over "
        f"{plural(len(at), 'stage')} the draft itself "
        "serves one group measurably worse; the rest is text that is harder for both "
        "models, or noise"
    )


def widest_split(found: Index, at: Stage) -> str:
    """The widest difference of one stage and the draft's part in it."""
    rows = [row for row in found.report.splits if row.stage == at]
    row = max(rows, key=lambda row: abs(row.total))
    slow, fast = (
        (row.group_a, row.group_b) if row.total < 0 else (row.group_b, row.group_a)
    )
    behind = (
        f"{clean(slow, 40)} is {number(abs(row.total), 2)} behind {clean(fast, 40)}"
    )
    if row.low <= 0 <= row.high or row.worse_draft * row.total <= 0:
        return f"{behind}; the draft's part may be noise"
    return f"{behind}, {number(abs(row.worse_draft), 2)} of it by a worse draft"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text else ""
