"""Several drafts for one target: each reads the same text, and is compared with the
first prompt by prompt, group by group.

The text is the store's. Does not know how the comparison is drawn.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from specfair import stats
from specfair.audit.audit import Audit
from specfair.run.drafts import DraftRow
from specfair.stats import Estimate
from specfair.traces.measured import Measured
from specfair.vocabulary import BASE

METRIC = "speedup_predicted"  # what a draft is chosen by


def draft_rows(audit: Audit) -> Iterator[DraftRow]:
    """The first draft and those it is compared with; none where it stands alone."""
    if not audit.settings.drafts:
        return
    for each in (audit, *audit.rivals):
        yield from _rows(each, audit)


def _rows(audit: Audit, first: Audit) -> Iterator[DraftRow]:
    measured, name = audit.base, audit.identity(BASE).draft_name
    groups = measured.groups(METRIC)
    changes = {} if audit is first else _changes(measured, first.base)
    tested = [changes[group].p_value() for group in groups.by_group if changes]
    corrected = dict(zip(groups.by_group, stats.holm(tested), strict=False))
    for group, found in {"": groups.overall, **groups.by_group}.items():
        change = changes.get(group)
        p_value = change.p_value() if change and not group else np.nan
        yield DraftRow(
            draft=name,
            lookahead=str(measured.lookahead),
            metric=METRIC,
            group=group,
            value=found.value,
            low=found.low,
            high=found.high,
            difference=change.value if change else np.nan,
            difference_low=change.low if change else np.nan,
            difference_high=change.high if change else np.nan,
            p_holm=corrected.get(group, p_value),
            n_prompts=found.n_prompts,
            doubt=audit.doubt(BASE),
            note="; ".join(audit.made.found(BASE).notes),
        )


def _changes(measured: Measured, first: Measured) -> Mapping[str, Estimate]:
    """From the first draft to this one, on the same prompts."""
    before, after = first.sample(METRIC), measured.sample(METRIC)
    return {"": stats.change(before, after), **stats.changes(before, after)}
