"""Groups side by side: the value of each and the error that counts when they are compared, or looked at one by one.

Knows which unit of evidence a group has, how templates that groups share are removed from the noise, and how a group
with few clusters borrows the scatter of others. Does not know which contrasts are asked for.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from specfair.stats.estimate import EXPLORATORY, Part
from specfair.stats.resample import Drawn, draw, ratios_of, student
from specfair.stats.tally import Array, Codes, Labels, Sample, codes_of, divide, sums_by

CHANGE = np.array([-1.0, 1.0])  # after minus before, of two ratios
BORROWED = 8  # other groups' scatter weighs like at most so many degrees of freedom of one's own


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Values by group with errors independent of each other; one ratio a group, or two (before and after)."""

    names: tuple[str, ...]
    values: Array  # (groups, ratios)
    weights: Array  # (groups, ratios): shares of the denominators
    covariances: Array  # (groups, ratios, ratios)
    df: Array  # (groups,)
    shifts: Array  # (replicates, groups, ratios)
    drawn: Array  # (replicates, groups, ratios, ratios)
    parts: tuple[Part, ...]

    def parts_of(self, groups: Iterable[str]) -> tuple[Part, ...]:
        wanted = set(groups)
        return tuple(p for p in self.parts if p.group in wanted)


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """One group's evidence: sums by unit, what the unit is, and by how much removing templates shrank the scatter."""

    sums: Array  # (units, 2 * ratios)
    kind: str  # "clusters", "shared", "templates" or "prompts"
    n_prompts: int
    n_clusters: int
    shrunk: float = 1.0


def columns_of(*samples: Sample) -> Array:
    """Numerators and denominators side by side: (prompts, 2 * samples)."""
    return np.stack([c for s in samples for c in (s.numerator, s.denominator)], axis=-1)


def problem_of(sample: Sample, columns: Array) -> str:
    """Why no estimate can be made, or nothing."""
    if len(sample) == 0:
        return "there are no prompts"
    bad = np.flatnonzero((~np.isfinite(columns)).any(axis=1))
    if bad.size:
        first = str(sample.prompt[bad[0]])
        return f"{bad.size} of {len(sample)} prompts have values that are not finite (NaN), {first!r} first"
    empty = [g for g in sample.groups if not (columns[sample.group == g, 1::2].sum(axis=0) > 0).all()]
    return f"nothing was counted in {', '.join(empty)} (zero denominator)" if empty else ""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All that is drawn for a sample's groups: once for every question asked of them. Or the problem with them."""

    sample: Sample
    alone: Comparison | None = None  # errors of each group's own value
    between: Comparison | None = None  # errors less what groups have in common through shared templates
    problem: str = ""


def gather(sample: Sample, columns: Array | None = None, *, seed: int = 0) -> Evidence:
    """Each group's ratios and errors, alone and between groups."""
    columns = columns_of(sample) if columns is None else columns
    if problem := problem_of(sample, columns):
        return Evidence(sample, problem=problem)
    rng = np.random.default_rng(seed)
    names = sample.groups
    units = [_units(sample, columns, group, paired=False) for group in names]
    alone = [_drawn(units, i, rng) for i in range(len(names))]
    first = _side_by_side(names, units, alone)
    lone = [i for i, u in enumerate(units) if u.kind != "clusters"]
    if not lone:
        return Evidence(sample, first, first)
    pairs = [_units(sample, columns, g, paired=True) if i in lone else units[i] for i, g in enumerate(names)]
    between = [_drawn(pairs, i, rng) if i in lone else alone[i] for i in range(len(names))]
    return Evidence(sample, first, _side_by_side(names, pairs, between))


def _side_by_side(names: tuple[str, ...], units: Sequence[Units], drawn: Sequence[Drawn]) -> Comparison:
    totals = np.array([u.sums.sum(axis=0) for u in units])
    return Comparison(
        names=names,
        values=np.array([d.values for d in drawn]),
        weights=totals[:, 1::2] / totals[:, 1::2].sum(axis=0),
        covariances=np.array([d.covariance for d in drawn]),
        df=np.array([d.df for d in drawn]),
        shifts=np.stack([d.shifts for d in drawn], axis=1),
        drawn=np.stack([d.covariances for d in drawn], axis=1),
        parts=tuple(_part(*each) for each in zip(names, units, drawn, strict=True)),
    )


def _part(group: str, units: Units, drawn: Drawn) -> Part:
    slope = np.array([1.0]) if len(drawn.values) == 1 else CHANGE
    spread = float(slope @ drawn.covariance @ slope)
    return Part(group, units.n_prompts, units.n_clusters, spread, units.kind, units.shrunk < 1)


def _units(sample: Sample, columns: Array, group: str, *, paired: bool) -> Units:
    """Clusters where the group has several of its own, else templates, else prompts."""
    mine = sample.group == group
    own, elsewhere = sample.cluster[mine], set(sample.cluster[~mine].tolist())
    distinct = set(own.tolist())
    n, k = int(mine.sum()), len(distinct)
    shared = k > 1 and 2 * len(distinct & elsewhere) > k
    if k > 1 and not shared:
        return Units(sums_by(codes_of(own), columns[mine]), "clusters", n, k)
    labels = sample.cluster if shared else sample.template
    if len(set(labels[mine].tolist())) < 2:
        return Units(columns[mine], "prompts", n, k)
    kind = "shared" if shared else "templates"
    if not paired:
        return Units(sums_by(codes_of(labels[mine]), columns[mine]), kind, n, k)
    sums, share = _without_common(sample.group, labels, columns, mine)
    return Units(sums, kind, n, k, shrunk=1 - share)


def _without_common(group: Labels, labels: Labels, columns: Array, mine: Array) -> tuple[Array, float]:
    """The group's sums by label less what the label does to all groups alike, and the group's own share in that."""
    near = np.isin(labels, labels[mine])
    own, codes, groups = mine[near], codes_of(labels[near]), codes_of(group[near])
    sums = sums_by(codes[own], columns[near][own])
    if own.all():
        return sums, 0.0  # nobody to pair with
    share = 0.0
    for i in range(0, columns.shape[1], 2):
        n, d = columns[near, i], columns[near, i + 1]
        share = float(d[own].sum() / d.sum())
        sums[:, i] -= share * np.bincount(codes, n - _ratios_by(groups, n, d) * d)
    return sums, share


def _ratios_by(codes: Codes, n: Array, d: Array) -> Array:
    """The ratio of the sums over its code, for each entry; 0 where nothing was counted."""
    sums = sums_by(codes, np.stack([n, d], axis=-1))
    return np.nan_to_num(divide(sums[:, 0], sums[:, 1]))[codes]


def _drawn(units: Sequence[Units], at: int, rng: np.random.Generator) -> Drawn:
    """The group's own error, moderated by the other groups' clusters where it has few of its own."""
    mine = units[at]
    if mine.n_clusters >= EXPLORATORY or mine.kind == "shared":
        return _alone(mine, rng)
    others = [u for i, u in enumerate(units) if i != at and u.kind == "clusters"]
    df = sum(len(u.sums) - 1 for u in others)
    if df == 0:
        return _alone(mine, rng)
    scatter = np.sum([(len(u.sums) - 1) * _scatter(u) for u in others], axis=0) / df  # of one cluster
    values, own = ratios_of(mine.sums)
    lent = min(BORROWED, df)
    if mine.kind == "clusters":
        k = mine.n_clusters
        return student(values, ((k - 1) * own + lent * scatter / k) / (k - 1 + lent), k - 1 + lent, rng)
    own = own / mine.shrunk
    alone = scatter if np.trace(scatter) > np.trace(own) else own
    return student(values, alone, min(lent, max(len(mine.sums) - 1, 1)), rng)


def _scatter(units: Units) -> Array:
    return len(units.sums) * ratios_of(units.sums)[1]


def _alone(units: Units, rng: np.random.Generator) -> Drawn:
    """The error from the group's own units; groups paired by template share what scatter is left between them."""
    if units.shrunk == 1:
        return draw(units.sums, rng)
    values, covariance = ratios_of(units.sums)
    return student(values, covariance / units.shrunk, (len(units.sums) - 1) * units.shrunk, rng)


def counted(sample: Sample) -> tuple[Part, ...]:
    """How many prompts and clusters each group has, where that is all that is known."""
    mine = {g: sample.group == g for g in sample.groups}
    counts = {g: [len(set(labels[m].tolist())) for labels in (sample.prompt, sample.cluster)] for g, m in mine.items()}
    return tuple(Part(g, n, k, math.nan, "clusters" if k > 1 else "templates") for g, (n, k) in counts.items())
