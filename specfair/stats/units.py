"""What counts as evidence in a group, and the error that its own units show.

Knows clusters, templates and prompts, whether groups share them, and leave-one-out
errors of a ratio of sums. Does not know what groups lend each other, nor what they are
compared for.

Why leave one out: the residuals of a ratio are pulled towards zero by the units that
make it, a large one most. What the ratio would have been without the unit has no such
pull, so the scatter of those is honest however unequal the units are.
"""

from dataclasses import dataclass

import numpy as np

from specfair.stats.estimate import Nothing, Part, some_of
from specfair.stats.tally import Array, Codes, Flags, Sample, renumbered, sums_by

# share of the counts from which on a group has nobody to be paired with
ALMOST_ALL = 1 - 1e-9
_LITTLE = 1e-9  # of a group's counts: what is left when its one unit is left out


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Numerators and denominators of one ratio, or of two, before and after:
    (prompts, ratios) each.
    """

    n: Array
    d: Array

    def __getitem__(self, keep: Flags) -> "Counts":
        return Counts(self.n[keep], self.d[keep])


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Labels as numbers, the same for every metric of the same prompts."""

    group: Codes  # by prompt
    cell: Codes  # of each prompt: its cluster within its group
    cluster: Codes
    template: Codes
    of_cell: Codes  # the group of each cell
    kinds: tuple[str, ...]  # of each group's evidence

    @property
    def n_groups(self) -> int:
        return len(self.kinds)


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """What each group's own units say of its ratios' errors."""

    covariance: Array  # (groups, ratios, ratios)
    df: Array  # (groups,): of freedom, by the effective number of units
    effective: Array  # (groups,): units of equal size that would be worth as much
    thirds: Array  # (groups, ratios): third cumulants of the ratios' errors
    scores: Array  # (units, ratios): by how much a ratio moves without the unit
    of_unit: Codes  # the group of each unit


def counts_of(*samples: Sample) -> Counts:
    """One sample's counts, or two side by side."""
    return Counts(
        np.stack([s.numerator for s in samples], axis=-1),
        np.stack([s.denominator for s in samples], axis=-1),
    )


def problem_of(sample: Sample, counts: Counts) -> str:
    """Why no estimate can be made, or nothing."""
    if len(sample) == 0:
        return "there are no prompts"
    whole = np.isfinite(counts.n) & np.isfinite(counts.d)
    bad = np.flatnonzero(~whole.all(axis=1))
    if bad.size:
        first = str(sample.prompt[bad[0]])
        return (
            f"{bad.size} of {len(sample)} prompts have values that are not finite "
            f"(NaN), {first!r} first"
        )
    least = sums_by(sample.codes("group"), counts.d).min(axis=1)
    empty = [g for g, n in zip(sample.groups, least, strict=True) if not n > 0]
    return Nothing(f"nothing was counted in {some_of(empty)}") if empty else ""


def layout_of(sample: Sample) -> Layout:
    """The labels' layout, made once for all metrics."""
    return sample.once("layout", lambda: _layout(sample))


def _layout(sample: Sample) -> Layout:
    group, cluster, template = (
        sample.codes(name) for name in ("group", "cluster", "template")
    )
    n_clusters = int(cluster.max(initial=0)) + 1
    cells, cell = np.unique(group * n_clusters + cluster, return_inverse=True)
    of_cell, cluster_of = cells // n_clusters, cells % n_clusters
    roams = np.bincount(cluster_of)[cluster_of] > 1
    n_cells = np.bincount(of_cell)
    n_roaming = np.bincount(of_cell, weights=roams)
    size = int(template.max(initial=0)) + 1
    n_templates = np.bincount(np.unique(group * size + template) // size)
    kinds = []
    for k, shared, templates in zip(n_cells, n_roaming, n_templates, strict=True):
        kinds.append(_kind(sample.scope, k, shared=2 * shared > k, templates=templates))
    return Layout(
        group=group,
        cell=cell,
        cluster=cluster,
        template=template,
        of_cell=of_cell,
        kinds=tuple(kinds),
    )


def _kind(scope: str, n_clusters: int, *, shared: bool, templates: int) -> str:
    """The group's unit of evidence: clusters where it has several of its own, else
    templates, else prompts; whatever the scope makes of that.
    """
    if scope == "set":
        return "set"
    if scope == "prompts":
        return "prompts"
    if n_clusters > 1:
        return "shared" if shared else "clusters"
    return "templates" if templates > 1 else "lone"


def ratios_of(layout: Layout, counts: Counts) -> tuple[Array, Array]:
    """Each group's ratios, and its share of all that was counted: (groups, ratios)."""
    n, d = (sums_by(layout.group, c) for c in (counts.n, counts.d))
    return n / d, d


def own_errors(layout: Layout, counts: Counts) -> Own:
    """Leave-one-out errors of every group, by its own unit of evidence."""
    kinds = np.array(layout.kinds)[layout.group]
    # shared problems are units too: in each group by themselves, jointly elsewhere
    label = np.where(np.isin(kinds, ("clusters", "shared")), layout.cell, 0)
    label = np.where(kinds == "templates", layout.template, label)
    alone = np.isin(kinds, ("prompts", "lone", "set"))
    label = np.where(alone, np.arange(len(label)), label)
    units, code = np.unique(
        layout.group * (len(label) + int(label.max()) + 1) + label, return_inverse=True
    )
    of_unit = units // (len(label) + int(label.max()) + 1)
    ratios, totals = ratios_of(layout, counts)
    left = sums_by(code, counts.n - ratios[layout.group] * counts.d)
    weight = sums_by(code, counts.d)
    rest = np.maximum(totals[of_unit] - weight, _LITTLE * totals[of_unit])
    k = sums_by(of_unit, (weight > 0).astype(np.float64)).max(axis=1)
    effective = (totals**2 / sums_by(of_unit, weight**2)).min(axis=1)
    spent, shrink = np.ones(len(k)), (k - 1) / np.maximum(k, 1)
    if "prompts" in layout.kinds:
        left, spent = _within(_strata(layout), left, layout)
        shrink = np.ones(len(k))
    scores = left / rest
    squares = scores[:, :, None] * scores[:, None, :]
    covariance = summed(of_unit, squares) * shrink[:, None, None]
    thirds = sums_by(of_unit, scores**3)
    df = np.maximum(effective - spent, 0.0)
    return Own(
        covariance=covariance,
        df=df,
        effective=effective,
        thirds=thirds,
        scores=scores,
        of_unit=of_unit,
    )


def summed(codes: Codes, blocks: Array) -> Array:
    """Sums of blocks (rows, ...) by code."""
    flat = sums_by(codes, blocks.reshape(len(blocks), -1))
    return flat.reshape(-1, *blocks.shape[1:])


def _strata(layout: Layout) -> Codes:
    """Each prompt's identity, fixed where more prompts are asked about; identities with
    one prompt are taken together, or that prompt with the group's largest identity.
    """
    cell, group = layout.cell, layout.group
    sizes = np.bincount(cell)
    single = sizes[cell] == 1
    n_single = np.bincount(group[single], minlength=layout.n_groups)
    largest = np.full(layout.n_groups, -1)
    order = np.argsort(sizes, kind="stable")
    largest[layout.of_cell[order]] = order
    together = len(sizes) + group
    joined = np.where(n_single[group] == 1, largest[group], together)
    return renumbered(np.where(single, joined, cell))


def _within(stratum: Codes, left: Array, layout: Layout) -> tuple[Array, Array]:
    """Residuals of prompts less their stratum's mean, scaled up for that, and how many
    strata each group has.
    """
    sizes = np.bincount(stratum)
    centred = left - (sums_by(stratum, left) / sizes[:, None])[stratum]
    scale = np.sqrt(sizes / np.maximum(sizes - 1, 1))[stratum]
    first = np.unique(stratum, return_index=True)[1]
    n_strata = np.bincount(layout.group[first], minlength=layout.n_groups)
    return centred * scale[:, None], n_strata.astype(np.float64)


def without_common(layout: Layout, counts: Counts) -> tuple[Counts, Array]:
    """Counts less what a template does to all groups alike, and the share of itself
    that each group has thereby lost: (groups,).

    A template's common effect is the mean residual of all who have it. A group is part
    of that mean, so its own scatter shrinks by its share; errors are scaled back up.
    """
    group, template = layout.group, layout.template
    ratios, totals = ratios_of(layout, counts)
    residual = counts.n - ratios[group] * counts.d
    by_template = sums_by(template, residual), sums_by(template, counts.d)
    common = by_template[0] / np.maximum(by_template[1], 1e-300)
    size = int(template.max()) + 1
    owners = np.bincount(np.unique(group * size + template) % size)
    common[owners < 2] = 0.0  # nobody to pair with
    pairs = np.unique(group * size + template)
    near = sums_by(pairs // size, by_template[1][pairs % size])
    share = (totals / near)[:, 0]
    share[share > ALMOST_ALL] = 0.0
    mine = (share > 0)[group]
    n = np.where(mine[:, None], counts.n - common[template] * counts.d, counts.n)
    return Counts(n, counts.d), share


def counted_by_group(sample: Sample) -> tuple[Part, ...]:
    """How many prompts and clusters each group has, where that is all that is known."""
    group, counts = sample.codes("group"), []
    for codes in (sample.codes("prompt"), sample.codes("cluster")):
        size = int(codes.max(initial=0)) + 1
        counts.append(np.bincount(np.unique(group * size + codes) // size))
    return tuple(
        Part(g, int(n), int(k), np.nan, "clusters" if k > 1 else "templates")
        for g, n, k in zip(sample.groups, *counts, strict=True)
    )
