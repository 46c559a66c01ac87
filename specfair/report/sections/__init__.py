"""The sections of a page, each in a file of its own, in reading order."""

from collections.abc import Callable

from specfair.report.blocks import Section
from specfair.report.lookup import Index
from specfair.report.sections.baseline import since_baseline
from specfair.report.sections.before_after import before_after
from specfair.report.sections.causes import causes_of_gaps
from specfair.report.sections.drafts import which_draft
from specfair.report.sections.groups import who_waits
from specfair.report.sections.lookahead import by_lookahead
from specfair.report.sections.mentions import who_gains
from specfair.report.sections.mitigation import mitigation
from specfair.report.sections.slices import within_groups
from specfair.report.sections.swaps import worst_swap
from specfair.report.sections.tokens import confident_mistakes, distributions
from specfair.report.sections.training import over_training
from specfair.report.sections.waits import seconds_waited
from specfair.report.sections.written import what_was_written

# nothing, where the run has nothing to say of it
SECTIONS: tuple[Callable[[Index], Section | None], ...] = (
    before_after,
    who_gains,
    who_waits,
    within_groups,
    which_draft,
    worst_swap,
    seconds_waited,
    what_was_written,
    distributions,
    confident_mistakes,
    by_lookahead,
    causes_of_gaps,
    mitigation,
    over_training,
    since_baseline,
)
