"""A Run in a few lines: what the terminal says last, and what a JUnit file carries.

Knows what a reader needs first. It does not know where anything is printed.
"""

import math
from collections import Counter
from collections.abc import Mapping

from specfair.run.closer import WaitRow
from specfair.run.drafts import drafts_said
from specfair.run.rows import GapRow
from specfair.run.run import Run
from specfair.vocabulary import BASE

# of cases, in a run's provenance; absent where all were asked
SELECTION = "selection"
# of the draft's vocabulary, likewise; absent where it is the target's
LIMITS = "draft_vocabulary"


def properties(run: Run) -> dict[str, str]:
    """What a JUnit file says of the whole run, so that one on another pair cannot pass
    for it.
    """
    named = {
        name: str(getattr(run, name))
        for name in ("target", "draft", "prompts", "decoding", "lookahead")
    }
    named |= {
        "groups": ", ".join(run.groups),
        SELECTION: str(run.provenance.get(SELECTION, "")),
    }
    return {f"specfair.{name}": value for name, value in named.items() if value}


def summary(run: Run, place: str, ungated: Mapping[str, int]) -> list[str]:
    """What the terminal says: what was measured and decided, the worst gap, what to run
    next, where to look.
    """
    lines = [f"measured: {run.about}"] if run.about else []
    n = Counter("waived" if v.excuse == "waived" else v.outcome for v in run.verdicts)
    said = [f"{n['pass']} pass", f"{n['fail']} fail"]
    others = ("waived", "insufficient", "invalid")
    said += [f"{n[name]} {name}" for name in others if n[name]]
    lines.append(f"verdicts: {', '.join(said)}")
    lines += filter(None, [by_mistake(run)])
    lines += dict.fromkeys(v.note for v in run.verdicts if v.note)
    elsewhere = Counter(filter(None, map(run.elsewhere, run.verdicts)))
    for about, count in elsewhere.items():
        lines.append(f"of these, {count} about another audit: {about}")
    lines += [f"clock, {_at(row)}: {row.said}" for row in run.waits]
    lines += [*worst_gaps(run), *drafts_said(run.drafts)]
    lines += filter(None, [reach(run)])
    gone = [row.name for row in run.baseline if row.decision == "gone"]
    if gone:
        lines.append(
            f"stale in the baseline, measured no more: {', '.join(gone)}; save "
            "it anew to drop what is gone"
        )
    if any(ungated.values()):
        asked = ", ".join(f"{n} {kind}" for kind, n in ungated.items() if n)
        lines.append(
            f"without a bound, so not judged: {asked}; bounds go into "
            "[tool.specfair.gates]"
        )
    if n["insufficient"]:
        lines.append(
            "undecided cases passed; --specfair-strict fails them, more "
            "prompts decide them"
        )
    return [*lines, f"report: {place}"] if place else lines


def by_mistake(run: Run) -> str:
    """The run's own chance of failing where nothing is wrong; "" where it is not
    known.
    """
    if len(run.chance) != 2:
        return ""
    most, independent = (f"{chance:.2f}" for chance in run.chance)
    said = "if nothing were wrong anywhere, this run would fail by mistake with a "
    said += f"chance of at most {most}"
    if independent != most:
        said += f" ({independent} if its questions were independent)"
    if any(v.strict for v in run.verdicts):
        said += "; undecided checks that strict fails are not counted in"
    return said


def worst_gaps(run: Run) -> list[str]:
    """The worst gap, and those that are no number."""
    lines = []
    here = (run.metric, run.lookahead)
    gaps = [g for g in run.gaps if (g.metric, g.lookahead) == here]
    finite = [g for g in gaps if math.isfinite(g.gap)]
    if finite:
        worst = max(finite, key=lambda g: g.gap)
        lines.append(
            f"worst gap: {worst.gap:.3f} [{worst.low:.3f}, {worst.high:.3f}] in "
            f"{worst.metric} {_at(worst)}: "
            f"{worst.lowest_group} is slowest"
            f"{run.doubt(worst.stage, worst.lowest_group)}, "
            f"{worst.highest_group} fastest"
        )
    return lines + [
        f"no gap: {g.metric} {_at(g)} is not a number for every group"
        for g in gaps
        if g not in finite
    ]


def reach(run: Run) -> str:
    """What the draft can never propose, and how much of the text is left; "" where its
    vocabulary is the target's.
    """
    said = str(run.provenance.get(LIMITS, ""))
    rows = [row for row in run.estimates if (row.metric, row.stage) == ("reach", BASE)]
    found = {row.group: row.value for row in rows if math.isfinite(row.value)}
    everyone = found.pop("", math.nan)
    if not said or not found:
        return said
    lowest = min(found, key=lambda group: found[group])
    of_text = f"{everyone:.3f} of the text, {found[lowest]:.3f} of {lowest}'s"
    return f"{said}; it reaches {of_text}"


def _at(gap: GapRow | WaitRow) -> str:
    return f"after {gap.stage}" if gap.stage.tuned else "before fine-tuning"
