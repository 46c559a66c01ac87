"""A verdict's sentence and its way out.

Knows how numbers are said. Decides nothing.
"""

import math
from collections.abc import Sequence

from specfair.errors import counted, plain
from specfair.gates.kinds import KINDS, Bound
from specfair.run.verdict import Verdict
from specfair.stats import Estimate, Part, prompts_needed
from specfair.stats.estimate import EXPLORATORY, some_of
from specfair.vocabulary import ALPHA, METRICS, WRITTEN

MANY_TIMES = 100  # more evidence than so many times what is there is no advice
MEND = "specfair mend --out mended"  # those who know the settings fill them in
_NAMED = 3  # groups, at most, in advice


def sentence(v: Verdict, estimate: Estimate, size: int) -> str:
    """What was found, in one line whatever the names in it hold. `size` is that of the
    family.
    """
    said = _sentence(v, estimate, size)
    # what is usual goes without saying
    return plain(said if v.scope == "identities" else f"{said}; about {v.claim}")


def _sentence(v: Verdict, estimate: Estimate, size: int) -> str:
    subject = f"{v.case}: " if v.case else ""
    what = KINDS[v.gate].words.format(v.metric) if v.metric else "the estimate"
    if v.decision == "invalid":
        return (
            f"{subject}{what} could not be measured: "
            f"{estimate.method.removeprefix('invalid: ') or 'not a number'}"
        )
    if estimate.nothing:
        return (
            f"{subject}{what} has nothing to judge: "
            f"{estimate.method.removeprefix('invalid: ')}"
        )
    numbers = f"{what} {v.value:.3f} [{v.low:.3f}, {v.high:.3f}]"
    family = f", Holm over {size}" if size > 1 else ""
    shown = (
        f"p = {max(v.p_holm, 1e-4):.4f}{family}"
        if math.isfinite(v.p_holm)
        else "no p-value"
    )
    return f"{subject}{numbers} {_relation(v)} ({shown}){_who(v, estimate.parts)}"


def _relation(v: Verdict) -> str:
    exceeds, within = (
        ("exceeds", "is at most")
        if v.comparison == "<="
        else ("falls short of", "is at least")
    )
    margin = v.gate == "equivalence"
    bound = f"the margin of {v.bound:.3g} either way" if margin else f"{v.bound:.3g}"
    effect = f"the minimum effect {v.min_effect:g}"
    if v.decision == "fail":
        said = f"{exceeds} {bound}"
        return f"{said} by more than {effect}" if v.min_effect else said
    if v.decision == "insufficient":
        said = f"leaves {bound} undecided"
        return f"{said} with {effect}" if v.min_effect else said
    if margin:
        return f"lies inside {bound}"
    inside = v.high <= v.bound if v.comparison == "<=" else v.low >= v.bound
    return (
        f"{within} {bound}"
        if inside
        else f"{within} {bound}, or beyond it by less than {effect}"
    )


def _who(v: Verdict, parts: Sequence[Part]) -> str:
    """Which groups the value is about, and how much is known of each."""
    found = {p.group: p for p in parts}
    named = [found[g] for g in v.groups if g in found]
    if len(named) == 1:
        return f"; {_counts(named[0])}"
    if len(named) != 2 or len(v.groups) != 2:
        return ""
    of = METRICS.get(v.metric)
    speed = of is not None and of.higher_is_better and not of.written
    low, high = ("slowest", "fastest") if speed else ("lowest", "highest")
    return (
        f"; {low} {named[0].group} ({_counts(named[0])}), {high} {named[1].group} "
        f"({_counts(named[1])})"
    )


def _counts(part: Part) -> str:
    return f"{part.n_prompts:,} prompts, {counted(part.n_clusters, 'cluster')}"


def way_out(v: Verdict, estimate: Estimate, bound: Bound) -> str:
    """What to do about it; nothing to do for a pass."""
    return plain(_way_out(v, estimate, bound))


def _way_out(v: Verdict, estimate: Estimate, bound: Bound) -> str:
    if v.decision == "pass":
        return ""
    if v.decision == "invalid":
        return (
            "Look at the groups' prompts and the models' outputs: mend what made "
            "them unusable, or drop the group."
        )
    if estimate.nothing:
        return (
            "Nothing is wrong with the models or the prompts; more prompts may "
            "bring some of it about."
        )
    if v.decision == "fail":
        return _mended(v)
    if estimate.exploratory and v.p_holm < ALPHA:
        few = some_of(estimate.exploratory)
        return (
            f"This rests on {few}, with fewer than {EXPLORATORY} clusters of like size "
            "each: more of their identities would decide; or name scope 'prompts' or "
            "'set', if these identities are all there are."
        )
    return _needed(estimate, bound)


def _mended(v: Verdict) -> str:
    """Whose draft to mend, where a draft has to do with it."""
    who = " and ".join(v.groups) if 0 < len(v.groups) <= 2 else "all groups together"
    bound = "set the bound to what is acceptable"
    if v.metric in WRITTEN:
        return (
            "The text is the target's own, so no draft mends it: read what it writes "
            f"of {who} in the report, tune it otherwise, or {bound}."
        )
    return f"Mend the draft for {who} with `{MEND}`, or {bound}."


def _needed(estimate: Estimate, bound: Bound) -> str:
    """How many prompts more would decide."""
    decisive = (
        bound.value if bound.sign * (estimate.value - bound.limit) > 0 else bound.limit
    )
    have = {p.group: p.n_prompts for p in estimate.parts}
    needed = {
        g: n
        for g, n in prompts_needed(estimate, decisive).items()
        if n.n_prompts <= MANY_TIMES * have[g]
    }
    if not any(have.values()):
        return (
            "Prompts are not the evidence here: more groups would decide, or a "
            "wider min_effect."
        )
    if not needed:
        return (
            "The value is too near the bound for more prompts to decide: widen "
            "min_effect or move the bound."
        )
    most = sorted(needed, key=lambda g: -needed[g].n_prompts)[:_NAMED]
    counts = [
        (
            f"{needed[g].n_prompts:,} more prompts of {g} in "
            f"{needed[g].n_clusters:,} new clusters"
        )
        for g in most
    ]
    advice = ", ".join(counts)
    if len(needed) > _NAMED:
        advice += f", and more of {counted(len(needed) - _NAMED, 'other group')}"
    return f"About {advice} would decide."
