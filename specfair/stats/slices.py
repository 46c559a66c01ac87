"""Many slices of the same prompts: how slow each is once luck is taken out, and whether
it differs from all the others.

Knows slices by label. Each is taken by itself: one cluster in several of them counts as
a unit of evidence in each, which overstates the error between two that share it, and
understates, by little, that of all the others together. Does not know which groupings
are looked at, nor corrects for that they are several.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr

from specfair.stats.errors import Errors
from specfair.stats.groups import gather
from specfair.stats.ranks import Ranked, ranked
from specfair.stats.tally import Labels, Sample, codes_of


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice among the others of its grouping."""

    ranked: Ranked
    p_value: float  # against all others; NaN where it has too few clusters to accuse
    n_prompts: int
    n_clusters: int
    exploratory: bool


def slices(sample: Sample, labels: Labels) -> list[Slice]:
    """Every slice with a label, the lowest shrunken value first; empty where nothing
    can be compared.
    """
    counted = np.bincount(codes_of(labels), sample.denominator)[codes_of(labels)]
    kept = (labels != "") & (counted > 0)
    some, own = sample[kept], labels[kept]
    cells = np.char.add(np.char.add(own, "\0"), some.cluster)
    evidence = gather(replace(some, group=own, cluster=cells, known={}))
    if evidence.between is None:
        return []
    errors = evidence.between
    known = dict(
        zip(errors.names, zip(errors.parts, _apart(errors), strict=True), strict=True)
    )
    found = []
    for one in ranked(evidence):
        part, p = known[one.group]
        few = part.exploratory
        found.append(
            Slice(one, np.nan if few else p, part.n_prompts, part.n_clusters, few)
        )
    return found


def _apart(errors: Errors) -> list[float]:
    """Two-sided p-values of each slice against the rest of the prompts."""
    x, v, w = errors.values[:, 0], errors.covariances[:, 0, 0], errors.weights[:, 0]
    shares = w**2 * v
    rest = 1 - w
    apart = x - (w @ x - w * x) / rest
    others = (shares.sum() - shares) / rest**2
    lost = (shares**2 / errors.df).sum() - shares**2 / errors.df
    df = (v + others) ** 2 / (v**2 / errors.df + lost / rest**4)
    t = apart / np.sqrt(v + others)
    found: list[float] = (2 * stdtr(df, -np.abs(t))).tolist()
    return found
