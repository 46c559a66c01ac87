"""Groups side by side: the value of each and the error that counts when they are
compared, or looked at one by one.

Knows which error a group's own units show, when it is averaged with what others lend,
and how templates or problems that groups share are taken out of comparisons. Does not
know which contrasts are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from specfair.stats.errors import CHANGE, EXACT, Errors
from specfair.stats.estimate import known_scope
from specfair.stats.lending import components_of, prior_df
from specfair.stats.tally import Array, Flags, Sample
from specfair.stats.units import (
    Counts,
    Layout,
    Own,
    counted_by_group,
    counts_of,
    layout_of,
    own_errors,
    problem_of,
    ratios_of,
    without_common,
)

LONE = ("templates", "lone")  # kinds of evidence of a group with one identity


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All that is known of a sample's groups: once for every question asked of them. Or
    the problem with them.
    """

    sample: Sample
    alone: Errors | None = None  # errors of each group's own value
    # errors less what groups have in common through shared templates
    between: Errors | None = None
    problem: str = ""


def gather(sample: Sample, after: Sample | None = None) -> Evidence:
    """Each group's ratio and its error, alone and between groups; or two ratios, before
    and after, of samples in the same order.
    """
    samples = (sample,) if after is None else (sample, after)
    counts = counts_of(*samples)
    if problem := problem_of(sample, counts):
        return Evidence(sample, problem=problem)
    layout = layout_of(sample)
    nothing_lost = np.zeros(layout.n_groups)
    alone = _errors(samples, layout, counts, nothing_lost)
    lone = np.isin(np.array(layout.kinds), ("templates", "prompts"))
    if not lone.any() or np.ptp(layout.template) == 0:
        return Evidence(sample, alone, alone)
    paired, lost = without_common(layout, counts)
    n = np.where(lone[layout.group][:, None], paired.n, counts.n)
    between = _errors(samples, layout, Counts(n, counts.d), np.where(lone, lost, 0.0))
    return Evidence(sample, alone, replace(between, values=alone.values))


def _errors(
    samples: Sequence[Sample], layout: Layout, counts: Counts, lost: Array
) -> Errors:
    """`lost`: by how much each group's scatter has shrunk."""
    values, totals = ratios_of(layout, counts)
    own = own_errors(layout, counts)
    own.covariance[:] /= (1 - lost)[:, None, None]
    own.df[:] *= 1 - lost
    joint = None
    if samples[0].scope == "set":
        covariances = np.zeros_like(own.covariance)  # all there is: nothing is sampled
        df = np.full(layout.n_groups, EXACT)
    else:
        covariances, df = _moderated(layout, counts, own)
        covariances = _floored(layout, counts, covariances)
        if layout.kinds.count("shared") > 1:
            joint = _joint(layout, own, covariances)
    slope = np.array([1.0]) if values.shape[1] == 1 else CHANGE
    variances = np.einsum("r,grs,s->g", slope, covariances, slope)
    parts = []
    for i, part in enumerate(counted_by_group(samples[0])):
        kind = layout.kinds[i]
        parts.append(
            replace(
                part,
                variance=float(variances[i]),
                unit="prompts" if kind == "lone" else kind,
                paired=bool(lost[i] > 0),
                effective=1.0 if kind in LONE else float(own.effective[i]),
            )
        )
    return Errors(
        names=samples[0].groups,
        values=values,
        weights=totals / totals.sum(axis=0),
        covariances=covariances,
        df=df,
        skews=_skews(own),
        parts=tuple(parts),
        joint=joint,
        scope=known_scope(samples[0].scope),
    )


def _skews(own: Own) -> Array:
    """Each group's skew, as that of all groups together would be at its size: one group
    has too few units to tell its own. Of a change there is none to speak of.
    """
    if own.thirds.shape[1] > 1:
        return np.zeros(len(own.df))
    roots, scale = np.sqrt(own.effective), np.sqrt(own.covariance[:, 0, 0])
    common = roots**4 @ own.thirds[:, 0] / max(float(roots**3 @ scale**3), 1e-300)
    return np.asarray(common / roots)


def _moderated(layout: Layout, counts: Counts, own: Own) -> tuple[Array, Array]:
    """Each group's error and its degrees of freedom: averaged with what others lend,
    which matters the less the more clusters it has; lent altogether where it has one.

    A rate that is too high by luck scatters too little by the same luck; what others
    lend knows nothing of it, so the surest groups are not surest by mistake.
    """
    kinds = np.array(layout.kinds)
    covariances, df = own.covariance.copy(), np.maximum(own.df, 1.0)
    lone, needy = np.isin(kinds, LONE), np.isin(kinds, ("clusters", "prompts"))
    lends: Flags = needy & (own.df > 0)
    if not lends.any():
        return covariances, df
    lent = components_of(layout, counts).lent(layout, counts)
    worth = prior_df(own, lent, lends)
    for i in np.flatnonzero(needy | lone):
        others = float(own.df[lends].sum() - lends[i] * own.df[i])
        prior = min(worth, others)
        if prior > 0 and lone[i]:
            if np.trace(lent[i]) > np.trace(own.covariance[i]):
                covariances[i] = lent[i]
            df[i] = max(min(prior, own.df[i]), 1.0)
        elif prior > 0:
            both = own.df[i] * own.covariance[i] + prior * lent[i]
            covariances[i] = both / (own.df[i] + prior)
            df[i] = max(own.df[i] + prior, 1.0)
    return covariances, df


def _floored(layout: Layout, counts: Counts, covariances: Array) -> Array:
    """Never an error of nothing: where no unit differs from another, as if one count in
    the whole group had come out otherwise.

    Two ratios that are the same prompt by prompt would have moved together.
    """
    totals = ratios_of(layout, counts)[1]
    least = 1 / totals[:, :, None] / totals[:, None, :]
    together = np.ones(layout.n_groups, dtype=np.bool_)
    if totals.shape[1] == 2:
        moved = (np.diff(counts.n) != 0) | (np.diff(counts.d) != 0)
        together = np.bincount(layout.group, moved[:, 0]) == 0
        least = np.where(together[:, None, None], least, least * np.eye(2))
    still = np.trace(covariances, axis1=1, axis2=2) < 1e-6 * np.trace(
        least, axis1=1, axis2=2
    )
    return np.where(still[:, None, None], least, covariances)


def _joint(layout: Layout, own: Own, covariances: Array) -> Array:
    """Errors of groups that share problems, by leaving out each problem in all of them
    at once; errors of others stand by themselves.
    """
    n_groups, n_ratios = covariances.shape[:2]
    joint = np.zeros((n_groups, n_ratios, n_groups, n_ratios))
    at = np.arange(n_groups)
    joint[at, :, at, :] = covariances
    shared: Flags = np.array(layout.kinds) == "shared"
    first = np.unique(layout.cell, return_index=True)[1]
    of_cell = layout.cluster[first]
    # units of shared groups are their cells, in the order of cells
    mine = shared[layout.of_cell]
    scores = np.zeros((int(of_cell.max()) + 1, n_groups, n_ratios))
    scores[of_cell[mine], layout.of_cell[mine]] = own.scores[shared[own.of_unit]]
    some = np.flatnonzero(shared)
    flat = scores[:, some].reshape(len(scores), -1)
    k = len(np.unique(of_cell[mine]))
    found = (flat.T @ flat * (k - 1) / k).reshape(len(some), n_ratios, len(some), -1)
    ratios = np.arange(n_ratios)
    joint[np.ix_(some, ratios, some, ratios)] = found
    return joint
