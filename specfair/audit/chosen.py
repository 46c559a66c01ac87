"""The prompts that settings choose: filtered, limited, and enough to compare groups.

Knows settings and prompt sets; does not know what is measured with them.
"""

from specfair import config
from specfair.errors import DataError, UsageError, counted, unknown
from specfair.gates import bounds
from specfair.texts import prompts
from specfair.texts.prompts.slicing import sliced


def traced_set(settings: config.Settings) -> prompts.PromptSet:
    """The prompts that are run: those of the chosen groups, by their own groups
    whatever they are compared by.
    """
    found = _whole(settings)
    for group in settings.groups:
        if group not in found.groups:
            raise UsageError(unknown("group", group, found.groups))
    return found.only(settings.groups) if settings.groups else found


def _whole(settings: config.Settings) -> prompts.PromptSet:
    n = settings.prompts_per_group or None
    return prompts.load(
        settings.located.prompts_spec, ambiguous=settings.ambiguous, n_per_group=n
    )


def _compared(settings: config.Settings, found: prompts.PromptSet) -> prompts.PromptSet:
    by = settings.by
    return sliced(found, by, settings.min_prompts) if by else found


def prompt_set(settings: config.Settings) -> prompts.PromptSet:
    """The prompts that the settings name, by what they are compared by; a group nobody
    knows and too few of anything are refused.
    """
    known = _compared(settings, _whole(settings)).groups
    bounds.check_groups(settings.gates, known)
    found = _compared(settings, traced_set(settings))
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
