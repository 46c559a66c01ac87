"""What a gap between groups looks like when group labels mean nothing, and how much of
a gap chance alone adds.

Knows how to shuffle labels without tearing clusters apart. Does not decide anything:
the shuffled gap is printed beside the raw one, decisions rest on intervals.
"""

from collections.abc import Callable

import numpy as np

from specfair.stats.estimate import EXPLORATORY
from specfair.stats.groups import Comparison, columns_of
from specfair.stats.resample import MANY
from specfair.stats.tally import Array, Codes, Sample, divide, sums_by

SHUFFLES = 1_000
# clusters times shuffles, at most: many clusters need fewer shuffles
_CELLS = 3_000_000
_BLOCK = 1_000_000  # clusters times shuffles worked on at a time
_NOISES = 500  # replicates that say how much chance adds to a gap
_HALVINGS = 12  # of the search for the true gap: to 1/4096 of the raw one


def permuted_gaps(sample: Sample, *, logs: bool = False, seed: int = 0) -> Array:
    """The gap (of logarithms) after shuffling labels of whole clusters; within
    templates where clusters are too few.
    """
    rng = np.random.default_rng(seed)
    group, cluster = sample.codes("group"), sample.codes("cluster")
    n_clusters = int(cluster.max()) + 1
    owned, code = sample.once(
        "owned", lambda: np.unique(group * n_clusters + cluster, return_inverse=True)
    )
    shared = n_clusters < len(owned)
    if len(owned) < EXPLORATORY or shared:
        blocks = cluster if shared else sample.codes("template")
        return _gaps(_within(group, blocks, columns_of(sample), rng), logs=logs)
    sums = sums_by(code, columns_of(sample))
    sizes = np.bincount(owned // n_clusters)
    if len(sums) > _CELLS // SHUFFLES and sizes.min() >= MANY:
        return _normal_gaps(sums, sizes, rng, logs=logs)
    places, starts = np.arange(len(sums)), np.cumsum(sizes) - sizes

    def shuffled(n: int) -> Array:
        order = rng.permuted(np.tile(places, (n, 1)), axis=1)
        return np.asarray(np.add.reduceat(sums[order], starts, axis=1))

    return _gaps(_in_blocks(shuffled, len(sums)), logs=logs)


def _normal_gaps(
    sums: Array, sizes: Codes, rng: np.random.Generator, *, logs: bool
) -> Array:
    """The same for thousands of clusters, where a shuffled group's ratio is normal by
    the central limit theorem.

    Shuffling makes all groups' ratios depend on each other by a common part only, which
    cancels in their gap.
    """
    totals = sums.sum(axis=0)
    value = float(divide(totals[0], totals[1]))
    scores = (sums[:, 0] - value * sums[:, 1]) / (totals[1] / len(sums))
    spread = np.sqrt(scores @ scores / (len(sums) - 1) / sizes)
    ratios = rng.standard_normal((SHUFFLES, len(sizes))) * spread
    return np.asarray(np.ptp(ratios / value if logs else ratios, axis=1))


def _within(
    group: Codes, blocks: Codes, columns: Array, rng: np.random.Generator
) -> Array:
    """Totals with labels shuffled among the prompts of each block, so that what a
    template does stays in place.
    """
    n_groups, labels = int(group.max()) + 1, group[np.argsort(blocks, kind="stable")]

    def shuffled(n: int) -> Array:
        order = np.argsort(rng.random((n, len(blocks))) + blocks, axis=1)
        cell = (np.arange(n)[:, None] * n_groups + labels).ravel()
        return sums_by(cell, columns[order].reshape(-1, 2)).reshape(n, n_groups, 2)

    return _in_blocks(shuffled, len(blocks))


def _in_blocks(shuffled: Callable[[int], Array], size: int) -> Array:
    """All shuffles, so many at a time that memory stays bounded: (shuffles,
    groups, 2).
    """
    blocks = np.array_split(
        np.arange(_shuffles(size)), max(1, _shuffles(size) * size // _BLOCK)
    )
    return np.concatenate([shuffled(len(block)) for block in blocks])


def _shuffles(size: int) -> int:
    return int(np.clip(_CELLS // size, SHUFFLES // 5, SHUFFLES))


def _gaps(totals: Array, *, logs: bool) -> Array:
    values = divide(totals[..., 0], totals[..., 1])
    values = np.log(np.where(values > 0, values, np.nan)) if logs else values
    return np.asarray(
        np.nanmax(values, axis=1) - np.nanmin(values, axis=1), dtype=np.float64
    )


def corrected_gap(errors: Comparison, *, logs: bool = False) -> float:
    """The true gap that would on average show the observed one: groups drawn together
    until noise makes up the rest.
    """
    values, noise = errors.values[:, 0], errors.shifts[:_NOISES, :, 0]
    values, noise = (np.log(values), noise / values) if logs else (values, noise)
    centred = values - values.mean()
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        enough = np.ptp(middle * centred + noise, axis=1).mean() > np.ptp(values)
        low, high = (low, middle) if enough else (middle, high)
    return float(low * np.ptp(values))
