"""How much longer the slowest group waits for 100 tokens, by this machine's clock.

Knows what was timed, and predicts the same from the replay. Times nothing itself.
"""

import math
from collections.abc import Iterator

from specfair.audit.audit import Audit
from specfair.engine.timing import Times
from specfair.run.closer import WaitRow
from specfair.traces.groups import Groups
from specfair.vocabulary import Stage


def wait_rows(audit: Audit) -> Iterator[WaitRow]:
    """Of the stages that were timed."""
    for stage, times in audit.timed.items():
        for quantity, sample in (("seconds", times.seconds), ("joules", times.energy)):
            if sample is None or len(times.groups) < 2:
                continue
            groups = Groups(sample.within(audit.settings.scope), quantity)
            gap = groups.difference()
            if len(gap.groups) != 2:
                continue
            fast, slow = gap.groups
            of = {name: e.value for name, e in groups.by_group.items()}
            predicted = _predicted(audit, stage, times)
            more = math.nan
            if quantity == "seconds":
                more = predicted[slow] - predicted[fast]
            yield WaitRow(
                stage=stage,
                quantity=quantity,
                slow=slow,
                fast=fast,
                value=gap.value,
                low=gap.low,
                high=gap.high,
                of_slow=of[slow],
                of_fast=of[fast],
                predicted=more,
            )


def _predicted(audit: Audit, stage: Stage, times: Times) -> dict[str, float]:
    """Seconds of the target alone over each group's predicted speed-up."""
    found = audit.measured(stage).groups("speedup_predicted").by_group
    return {name: times.alone_seconds / e.value for name, e in found.items()}
