"""Gates: an Estimate held against a Bound gives a Verdict.

pass          the 95% interval lies within the bound, or beyond it by no more than
              the minimum effect
fail          evidence and size: the p-value, after Holm's correction over the
              family, is below 0.05, and the value is beyond the bound by the
              minimum effect or more
insufficient  neither; the verdict says how many more prompts would decide, or that
              what is judged did not occur
invalid       there is no finite estimate, because of NaN or a count that cannot be
              relied on: never a pass

An equivalence gate turns the burden of proof: it passes only when the 90% interval lies
inside the margins. Knows how to decide. Does not know how intervals are made, nor which
test asks.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from specfair.gates.kinds import KINDS, OWN, Bound, Kind
from specfair.gates.words import sentence, way_out
from specfair.run.verdict import Verdict
from specfair.stats import Estimate, equivalence, holm
from specfair.vocabulary import ALPHA, Decision

__all__ = [
    "KINDS",
    "OWN",
    "Bound",
    "Kind",
    "Verdict",
    "check",
    "check_family",
]


def check(estimate: Estimate, bound: Bound, case: str = "") -> Verdict:
    """The verdict on one estimate."""
    return check_family({case: estimate}, bound, case)[case]


def check_family(
    estimates: Mapping[str, Estimate],
    bound: Bound | Mapping[str, Bound],
    case: str = "",
    *,
    times: int = 1,
) -> dict[str, Verdict]:
    """The verdicts on estimates that answer one question together, p-values adjusted by
    Holm: each member's is that of its own bound.

    `times` as often the question is asked, of other stages: those need not be measured
    for Bonferroni's correction, which Holm's within the family makes no less sure.
    """
    bounds = {
        name: bound if isinstance(bound, Bound) else bound[name] for name in estimates
    }
    p_values = [_p_value(e, bounds[name]) for name, e in estimates.items()]
    found, size = {}, times * len(estimates)
    for name, p, adjusted in zip(estimates, p_values, holm(p_values), strict=True):
        ps = (p, min(times * adjusted, 1.0), size)
        found[name] = _verdict(case or name, estimates[name], bounds[name], p_values=ps)
    return found


def _p_value(estimate: Estimate, bound: Bound) -> float:
    return (
        equivalence(estimate, bound.value).p_value
        if bound.kind == "equivalence"
        else estimate.p_value(bound.value)
    )


def _verdict(
    case: str, estimate: Estimate, bound: Bound, *, p_values: tuple[float, float, int]
) -> Verdict:
    p, p_holm, size = p_values
    verdict = Verdict(
        case=case,
        gate=bound.kind,
        metric=bound.metric,
        decision=_decide(estimate, bound, p_holm, size),
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        bound=bound.value,
        comparison=bound.comparison,
        min_effect=bound.min_effect,
        p_value=p,
        p_holm=p_holm,
        n={part.group: (part.n_prompts, part.n_clusters) for part in estimate.parts},
        groups=estimate.groups,
        sentence="",
        method=estimate.method,
        strict=bound.strict,
        scope=estimate.scope,
    )
    return replace(
        verdict,
        sentence=sentence(verdict, estimate, size),
        way_out=way_out(verdict, estimate, bound),
    )


def _decide(estimate: Estimate, bound: Bound, p_holm: float, size: int) -> Decision:
    """A failure must stand without the groups that have too few clusters to accuse."""
    decision = _at_face_value(estimate, bound, p_holm)
    if decision != "fail" or not estimate.exploratory:
        return decision
    firm = estimate.firm
    if firm is None:
        return "insufficient"
    p = min(size * _p_value(firm, bound), 1.0)
    stands = _at_face_value(firm, bound, p) == "fail"
    return "fail" if stands else "insufficient"


def _at_face_value(estimate: Estimate, bound: Bound, p_holm: float) -> Decision:
    if not estimate.valid:
        return "insufficient" if estimate.nothing else "invalid"
    if bound.kind == "equivalence":
        return _decide_equivalence(estimate, bound, p_holm)
    beyond = bound.sign * (estimate.value - bound.value)
    nearest, farthest = sorted(
        (
            bound.sign * (estimate.low - bound.value),
            bound.sign * (estimate.high - bound.value),
        )
    )
    evidence = p_holm < ALPHA if math.isfinite(p_holm) else nearest > 0
    if beyond > 0 and evidence and beyond >= bound.min_effect:
        return "fail"
    return "pass" if farthest <= bound.min_effect else "insufficient"


def _decide_equivalence(estimate: Estimate, bound: Bound, p_holm: float) -> Decision:
    if p_holm <= ALPHA:
        return "pass"
    outside = max(estimate.low - bound.value, -bound.value - estimate.high)
    large = abs(estimate.value) - bound.value >= bound.min_effect
    return "fail" if outside > 0 and large else "insufficient"
