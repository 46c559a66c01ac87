"""The slices of an audit's prompts: every attribute and every two of them, the slowest
slice first.

Knows which groupings are looked at, that p-values are corrected for all of them
together, and what is stored of many. Does not know how a slice is drawn.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np

from specfair import stats
from specfair.audit.audit import Audit
from specfair.run.rows import CELLS, MANY, SliceRow
from specfair.stats import Slice
from specfair.texts.prompts.slicing import groupings, names_of, slices_of
from specfair.vocabulary import Stage

Names = tuple[str, ...]


def found(audit: Audit, stage: Stage, by: Sequence[str] = ()) -> list[SliceRow]:
    """Every slice of the groupings named, or of all there are. Those with clusters
    enough come first, and of them the lowest shrunken value, which is the slowest: of
    what gates look at, more is better.
    """
    prompts, measured = audit.prompts, audit.measured(stage)
    metric, sample = measured.gated, measured.sample(measured.gated)
    cuts: Iterable[tuple[Names, list[tuple[str, ...]]]] = (
        [(names, slices_of(prompts, names)) for names in map(names_of, by)]
        if by
        else groupings(prompts, names_of(audit.settings.by))
    )
    every: list[tuple[Names, Slice, int, tuple[str, ...]]] = []
    for names, values in cuts:
        labels = np.array(["\0".join(some) for some in values], dtype=np.str_)
        named = dict(zip(labels.tolist(), values, strict=True))
        cut = stats.slices(sample, labels)
        every += [(names, one, len(cut), named[one.ranked.group]) for one in cut]
    tested = [one.p_value for _, one, _, _ in every if not one.exploratory]
    corrected = iter(stats.holm(tested))
    rows = [
        SliceRow(
            stage=stage,
            metric=metric,
            by=names,
            values=values,
            value=one.ranked.value,
            shrunken=one.ranked.shrunken,
            low=one.ranked.low,
            high=one.ranked.high,
            rank_low=one.ranked.rank_low,
            rank_high=one.ranked.rank_high,
            n_slices=n,
            p_holm=np.nan if one.exploratory else next(corrected),
            n_prompts=one.n_prompts,
            n_clusters=one.n_clusters,
        )
        for names, one, n, values in every
    ]
    return sorted(rows, key=_place)


def _place(row: SliceRow) -> tuple[bool, float]:
    return not row.known, row.shrunken


def stored(audit: Audit, stage: Stage) -> list[SliceRow]:
    """What a run keeps of them: all of a grouping, or of thousands the slowest. Nothing
    where prompts have no attributes: groups are compared elsewhere.
    """
    if not audit.prompts.attributes:
        return []
    kept = []
    rows = sorted(found(audit, stage), key=lambda row: row.by)
    for _, some in groupby(rows, key=lambda row: row.by):
        cut = list(some)
        kept += cut if len(cut) <= CELLS else cut[:MANY]
    return sorted(kept, key=_place)
