"""Does the replay agree with real speculative decoding? A sample of every group is
decoded live and counted.

Knows how far two counts of the same prompts may differ. In float32 greedy decoding both
follow one path, so every count of every prompt must be equal, save where the target's
two best tokens are nearly tied and rounding may choose. Otherwise both are draws of the
same law, and each group's acceptance rates may differ by Z standard errors of the
paired difference: a false alarm in fewer than one of 10,000 groups of 64 prompts. Does
not know how either was made.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from specfair.traces.replay import replay
from specfair.traces.tally import Tally
from specfair.traces.trace import Trace

if TYPE_CHECKING:
    from specfair.engine.speculate import Live

N_SAMPLE = 64  # prompts of each group that are decoded live
Z = 4.5
NEAR_TIE = 1e-4  # between the target's two best probabilities

_COUNTS = ("n_new_tokens", "n_rounds", "n_drafted", "n_tested", "n_accepted")


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the comparison found; `problem` is empty where replay and live decoding
    agree.
    """

    n_prompts: int
    n_near_ties: int  # prompts left out of an exact comparison
    problem: str = ""


def sampled(trace: Trace) -> NDArray[np.bool_]:
    """Which prompts are decoded live: the first of each group, N_SAMPLE at most; sets
    are in no telling order.
    """
    seen: dict[str, int] = {}
    keep = []
    for prompt in trace.prompts:
        seen[prompt.group] = seen.get(prompt.group, 0) + 1
        keep.append(seen[prompt.group] <= N_SAMPLE)
    return np.array(keep, dtype=np.bool_)


def compare(trace: Trace, live: "Live") -> Agreement:
    """Replay of these prompts' trace against their live decoding."""
    replayed = replay(trace, live.lookahead)
    unknown = np.flatnonzero(
        np.isnan(replayed.n_accepted) | np.isnan(live.tally.n_accepted)
    )
    if unknown.size:
        which = (
            f"{unknown.size} of {len(trace)} prompts, "
            f"{trace.prompts[unknown[0]].id!r} first"
        )
        return Agreement(
            len(trace), 0, f"the models' probabilities are NaN or infinite for {which}"
        )
    exact = trace.header.decoding.greedy and trace.header.dtype == "float32"
    return (
        _exact(trace, replayed, live) if exact else _in_law(trace, replayed, live.tally)
    )


def _exact(trace: Trace, replayed: Tally, live: "Live") -> Agreement:
    tied = trace.per_prompt(trace["margin"] < NEAR_TIE) > 0
    same = np.all(
        [getattr(replayed, name) == getattr(live.tally, name) for name in _COUNTS],
        axis=0,
    )
    differing = np.flatnonzero(~same & ~tied)
    problem = ""
    if differing.size:
        first = trace.prompts[differing[0]].id
        problem = (
            f"replay and live decoding count differently for {differing.size} "
            f"prompts, {first!r} among them"
        )
    return Agreement(len(trace), int(tied.sum()), problem)


def _in_law(trace: Trace, replayed: Tally, live: Tally) -> Agreement:
    group = np.array([p.group for p in trace.prompts])
    distances = {
        name: _z(replayed[group == name], live[group == name])
        for name in dict.fromkeys(group.tolist())
    }
    beyond = {name: z for name, z in distances.items() if not abs(z) <= Z}
    problem = ""
    if beyond:
        worst = max(beyond, key=lambda name: abs(beyond[name]))
        found = f"{beyond[worst]:.1f} standard errors for {worst!r}"
        problem = f"replay and live decoding differ by {found}, at most {Z} allowed"
    return Agreement(len(trace), 0, problem)


def _z(a: Tally, b: Tally) -> float:
    """The difference of two acceptance rates of the same prompts, in standard errors of
    the paired difference.
    """
    rates = [float(t.n_accepted.sum() / max(t.n_tested.sum(), 1.0)) for t in (a, b)]
    errors = [
        (t.n_accepted - r * t.n_tested) / max(t.n_tested.sum(), 1.0)
        for t, r in zip((a, b), rates, strict=True)
    ]
    spread = float(np.sqrt(((errors[1] - errors[0]) ** 2).sum()))
    difference = rates[1] - rates[0]
    return 0.0 if difference == 0 else difference / spread if spread > 0 else np.inf
