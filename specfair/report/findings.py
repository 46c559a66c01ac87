"""What the rows say, in sentences. Every claim is a number with its interval; where the
interval spans zero it says so.

Knows the questions of the original study; knows nothing of HTML or Markdown, and never
says more than a row does.
"""

from collections.abc import Iterable, Mapping

from specfair.errors import counted
from specfair.report.lookup import (
    Index,
    Shape,
    lookaheads,
    measurable,
    stages,
    tally,
)
from specfair.report.text import clean, enumerated, interval, number, signed
from specfair.run.rows import EstimateRow, FrequencyRow, GapRow
from specfair.run.run import Run
from specfair.run.summary import by_mistake
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


def known_failures(run: Run) -> int:
    """How many failures are known and excused."""
    return sum(v.excuse == "waived" for v in run.verdicts)


def verdict(run: Run) -> str:
    """The whole run in one sentence, or in two where failures are waived."""
    n = known_failures(run)
    said = _verdict(run)
    return f"{said} {counted(n, 'known failure')} waived." if n else said


def _verdict(run: Run) -> str:
    counts, n = tally(run), len(run.verdicts)
    checks = counted(n, "check")
    if not n:
        return "Measured, not judged: this run holds no bounds."
    if "fail" in counts:
        return f"{counts['fail']} of {checks} failed{_where(run, 'fail')}."
    if "invalid" in counts:
        where = _where(run, "invalid")
        return f"{counts['invalid']} of {checks} could not be measured{where}."
    if "insufficient" in counts:
        some = f"{counts['insufficient']} of {checks}"
        need = "needs" if counts["insufficient"] == 1 else "need"
        none = "No new failure" if known_failures(run) else "No check failed"
        return f"{none}; {some} {need} more prompts to decide."
    if known_failures(run):
        return f"No other of {checks} failed."
    return "The only check passed." if n == 1 else f"All {checks} passed."


def by_chance(run: Run) -> str:
    """How likely the run fails where nothing is wrong."""
    return _sentence(by_mistake(run))


def _where(run: Run, decision: Decision) -> str:
    """The cases, without their dataset where it is one and the same."""
    known = [v for v in run.verdicts if v.excuse != "waived"]
    verdicts = [v for v in known if v.outcome == decision]
    datasets = {v.dataset for v in verdicts}
    only = datasets.pop() if len(datasets) == 1 else ""
    names = []
    for case in dict.fromkeys(v.case for v in verdicts):
        name = case.removeprefix(only).removeprefix("-") or "all groups"
        names.append(clean(name, 60))
    shown = enumerated(names)
    if len(names) > FEW:
        shown = f"{', '.join(names[:FEW])} and {len(names) - FEW} more"
    return f" after {clean(only, 40)}: {shown}" if only else f": {shown}"


def _apart(
    rows: Iterable[tuple[float, EstimateRow | GapRow | FrequencyRow]], unit: str = ""
) -> tuple[str, str, str]:
    """The datasets where a figure lies above zero, below, or may be noise."""
    up, down, flat = [], [], []
    for value, row in rows:
        name = clean(row.stage.dataset, 40)
        if row.low > 0:
            up.append(f"{name} ({signed(value)}{unit})")
        elif row.high < 0:
            down.append(f"{name} ({signed(value)}{unit})")
        else:
            flat.append(name)
    return enumerated(up), enumerated(down), enumerated(flat)


def speed(found: Index) -> str:
    """Q1: on which datasets target and draft became more aligned."""
    rows = [found.change(Stage(dataset)) for dataset in found.run.datasets]
    up, down, flat = _apart((row.value, row) for row in rows if row)
    parts = []
    if up:
        parts.append(f"Higher after {up}")
    if down:
        parts.append(f"lower after {down}")
    if flat:
        parts.append(f"{NOISE} after {flat}")
    if not parts:
        return "This run has no change with an interval."
    return _sentence("; ".join(parts))


def dataset(found: Index, at: Stage) -> str:
    """One dataset: who gains most, who ends slowest, and by how much."""
    after, said = f"After {clean(at.dataset, 40)}", []
    rows = [found.change(at, group) for group in found.run.groups]
    changes = [row for row in rows if row is not None]
    moved = [row for row in changes if measurable(row)]
    if moved:
        best = max(moved, key=lambda row: row.value)
        verb = "gains most" if best.value > 0 else "loses least"
        said.append(f"{clean(best.group, 40)} {verb} ({signed(best.value, 2)})")
    elif changes:
        said.append(f"{NOISE} in any group")
    levels = found.by_group(found.run.metric, at)
    if len(levels) > 1:
        slow = min(levels, key=lambda row: row.value)
        fast = max(levels, key=lambda row: row.value)
        behind = f"{number(fast.value - slow.value, 2)} behind {clean(fast.group, 40)}"
        doubt = found.run.doubt(at, slow.group)
        said.append(f"{clean(slow.group, 40)} is slowest{doubt}, {behind}")
    return f"{after}, {'; '.join(said)}" if said else after


def share(found: Index) -> str:
    """Q2: whether the gain goes to the groups the corpus speaks of, and whether the gap
    widened.
    """
    rows = ((row.slope, row) for row in found.run.frequency)
    more, less, unclear = _apart(rows, " for each tenfold")
    parts = []
    if more:
        parts.append(f"groups mentioned more often gain more after {more}")
    if less and more:
        parts.append(f"they gain less after {less}")
    elif less:
        parts.append(f"groups mentioned more often gain less after {less}")
    if unclear:
        parts.append(f"no measurable relation after {unclear}")
    return f"{_sentence('; '.join(parts))} {widened(found)}".strip()


def widened(found: Index) -> str:
    """Whether the gap between groups grew."""
    rows = [found.widening(Stage(dataset)) for dataset in found.run.datasets]
    changes = [row for row in rows if row is not None]
    wider, narrower, _ = _apart((row.gap, row) for row in changes)
    if not changes:
        return ""
    parts = []
    if wider:
        parts.append(f"widened after {wider}")
    if narrower:
        parts.append(f"narrowed after {narrower}")
    if not parts:
        return "The gap between groups did not change measurably."
    return f"The gap between groups {' and '.join(parts)}."


def slowest(found: Index) -> str:
    """Who is slowest and who is fastest before fine-tuning, and whether that is more
    than groups that are alike show by chance.
    """
    row = found.gap(BASE)
    if row is None:
        return ""
    slow, fast = clean(row.lowest_group, 40), clean(row.highest_group, 40)
    gap = f"a gap of {number(row.gap)} ({interval(row.low, row.high)})"
    slow += found.run.doubt(BASE, row.lowest_group)
    return f"Slowest is {slow}, fastest {fast}: {gap}{chance(row)}."


def chance(row: GapRow) -> str:
    """The gap beside what groups that are alike show."""
    if row.null is None:
        return ""
    reach = f"groups that are alike show by chance ({number(row.null)} in 95 of 100)"
    if not row.gap > row.null:
        return f", no more than {reach}"
    but = ", though its interval reaches zero" if row.low <= 0 else ""
    return f", more than {reach}{but}"


def widest_pair(found: Index, at: Stage) -> str:
    """The detected pair with the greatest difference, or that none is detected."""
    pairs = [row for row in found.run.pairs if row.stage == at]
    detected = [row for row in pairs if row.p_holm < ALPHA]
    if not detected:
        return f"none of {counted(len(pairs), 'pair')} differs measurably"
    worst = max(detected, key=lambda row: abs(row.difference))
    behind = _behind((worst.group_a, worst.group_b), worst.difference)
    return f"{behind}; {len(detected)} of {counted(len(pairs), 'pair')} differ"


def _behind(groups: tuple[str, str], difference: float) -> str:
    """Which of two is behind; the difference is the first one minus the second."""
    slow, fast = groups if difference < 0 else groups[::-1]
    return f"{clean(slow, 40)} is {number(abs(difference), 2)} behind {clean(fast, 40)}"


def best_for_all(found: Index) -> str:
    """The best number of assistant tokens for all, and who would want another."""
    common = best_lookahead(found, BASE, "")
    if common is None:
        return ""
    own = [best_lookahead(found, BASE, group) for group in found.run.groups]
    others = sum(row is not None and row.lookahead != common.lookahead for row in own)
    name = clean(common.lookahead, 40)
    gain = f"(predicted speed-up {number(common.value, 2)})"
    said = f"Fastest for all together is {name} {gain}"
    if not others:
        return f"{said} and for every group."
    return f"{said}; {counted(others, 'group')} would be faster with another."


def best_lookahead(found: Index, at: Stage, group: str) -> EstimateRow | None:
    """The lookahead with the highest predicted speed-up."""
    metric = "speedup_predicted"
    names = lookaheads(found.run, metric)
    rows = [found.estimate(metric, at, group, name) for name in names]
    return max(filter(None, rows), key=lambda row: row.value, default=None)


def sureness(draft: Shape | None, target: Shape | None) -> str:
    """How much of what was rejected the draft had been sure of."""
    if draft is None or target is None or not sum(draft.rejected):
        return "where proposals lie"
    sure = sum(draft.rejected[-N_SURE:]) / sum(draft.rejected)
    doubted = sum(target.rejected[:N_SURE]) / sum(target.rejected)
    return (
        f"{sure:.0%} of the rejected proposals were ones that the draft gave 0.9 or "
        f"more; to {doubted:.0%} the target gave 0.1 or less"
    )


def confident(found: Index) -> str:
    """Which group meets the most confident rejections."""
    rows = found.by_group("confident_rejections", BASE)
    if not rows:
        return ""
    most = max(rows, key=lambda row: row.value)
    least = min(rows, key=lambda row: row.value)
    if most.value == least.value:
        return f"The same share in every group ({number(most.value)})."
    who = (
        f"Most in {clean(most.group, 40)} ({number(most.value)}), fewest in "
        f"{clean(least.group, 40)} ({number(least.value)})"
    )
    if most.low > least.high:
        return f"{who}; their intervals do not overlap."
    return f"{who}; their intervals overlap, so this may be noise."


def causes(found: Index) -> str:
    """How many of the differences the draft explains."""
    rows = found.run.splits
    if not rows:
        return ""
    worse = sum(row.low > 0 or row.high < 0 for row in rows)
    n_stages = len(stages(found.run, rows))
    return (
        f"In {worse} of {counted(len(rows), 'comparison')} over "
        f"{counted(n_stages, 'stage')} the draft itself serves one group measurably "
        "worse; the rest is text that is harder for both models, or noise."
    )


def widest_split(found: Index, at: Stage) -> str:
    """The widest difference of one stage and the draft's part in it."""
    rows = [row for row in found.run.splits if row.stage == at]
    row = max(rows, key=lambda row: abs(row.total))
    behind = _behind((row.group_a, row.group_b), row.total)
    if row.low <= 0 <= row.high or row.worse_draft * row.total <= 0:
        return f"{behind}; the draft's part may be noise"
    return f"{behind}, {number(abs(row.worse_draft), 2)} of it by a worse draft"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text else ""
