"""Groups side by side: the value of each and the error that counts when they are
compared, or looked at one by one.

Knows which unit of evidence a group has, how templates that groups share are removed
from the noise, and how a group with few clusters borrows the scatter of others. Does
not know which contrasts are asked for.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specfair.stats.estimate import EXPLORATORY, Nothing, Part, listed
from specfair.stats.lots import Lots
from specfair.stats.resample import Drawn, draw, ratios_of, student
from specfair.stats.tally import Array, Codes, Sample, divide, renumbered, sums_by

CHANGE = np.array([-1.0, 1.0])  # after minus before, of two ratios
# share of the counts from which on a group has nobody to be paired with
ALMOST_ALL = 1 - 1e-9
# other groups' scatter weighs like at most so many degrees of freedom of one's own
BORROWED = 8


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Values by group with errors independent of each other; one ratio a group, or two
    (before and after).
    """

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

    def stage(self, i: int) -> "Comparison":
        """One of the two ratios by itself."""
        at = slice(i, i + 1)
        return replace(
            self,
            values=self.values[:, at],
            weights=self.weights[:, at],
            covariances=self.covariances[:, at, at],
            shifts=self.shifts[..., at],
            drawn=self.drawn[..., at, at],
        )

    def of(self, some: slice) -> "Comparison":
        """Only these groups, in the same order."""
        return Comparison(
            self.names[some],
            self.values[some],
            self.weights[some],
            self.covariances[some],
            self.df[some],
            self.shifts[:, some],
            self.drawn[:, some],
            self.parts[some],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """One group's evidence: sums by unit, what the unit is, and by how much removing
    templates shrank the scatter.
    """

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
        return (
            f"{bad.size} of {len(sample)} prompts have values that are not finite "
            f"(NaN), {first!r} first"
        )
    counted = sums_by(sample.codes("group"), columns[:, 1::2])
    empty = [
        g
        for g, sums in zip(sample.groups, counted, strict=True)
        if not (sums > 0).all()
    ]
    return Nothing(f"nothing was counted in {listed(empty)}") if empty else ""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All that is drawn for a sample's groups: once for every question asked of them.
    Or the problem with them.
    """

    sample: Sample
    alone: Comparison | None = None  # errors of each group's own value
    # errors less what groups have in common through shared templates
    between: Comparison | None = None
    problem: str = ""


def gather(
    sample: Sample,
    columns: Array | None = None,
    *,
    seed: int = 0,
    lots: Lots | None = None,
) -> Evidence:
    """Each group's ratios and errors, alone and between groups. `lots` of the same seed
    save drawing them again.
    """
    columns = columns_of(sample) if columns is None else columns
    if problem := problem_of(sample, columns):
        return Evidence(sample, problem=problem)
    lots = Lots(seed) if lots is None else lots.again()
    names, layout = sample.groups, sample.once("layout", lambda: _layout(sample))
    units = [_units(layout, columns, i, paired=False) for i in range(len(names))]
    alone = _drawn(units, range(len(names)), lots)
    first = _side_by_side(names, units, list(alone.values()))
    lone = [i for i, u in enumerate(units) if u.kind != "clusters"]
    if not lone:
        return Evidence(sample, first, first)
    pairs = [
        _units(layout, columns, i, paired=True) if i in set(lone) else units[i]
        for i in range(len(names))
    ]
    between = alone | _drawn(pairs, lone, lots)
    return Evidence(sample, first, _side_by_side(names, pairs, list(between.values())))


def _side_by_side(
    names: tuple[str, ...], units: Sequence[Units], drawn: Sequence[Drawn]
) -> Comparison:
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
    return Part(
        group, units.n_prompts, units.n_clusters, spread, units.kind, units.shrunk < 1
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """Labels as numbers, the same for every metric of the same prompts."""

    group: Codes
    cluster: Codes
    template: Codes
    rows: tuple[Codes, ...]  # of each group
    roams: NDArray[np.bool_]  # by cluster: whether several groups have it
    # of each group's prompts, their clusters numbered without gaps
    own: tuple[Codes, ...]


def _layout(sample: Sample) -> _Layout:
    group, cluster, template = (
        sample.codes(name) for name in ("group", "cluster", "template")
    )
    rows = np.split(
        np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1]
    )
    n_clusters = int(cluster.max()) + 1
    owned = np.unique(group * n_clusters + cluster) % n_clusters
    own = tuple(renumbered(cluster[mine]) for mine in rows)
    return _Layout(group, cluster, template, tuple(rows), np.bincount(owned) > 1, own)


def _units(layout: _Layout, columns: Array, at: int, *, paired: bool) -> Units:
    """Clusters where the group has several of its own, else templates, else prompts."""
    mine, own = layout.rows[at], layout.own[at]
    n, k = len(mine), int(own.max()) + 1
    roaming = np.zeros(k, dtype=bool)
    roaming[own] = layout.roams[layout.cluster[mine]]
    shared = k > 1 and 2 * int(roaming.sum()) > k
    if k > 1 and not shared:
        return Units(sums_by(own, columns[mine]), "clusters", n, k)
    labels = layout.cluster if shared else layout.template
    if len(np.unique(labels[mine])) < 2:
        return Units(columns[mine], "prompts", n, k)
    kind = "shared" if shared else "templates"
    if not paired:
        return Units(sums_by(renumbered(labels[mine]), columns[mine]), kind, n, k)
    sums, share = _without_common(layout, labels, columns, at)
    if share > ALMOST_ALL:
        return Units(sums_by(renumbered(labels[mine]), columns[mine]), kind, n, k)
    return Units(sums, kind, n, k, shrunk=1 - share)


def _without_common(
    layout: _Layout, labels: Codes, columns: Array, at: int
) -> tuple[Array, float]:
    """The group's sums by label less what the label does to all groups alike, and the
    group's own share in that.
    """
    wanted = np.zeros(int(labels.max()) + 1, dtype=bool)
    wanted[labels[layout.rows[at]]] = True
    near = wanted[labels]
    own, codes, groups = (
        layout.group[near] == at,
        renumbered(labels[near]),
        renumbered(layout.group[near]),
    )
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
    """The ratio of the sums over its code, for each entry; 0 where nothing was
    counted.
    """
    sums = sums_by(codes, np.stack([n, d], axis=-1))
    return np.nan_to_num(divide(sums[:, 0], sums[:, 1]))[codes]


def _drawn(units: Sequence[Units], at: Iterable[int], lots: Lots) -> dict[int, Drawn]:
    """The error of each of these groups, moderated by the other groups' clusters where
    it has few of its own.
    """
    lends = np.array([u.kind == "clusters" for u in units])
    df = np.array([len(u.sums) - 1 for u in units])
    # of all groups; needed where some have few clusters only
    scatters: Array | None = None
    found = {}
    for i in at:
        others = lends & (np.arange(len(units)) != i)
        if (
            units[i].n_clusters >= EXPLORATORY
            or units[i].kind == "shared"
            or not df[others].any()
        ):
            found[i] = _alone(units[i], lots)
            continue
        if scatters is None:
            scatters = np.array(
                [n * _scatter(u) for n, u in zip(df, units, strict=True)]
            )
        lent = int(df[others].sum())
        found[i] = _moderated(
            units[i], scatters[others].sum(axis=0) / lent, min(BORROWED, lent), lots
        )
    return found


def _moderated(mine: Units, scatter: Array, lent: int, lots: Lots) -> Drawn:
    """The error where `scatter` of one cluster is known from other groups, worth `lent`
    degrees of freedom.
    """
    values, own = ratios_of(mine.sums)
    if mine.kind == "clusters":
        k = mine.n_clusters
        return student(
            values,
            ((k - 1) * own + lent * scatter / k) / (k - 1 + lent),
            k - 1 + lent,
            lots,
        )
    own = own / mine.shrunk
    alone = scatter if np.trace(scatter) > np.trace(own) else own
    return student(values, alone, min(lent, max(len(mine.sums) - 1, 1)), lots)


def _scatter(units: Units) -> Array:
    return len(units.sums) * ratios_of(units.sums)[1]


def _alone(units: Units, lots: Lots) -> Drawn:
    """The error from the group's own units; groups paired by template share what
    scatter is left between them.
    """
    if units.shrunk == 1:
        return draw(units.sums, lots)
    values, covariance = ratios_of(units.sums)
    return student(
        values, covariance / units.shrunk, (len(units.sums) - 1) * units.shrunk, lots
    )


def counted(sample: Sample) -> tuple[Part, ...]:
    """How many prompts and clusters each group has, where that is all that is known."""
    group, counts = sample.codes("group"), []
    for codes in (sample.codes("prompt"), sample.codes("cluster")):
        size = int(codes.max(initial=0)) + 1
        counts.append(np.bincount(np.unique(group * size + codes) // size))
    return tuple(
        Part(g, int(n), int(k), math.nan, "clusters" if k > 1 else "templates")
        for g, n, k in zip(sample.groups, *counts, strict=True)
    )
