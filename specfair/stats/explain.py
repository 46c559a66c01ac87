"""Why groups differ: harder text or a worse draft, and whether gains follow how often a
group is mentioned.

Knows how to take a difference apart and how to set gains against counts. Does not know
what made the text hard.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import rankdata

from specfair.stats.estimate import (
    EXPLORATORY,
    Estimate,
    Part,
    from_t,
    invalid,
)
from specfair.stats.lending import BORROWED
from specfair.stats.tally import Array, Codes, Sample

SHUFFLES = 10_000
_HALVINGS = 50  # of the search for how much groups differ besides


@dataclass(frozen=True, slots=True)
class Split:
    """total = harder_text + worse_draft, each first group minus second."""

    total: Estimate
    harder_text: Estimate  # the groups' tokens lie in strata of different difficulty
    worse_draft: Estimate  # the draft does differently within the same stratum


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


def kitagawa(
    cells: Sequence[Array], parts: Sequence[Part], *, groups: tuple[str, str]
) -> Split:
    """A difference of two groups taken apart (Kitagawa 1955), from counts by unit of
    evidence: (units, 2, strata) each, accepted and all.
    """
    if not all(np.isfinite(c).all() and c[:, 1].sum() > 0 for c in cells):
        nothing = invalid(
            "values are not finite or a group has no tokens", parts, groups=groups
        )
        return Split(nothing, nothing, nothing)
    whole = [c.sum(axis=0)[None] for c in cells]
    values = _decompose(*whole)[0]
    left = [
        _decompose(whole[0] - cells[0], whole[1]) - values,
        _decompose(whole[0], whole[1] - cells[1]) - values,
    ]
    known = [
        _known(scores, c[:, 1].sum(axis=1))
        for scores, c in zip(left, cells, strict=True)
    ]
    several = [p.n_clusters > 1 for p in parts]
    errors = [
        _moderated(known[i], known[1 - i], several=(several[i], several[1 - i]))
        for i in (0, 1)
    ]
    variance = errors[0].variance + errors[1].variance
    shares = (
        errors[0].variance ** 2 / errors[0].df + errors[1].variance ** 2 / errors[1].df
    )
    df = np.clip(variance**2 / np.maximum(shares, 1e-300), 1.0, 1e6)
    parts = [
        replace(p, effective=k.effective) if s else p
        for p, k, s in zip(parts, known, several, strict=True)
    ]
    return Split(
        *(
            from_t(v, e, d, parts=parts, groups=groups)
            for v, e, d in zip(values, np.sqrt(variance), df, strict=True)
        )
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What a group's own units say of the error of each component."""

    variance: Array
    df: float
    effective: float
    per_square: Array  # of a unit's share of the tokens, squared
    squares: float  # of all units' shares, summed


def _known(scores: Array, sizes: Array) -> _Known:
    k, share = len(sizes), sizes / sizes.sum()
    squares = float((share**2).sum())
    variance = (scores**2).sum(axis=0) * (k - 1) / k
    return _Known(variance, 1 / squares - 1, 1 / squares, variance / squares, squares)


def _moderated(mine: _Known, other: _Known, *, several: tuple[bool, bool]) -> _Known:
    """As groups lend each other in a gap: the other group's scatter, at this one's own
    cluster sizes; for a single cluster altogether.
    """
    if not several[1] or (mine.effective >= EXPLORATORY and several[0]):
        return replace(mine, df=max(mine.df, 1.0))
    prior = min(BORROWED, max(other.df, 1.0))
    if not several[0]:
        lent = np.maximum(other.per_square, mine.variance)
        return replace(mine, variance=lent, df=prior)
    lent = other.per_square * mine.squares
    both = mine.df * mine.variance + prior * lent
    return replace(mine, variance=both / (mine.df + prior), df=mine.df + prior)


def _decompose(a: Array, b: Array) -> Array:
    """(replicates, 2, strata) of two groups to (replicates, 3): total, composition,
    rates.
    """
    totals = [np.maximum(x[:, 1].sum(axis=1, keepdims=True), 1e-12) for x in (a, b)]
    shares = [x[:, 1] / total for x, total in zip((a, b), totals, strict=True)]
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


def frequency(gains: Mapping[str, Estimate], mentions: Mapping[str, int]) -> Trend:
    """Do groups that a corpus mentions more gain more? Groups, not prompts, are the
    evidence: few, so be modest. A group weighs by what is known of its gain.
    """
    names = [g for g in gains if g in mentions]
    y = np.array([gains[g].value for g in names], dtype=np.float64)
    x = np.log10(1.0 + np.array([mentions[g] for g in names], dtype=np.float64))
    if len(names) < 3 or not np.isfinite(y).all() or np.ptp(x) == 0:
        reason = "a slope needs 3 groups with finite gains and unequal mentions"
        return Trend(invalid(reason), math.nan, math.nan, len(names))
    known = [sum(p.variance for p in gains[g].parts) for g in names]
    slope, error = _line(x, y, np.nan_to_num(np.array(known)))
    parts = [Part(g, 0, 1, math.nan, "set") for g in names]
    line = from_t(slope, error, len(names) - 2.0, parts=parts, groups=tuple(names))
    line = replace(line, method="Student's t over groups, the unit of evidence")
    shuffled = np.random.default_rng(0).permuted(
        np.tile(rankdata(x), (SHUFFLES, 1)), axis=1
    )
    ranks = rankdata(y)
    observed = _correlation(rankdata(x)[None], ranks)[0]
    hits = np.count_nonzero(
        np.abs(_correlation(shuffled, ranks)) >= abs(observed) - 1e-12
    )
    return Trend(line, float(observed), (hits + 1) / (SHUFFLES + 1), len(names))


def _line(x: Array, y: Array, known: Array) -> tuple[float, float]:
    """The slope and its standard error, each point weighing by its own variance and by
    what groups differ besides (random effects; Knapp and Hartung 2003).
    """
    if not (known > 0).all():
        slope, squares, lever = _fit(x, y, np.ones_like(x))
        return slope, math.sqrt(squares / (len(x) - 2) / lever)
    low, high = 0.0, float(np.ptp(y)) ** 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        more = _fit(x, y, 1 / (known + middle))[1] > len(x) - 2
        low, high = (middle, high) if more else (low, middle)
    slope, squares, lever = _fit(x, y, 1 / (known + low))
    # never surer than the points' own variances allow
    return slope, math.sqrt(max(squares / (len(x) - 2), 1.0) / lever)


def _fit(x: Array, y: Array, weights: Array) -> tuple[float, float, float]:
    """Slope, weighted sum of squares around the line, and what the slope rests on."""
    centred = x - weights @ x / weights.sum()
    lever = float(weights @ centred**2)
    slope = float(weights @ (centred * y)) / lever
    residual = y - weights @ y / weights.sum() - slope * centred
    return slope, float(weights @ residual**2), lever


def _correlation(rows: Array, y: Array) -> Array:
    """Pearson's correlation of each row with y; zero where y does not vary."""
    rows, y = rows - rows.mean(axis=1, keepdims=True), y - y.mean()
    scale = np.sqrt((rows**2).sum(axis=1) * (y @ y))
    return np.where(scale > 0, rows @ y / np.where(scale > 0, scale, 1.0), 0.0)
