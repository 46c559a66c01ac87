"""Several questions at once: p-values of a family, and a run's own chance of erring.

Knows Holm's and Bonferroni's corrections. Does not know what the questions are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given. NaN stays NaN and still
    counts as a member.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted[order] = np.minimum(np.fmax.accumulate(steps), 1.0) if len(p) else steps
    return [
        float(a) if math.isfinite(b) else math.nan
        for a, b in zip(adjusted, p, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Chance:
    """The chance of any false failure in a run whose families are each held to their
    own level.
    """

    independent: float  # if the families erred independently of each other
    at_most: float  # whatever they have in common (Bonferroni's inequality)


def false_failures(levels: Sequence[float]) -> Chance:
    """Of a run, if nothing is wrong anywhere. `levels`: for each family the chance of
    failing by mistake; 0.025 for a one-sided gate held at 0.05 two-sided.
    """
    passing = math.prod(1 - level for level in levels)
    return Chance(1 - passing, min(sum(levels), 1.0))
