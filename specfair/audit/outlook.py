"""What an audit would find, before any model runs: the configured prompts and bounds,
and variances that are assumed or a pilot's.

Knows where each of them comes from. Does not know how power is found, nor how an
outlook is shown; needs no model.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from specfair.audit.chosen import prompt_set
from specfair.config import Settings
from specfair.errors import UsageError
from specfair.gates import Bound
from specfair.gates.baseline import Baseline
from specfair.gates.bounds import Where, bound_for
from specfair.stats import assumed, planning
from specfair.stats.assumed import Figures
from specfair.stats.widening import FEW as MANY
from specfair.traces.metrics import labelled
from specfair.vocabulary import BASE

# of small pairs with greedy decoding and 20 new tokens; the embedded pair is kinder
USUAL = Figures(
    rate=0.7, tokens=15, identity=0.03, drift=0.02, template=0.05, scatter=2
)
WANTED = 0.05
SIZES = (5, 15)  # prompts of an identity, in a set that would find it


@dataclass(frozen=True, slots=True)
class Prospect:
    """One group: how well it would be known, and what would be found of it; NaN for
    what never fails a gate.
    """

    group: str
    n_prompts: int
    n_clusters: int
    effective: float
    error: float  # of its rate
    gap: float  # behind all others, told from none
    fall: float  # after fine-tuning, told from none
    exploratory: bool


@dataclass(frozen=True, slots=True)
class Reach:
    """One kind of gate: the values at which it fails, for the group it sees best and
    for the one it sees worst.
    """

    gate: str
    best: float
    best_group: str
    worst: float
    worst_group: str


@dataclass(frozen=True, slots=True)
class Set:
    """How many identities of so many prompts each group needs for WANTED."""

    n_prompts: int  # of an identity
    gap: int
    fall: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """All that can be said before a model runs."""

    prompts: str
    scope: str
    pilot: str  # "" where variances are assumed
    figures: Figures
    groups: tuple[Prospect, ...]
    gates: tuple[Reach, ...]
    sets: tuple[Set, ...]


def outlook(
    settings: Settings, pilot: Baseline | None = None, *, name: str = ""
) -> Outlook:
    """What the settings' prompts and bounds would find."""
    scope = settings.scope
    if scope == "set":
        raise UsageError(
            "scope 'set' has nothing to plan: on the set itself nothing is sampled, "
            "and every difference is found. Plan with identities or prompts."
        )
    chosen, given = prompt_set(settings), assumed.Assumed.of(USUAL)
    texts = float(settings.continuations)
    if pilot is not None:
        texts /= int(pilot.about.get("continuations", "1"))
        later = [pilot.sample(stage) for stage in pilot.counts if stage != BASE]
        given = assumed.learnt(pilot.sample(BASE), later, given)
    # texts of one prompt differ about as prompts of one identity do
    given = replace(given, tokens=given.tokens * texts)
    sample = labelled(list(chosen)).within(scope)
    varying = given.fixed if scope == "prompts" else given
    plan = planning.planned(sample, varying, seed=settings.seed)
    groups = _groups(plan)
    return Outlook(
        prompts=chosen.sentence,
        scope=scope,
        pilot=name,
        figures=given.figures,
        groups=groups,
        gates=_gates(plan, groups, settings),
        sets=tuple(_set(varying, len(groups), n) for n in SIZES),
    )


def _groups(plan: planning.Plan) -> tuple[Prospect, ...]:
    found = []
    for i, part in enumerate(plan.alone[0].parts):
        found.append(
            Prospect(
                group=part.group,
                n_prompts=part.n_prompts,
                n_clusters=part.n_clusters,
                effective=part.effective,
                error=float(plan.errors[i]),
                gap=planning.smallest(plan, "gap", i),
                fall=planning.smallest(plan, "gain", i),
                exploratory=part.exploratory,
            )
        )
    return tuple(found)


def _gates(
    plan: planning.Plan, groups: Sequence[Prospect], settings: Settings
) -> tuple[Reach, ...]:
    """Every planned kind that has a bound, for the surest and the least sure of the
    groups that may fail it.
    """
    firm = [i for i, g in enumerate(groups) if not g.exploratory]
    firm.sort(key=lambda i: groups[i].error)
    kinds = list(planning.PLANNED)
    if len(groups) > MANY:
        kinds.remove("widening")
    times = dict.fromkeys(kinds, 1)
    if settings.family == "run":
        times = dict.fromkeys(kinds, len(settings.compared))
        times |= dict.fromkeys(("gap", "ratio"), len(settings.stages))
    found = []
    for kind in kinds:
        bound = bound_for(settings.gates, kind, Where())
        if bound is None:
            continue
        ends = firm[:1] + firm[-1:]
        values = [_value(plan, bound, i, times=times[kind]) for i in ends]
        names = [groups[i].group for i in ends]
        if not ends:
            values, names = [math.nan, math.nan], ["", ""]
        rule = f"{kind}{bound.comparison}{bound.value:g}~{bound.min_effect:g}"
        found.append(Reach(rule, values[0], names[0], values[1], names[1]))
    return tuple(found)


def _value(plan: planning.Plan, bound: Bound, group: int, *, times: int) -> float:
    """The move that is found; for a ratio, the ratio it makes."""
    asked = planning.Demand(bound.value, bound.limit, times)
    found = planning.smallest(plan, bound.kind, group, asked)
    return 1 - found / plan.rate if bound.kind == "ratio" else found


def _set(given: assumed.Assumed, groups: int, n: int) -> Set:
    gap, fall = (
        planning.identities_needed(given, kind, groups=groups, prompts=n, wanted=WANTED)
        for kind in ("gap", "gain")
    )
    return Set(n, gap, fall)
