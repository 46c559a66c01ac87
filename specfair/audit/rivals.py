"""Several drafts for one target: each reads the same text, and is compared with the
first prompt by prompt, group by group.

Knows which drafts are asked about. The text is the store's; a draft's own lookahead is
the usual one for its kind. Does not know how the comparison is drawn.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from specfair import stats
from specfair.audit.audit import Audit
from specfair.decoding import Lookahead
from specfair.models.kinds import kind_of
from specfair.run.drafts import DraftRow
from specfair.stats import Estimate
from specfair.traces.measured import Measured
from specfair.vocabulary import BASE

METRIC = "speedup_predicted"  # what a draft is chosen by


def draft_rows(audit: Audit) -> Iterator[DraftRow]:
    """The first draft and those it is compared with; none where it stands alone."""
    if not audit.settings.drafts:
        return
    yield from _rows(audit, audit)
    for draft in audit.settings.drafts:
        ahead = audit.settings.lookahead
        if ahead == _usual(audit.settings.draft):
            ahead = _usual(draft)
        alone = replace(audit.settings, draft=draft, drafts=(), lookahead=ahead)
        yield from _rows(Audit(alone, audit.say), audit)


def _usual(draft: str) -> str:
    """The lookahead where none is asked for."""
    length = kind_of(draft).length
    return str(Lookahead(length) if length else Lookahead())


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
        )


def _changes(measured: Measured, first: Measured) -> Mapping[str, Estimate]:
    """From the first draft to this one, on the same prompts."""
    before, after = first.sample(METRIC), measured.sample(METRIC)
    return {"": stats.change(before, after), **stats.changes(before, after)}
