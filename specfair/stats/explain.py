"""Why groups differ: harder text or a worse draft, and whether gains follow how often a
group is mentioned.

Knows how to take a difference apart and how to set gains against counts. Does not know
what made the text hard.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit
from scipy.stats import rankdata

from specfair.stats.estimate import Estimate, Part, from_draws, invalid
from specfair.stats.groups import counted
from specfair.stats.lots import REPLICATES, Lots
from specfair.stats.tally import Array, Codes, Sample, sums_by

SHUFFLES = 10_000
BAGS = 1_000  # units of evidence, at most, that are drawn one by one


@dataclass(frozen=True, slots=True)
class Split:
    """total = harder_text + worse_draft, each first group minus second."""

    total: Estimate
    harder_text: Estimate  # the groups' tokens lie in strata of different difficulty
    worse_draft: Estimate  # the draft does differently within the same stratum


def kitagawa(
    sample: Sample, stratum: Codes, *, groups: tuple[str, str], seed: int = 0
) -> Split:
    """Take a difference of two groups apart (Kitagawa 1955). Rows of the sample are
    prompts within strata.
    """
    mine = [sample.group == g for g in groups]
    units = [units_of(sample[rows]) for rows in mine]
    n = int(stratum.max()) + 1
    cells = [
        np.stack(
            [
                cells_of(u * n + stratum[rows], n, w[rows])
                for w in (sample.numerator, sample.denominator)
            ],
            axis=1,
        )
        for u, rows in zip(units, mine, strict=True)
    ]
    return split(
        cells,
        [p for g in groups for p in counted(sample.of(g))],
        groups=groups,
        seed=seed,
    )


def units_of(part: Sample) -> Codes:
    """The unit of evidence of each prompt of one group: cluster, or template, or
    prompt, where there are several.
    """
    labels = next(
        (x for x in (part.cluster, part.template) if len(set(x.tolist())) > 1),
        part.prompt,
    )
    return np.asarray(np.unique(labels, return_inverse=True)[1])


def cells_of(codes: Codes, n_strata: int, counts: Array) -> Array:
    """Sums by unit and stratum, where a code is unit * strata + stratum: (units,
    strata).
    """
    size = (int(codes.max()) // n_strata + 1) * n_strata
    return (
        np.bincount(codes, weights=counts, minlength=size)
        .reshape(-1, n_strata)
        .astype(np.float64)
    )


def split(
    cells: Sequence[Array],
    parts: Sequence[Part],
    *,
    groups: tuple[str, str],
    seed: int = 0,
) -> Split:
    """The same from sums by unit of evidence of both groups: (units, 2, strata)
    each.
    """
    lots = Lots(seed)
    if not all(np.isfinite(c).all() and c[:, 1].sum() > 0 for c in cells):
        nothing = invalid(
            "values are not finite or a group has no tokens", parts, groups=groups
        )
        return Split(nothing, nothing, nothing)
    values = _decompose(*(c.sum(axis=0)[None] for c in cells))[0]
    cells = [_bagged(c, seed) for c in cells]
    again = _decompose(*(np.tensordot(lots.counts(len(c)), c, axes=1) for c in cells))
    df = max(min(len(c) for c in cells) - 1, 1)
    # a t of few clusters has wider tails than their bootstrap, and its variance misses
    # one degree of freedom
    tails = np.sqrt(df / lots.chisquares(df)) * math.sqrt((df + 1) / df)
    draws = values - (again - again.mean(axis=0)) * tails[:, None]
    return Split(
        *(
            from_draws(v, d, parts, groups=groups)
            for v, d in zip(values, draws.T, strict=True)
        )
    )


def _bagged(cells: Array, seed: int) -> Array:
    """Thousands of units put into BAGS bags at random: the bags' scatter tells what the
    units' does, at less cost.
    """
    if len(cells) <= BAGS:
        return cells
    bag = np.random.default_rng(seed).permutation(len(cells)) % BAGS
    return sums_by(bag, cells.reshape(len(cells), -1)).reshape(BAGS, *cells.shape[1:])


def _decompose(a: Array, b: Array) -> Array:
    """(replicates, 2, strata) of two groups to (replicates, 3): total, composition,
    rates.
    """
    shares = [x[:, 1] / x[:, 1].sum(axis=1, keepdims=True) for x in (a, b)]
    pooled = (a[:, 0] + b[:, 0]) / np.maximum(a[:, 1] + b[:, 1], 1e-12)
    # a stratum that one group lacks says nothing about the draft there: both get the
    # rate of those who are in it
    rates = [
        np.where(x[:, 1] > 0, x[:, 0] / np.maximum(x[:, 1], 1e-12), pooled)
        for x in (a, b)
    ]
    harder = ((shares[0] - shares[1]) * (rates[0] + rates[1]) / 2).sum(axis=1)
    worse = ((shares[0] + shares[1]) / 2 * (rates[0] - rates[1])).sum(axis=1)
    return np.stack([harder + worse, harder, worse], axis=-1)


@dataclass(frozen=True, slots=True)
class Trend:
    """Gain against log10(1 + mentions), over groups."""

    slope: Estimate  # gain for each tenfold of mentions
    rank_correlation: float
    p_value: float  # of no association, by permutation of the groups' counts
    n_groups: int


def frequency(
    gains: Mapping[str, Estimate | float], mentions: Mapping[str, int], *, seed: int = 0
) -> Trend:
    """Do groups that a corpus mentions more gain more? Groups, not prompts, are the
    evidence: few, so be modest.
    """
    names = [g for g in gains if g in mentions]
    found = [gains[g] for g in names]
    y = np.array(
        [g.value if isinstance(g, Estimate) else g for g in found], dtype=np.float64
    )
    x = np.log10(1.0 + np.array([mentions[g] for g in names], dtype=np.float64))
    if len(names) < 3 or not np.isfinite(y).all() or np.ptp(x) == 0:
        reason = "a slope needs 3 groups with finite gains and unequal mentions"
        return Trend(invalid(reason), math.nan, math.nan, len(names))
    parts = [Part(g, 0, 1, math.nan) for g in names]
    slope, error = _line(x, y)
    at = (np.arange(REPLICATES) + 0.5) / REPLICATES
    draws = slope + error * stdtrit(len(names) - 2, at)
    line = from_draws(slope, draws, parts, groups=tuple(names))
    line = replace(line, method="Student's t over groups, the unit of evidence")
    shuffled = np.random.default_rng(seed).permuted(
        np.tile(rankdata(x), (SHUFFLES, 1)), axis=1
    )
    ranks = rankdata(y)
    observed = _correlation(rankdata(x)[None], ranks)[0]
    hits = np.count_nonzero(
        np.abs(_correlation(shuffled, ranks)) >= abs(observed) - 1e-12
    )
    return Trend(line, float(observed), (hits + 1) / (SHUFFLES + 1), len(names))


def _line(x: Array, y: Array) -> tuple[float, float]:
    """Least-squares slope and its standard error."""
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    residual = y - y.mean() - slope * centred
    return slope, math.sqrt(
        float(residual @ residual) / (len(x) - 2) / float(centred @ centred)
    )


def _correlation(rows: Array, y: Array) -> Array:
    """Pearson's correlation of each row with y; zero where y does not vary."""
    rows, y = rows - rows.mean(axis=1, keepdims=True), y - y.mean()
    scale = np.sqrt((rows**2).sum(axis=1) * (y @ y))
    return np.where(scale > 0, rows @ y / np.where(scale > 0, scale, 1.0), 0.0)
