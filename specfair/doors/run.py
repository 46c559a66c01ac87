"""One run of tests, from the first that asks for the fixture to the files it leaves.

Knows pytest's configuration and the audit behind it, and is loaded when one of them is
asked for. Does not know hooks: the plugin does.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pytest

from specfair.audit import holding, record, writing
from specfair.audit.case import Case
from specfair.audit.chosen import prompt_set
from specfair.audit.desk import Desk
from specfair.audit.session import Session
from specfair.config import Settings
from specfair.doors.asked import (
    command_of,
    given,
    project_of,
    selection_of,
    settings_of,
)
from specfair.doors.selecting import case_name, parameters, stage_of
from specfair.errors import SpecfairError, plain
from specfair.gates import kept
from specfair.outputs import without_folders
from specfair.vocabulary import Stage


@dataclass(slots=True)
class Runner:
    """What one process measures, and what became of it."""

    config: pytest.Config
    say: Callable[[str], None]
    session: Session | None = None  # once a test asked for it
    lines: list[str] = field(default_factory=list)  # of the summary
    errors: list[str] = field(default_factory=list)
    lost: bool = False  # whether any result could not be written

    def check_baselines(self) -> None:
        """Refuse now what could only fail when everything has been measured."""
        name, save, update = self._baselines()
        asked = self.config.getoption("specfair_baseline")
        compare = asked if asked is not None else name or None
        if save is not None or update or compare is not None:
            root = project_of(self.config).root
            kept.check_asked(root, compare=compare, save=save, update=update)

    def compares(self) -> bool:
        """Whether there is a baseline to compare with; one that this run is to write
        for the first time is none.
        """
        return kept.is_kept(self._baselines()[0], project_of(self.config).root)

    def groups(self, settings: Settings) -> tuple[str, ...]:
        """Those whose prompts are measured."""
        return prompt_set(settings).groups

    def desk(
        self,
        item: pytest.Item,
        marked: Mapping[str, Any],
        *,
        fail: Callable[[str], NoReturn],
        excuse: Callable[[str], NoReturn],
    ) -> Desk:
        """Where one test works."""
        about = parameters(item)
        named = stage_of(about)
        case = Case(
            case_name(about) or item.name,
            command_of(item),
            Stage.of(named) if named else None,
            about.get("group", ""),
        )
        if self.session is None:
            self.session = Session(settings_of(self.config), say=self.say)
        root = project_of(self.config).root
        return Desk(
            session=self.session,
            case=case,
            root=root,
            marked=marked,
            properties=item.user_properties,
            fail=fail,
            excuse=excuse,
        )

    def part(self, items: list[pytest.Item]) -> list[dict[str, str]]:
        """What this process found, as it is sent to the one that writes, and in which
        order one process would have asked.
        """
        if self.session is None:
            return []
        own = (i for i in items if "specfair" in getattr(i, "fixturenames", ()))
        asked = json.dumps([without_folders(command_of(item)) for item in own])
        found = record.part(self.session) | holding.held_by(self.session)
        return [found | {"asked": asked}]

    def write(
        self, session: pytest.Session, parts: list[dict[str, str]], *, mistaken: bool
    ) -> None:
        """The report of all parts, the baseline if one is asked for, and the lines
        about both; after a mistake, what was not asked is no news.
        """
        chosen = selection_of(session)
        explicit = self.config.getoption("specfair_report") is not None
        settings = settings_of(self.config)
        written = writing.write_parts(
            parts, settings, selection=chosen, chosen=explicit
        )
        self.lines += [*map(plain, project_of(self.config).doubts), *written.lines]
        self.lost = written.lost
        self._tell_junit(written.properties)
        self._unheld(parts, whole=not (chosen or mistaken))
        self._keep_baseline(parts)

    def _baselines(self) -> tuple[str, str | None, bool]:
        """The name to compare with, the name to save, whether to update the first."""
        save = self.config.getoption("specfair_save_baseline")
        update = bool(self.config.getoption("specfair_update_baseline"))
        return settings_of(self.config).baseline, save, update

    def _unheld(self, parts: list[dict[str, str]], *, whole: bool) -> None:
        """Say which bounds were held against nothing; the mistakes among them, where
        the run was whole.
        """
        asked = holding.Demands.of(settings_of(self.config), given(self.config))
        found = holding.unheld(asked, parts)
        wrong = []
        if whole:
            wrong = holding.lines_of_mistakes(found) + holding.idle_waivers(
                asked, parts
            )
        rest = [(rule, mistake) for rule, mistake in found if not (mistake and whole)]
        said = [*(f"ERROR: {line}" for line in wrong), *holding.others(rest)]
        self.lines += map(plain, said)
        self.errors += wrong

    def _tell_junit(self, properties: Mapping[str, str]) -> None:
        """Properties of the whole suite in pytest's JUnit file, which its own hook
        writes after this.
        """
        for plugin in self.config.pluginmanager.get_plugins():
            if hasattr(plugin, "add_global_property"):
                for name, value in properties.items():
                    plugin.add_global_property(name, value)

    def _keep_baseline(self, parts: list[dict[str, str]]) -> None:
        """Save or update the baseline if asked to."""
        configured, save, update = self._baselines()
        name = configured if update else save
        if not name and not update:
            return
        try:
            root = project_of(self.config).root
            said = record.keep_baseline(parts, name or "", root=root, update=update)
            self.lines += map(plain, said)
        except (SpecfairError, OSError) as error:
            self.lines.append(f"ERROR: {plain(str(error))}")
            self.errors.append(str(error))
