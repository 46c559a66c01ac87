"""The prompts that settings choose: filtered, limited, and enough to compare groups.

Knows settings and prompt sets; does not know what is measured with them.
"""

from specfair import config
from specfair.errors import DataError, UsageError, counted, unknown
from specfair.gates import bounds
from specfair.texts import prompts


def prompt_set(settings: config.Settings) -> prompts.PromptSet:
    """The prompts that the settings name, filtered and limited; a group nobody knows is
    refused.
    """
    n = settings.prompts_per_group or None
    found = prompts.load(
        settings.located.prompts_spec, ambiguous=settings.ambiguous, n_per_group=n
    )
    bounds.check_groups(settings.gates, found.groups)
    for group in settings.groups:
        if group not in found.groups:
            raise UsageError(unknown("group", group, found.groups))
    if settings.groups:
        found = found.only(settings.groups)
    found = found.require(settings.min_prompts)
    if len(found.groups) < 2:
        whole, _, part = settings.prompts_spec.partition(":")[0].partition("/")
        another = (
            f"such as {whole!r} with all its parts" if part else "or add groups to it"
        )
        way_out = f"Name another set, {another}."
        if settings.groups:
            way_out = "Name more in --specfair-groups."
        raise DataError(
            f"prompts {settings.prompts_spec!r} have "
            f"{counted(len(found.groups), 'group')}; fairness needs at least 2. "
            f"{way_out}"
        )
    return found
