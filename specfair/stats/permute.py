"""What a gap between groups looks like when group labels mean nothing, and how much of a gap chance alone adds.

Knows how to shuffle labels without tearing clusters apart. Does not decide anything: the shuffled gap is printed beside
the raw one, decisions rest on intervals.
"""

import numpy as np

from specfair.stats.estimate import EXPLORATORY
from specfair.stats.groups import Comparison, columns_of
from specfair.stats.tally import Array, Codes, Sample, codes_of, divide, sums_by

SHUFFLES = 1_000
_CELLS = 3_000_000  # clusters times shuffles, at most: many clusters need fewer shuffles
_NOISES = 500  # replicates that say how much chance adds to a gap
_HALVINGS = 12  # of the search for the true gap: to 1/4096 of the raw one


def permuted_gaps(sample: Sample, *, logs: bool = False, seed: int = 0) -> Array:
    """The gap (of logarithms) after shuffling labels of whole clusters; within templates where clusters are too few."""
    rng = np.random.default_rng(seed)
    group, cluster = codes_of(sample.group), codes_of(sample.cluster)
    n_clusters = int(cluster.max()) + 1
    owned, code = np.unique(group * n_clusters + cluster, return_inverse=True)
    shared = n_clusters < len(owned)
    if len(owned) < EXPLORATORY or shared:
        blocks = cluster if shared else codes_of(sample.template)
        return _gaps(_within(group, blocks, columns_of(sample), rng), logs=logs)
    sums = sums_by(code, columns_of(sample))
    order = rng.permuted(np.tile(np.arange(len(sums)), (_shuffles(len(sums)), 1)), axis=1)
    sizes = np.bincount(owned // n_clusters)
    return _gaps(np.add.reduceat(sums[order], np.cumsum(sizes) - sizes, axis=1), logs=logs)


def _within(group: Codes, blocks: Codes, columns: Array, rng: np.random.Generator) -> Array:
    """Totals with labels shuffled among the prompts of each block, so that what a template does stays in place."""
    member = np.eye(int(group.max()) + 1)[group[np.argsort(blocks, kind="stable")]]  # (prompts, groups)
    order = np.argsort(rng.random((_shuffles(len(blocks)), len(blocks))) + blocks, axis=1)
    return np.asarray(np.einsum("pg,spc->sgc", member, columns[order]))


def _shuffles(size: int) -> int:
    return int(np.clip(_CELLS // size, SHUFFLES // 5, SHUFFLES))


def _gaps(totals: Array, *, logs: bool) -> Array:
    values = divide(totals[..., 0], totals[..., 1])
    values = np.log(np.where(values > 0, values, np.nan)) if logs else values
    return np.asarray(np.nanmax(values, axis=1) - np.nanmin(values, axis=1), dtype=np.float64)


def corrected_gap(errors: Comparison, *, logs: bool = False) -> float:
    """The true gap that would on average show the observed one: groups drawn together until noise makes up the rest."""
    values, noise = errors.values[:, 0], errors.shifts[:_NOISES, :, 0]
    values, noise = (np.log(values), noise / values) if logs else (values, noise)
    centred = values - values.mean()
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        enough = np.ptp(middle * centred + noise, axis=1).mean() > np.ptp(values)
        low, high = (low, middle) if enough else (middle, high)
    return float(low * np.ptp(values))
