"""What was asked for: `[tool.specfair]` of pyproject.toml, overridden by options.

Relative places in the file start at the project, on the command line where they were
typed. Knows how an option is overridden; what it means is said with its field.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from specfair import outputs, project
from specfair.config.meant import refuse
from specfair.config.settings import (
    AUTO,
    JUDGED_BY,
    LOOKAHEADS,
    OF_THE_RUN,
    OPTIONS,
    OPTIONS_BY_NAME,
    STORE,
    Settings,
)
from specfair.decoding import Lookahead
from specfair.errors import UsageError, unknown
from specfair.models.kinds import kind_of
from specfair.training.recipe import as_words
from specfair.typed import read_option
from specfair.vocabulary import EMBEDDED

__all__ = [
    "AS_CONFIGURED",
    "AUTO",
    "LOOKAHEADS",
    "OF_THE_RUN",
    "OPTIONS",
    "OPTIONS_BY_NAME",
    "STORE",
    "Settings",
    "load",
    "override",
]

# options under which what is measured, and what it is held to, are the project's own
AS_CONFIGURED = {
    *OF_THE_RUN,
    *("strict", "datasets", "store", "workers", "keep_states"),
}


def load(home: project.Project, overrides: Mapping[str, Any]) -> Settings:
    """The settings of a project, with overrides by option; its bounds and waivers are
    read where gates are known.
    """
    table = {n: value for n, value in home.table.items() if n not in JUDGED_BY}
    settings = override(Settings(root=str(home.root)), table)
    settings = replace(
        settings,
        store=str(home.root / settings.store),
        report=str(home.root / settings.report),
    )
    given, here = {n: v for n, v in overrides.items() if v is not None}, Path.cwd()
    settings = override(settings, given)
    if here != home.root:
        settings = settings.moved(given, here, home.seen)
    outputs.of(settings.report, root=here)  # refuses what is no file's name
    return replace(
        settings, store=str(here / settings.store), report=str(here / settings.report)
    )


def override(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with some values changed, if they can be meant."""
    for name in values:
        if name not in OPTIONS_BY_NAME:
            known = [*OPTIONS_BY_NAME, *JUDGED_BY]
            raise UsageError(unknown("key in [tool.specfair]", name, known))
    said = {name: as_words(value) for name, value in values.items()}
    changes = {n: read_option(OPTIONS_BY_NAME[n], value) for n, value in said.items()}
    if "recipe" in changes:  # a table of keys, of which an option changes some
        changes["recipe"] = settings.recipe + changes["recipe"]
    length = kind_of(changes.get("draft", EMBEDDED)).length
    if length and settings.lookahead == Settings().lookahead:
        changes = {"lookahead": str(Lookahead(length))} | changes
    found = replace(settings, **changes)
    refuse(found, OPTIONS)
    # these refuse what has no meaning
    _ = found.decoding, found.deployed, found.tuning
    return found
