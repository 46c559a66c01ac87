"""One worker of several, in a process of its own: an open pair that is asked from
elsewhere.

Knows which pair is open, and keeps what is told of progress until somebody looks. It
does not know who asks, nor Ray.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from specfair.errors import UsageError
from specfair.models.identity import Choice, Identity, versions

if TYPE_CHECKING:
    from specfair.audit.work import Work

Opening: TypeAlias = Callable[[Choice], AbstractContextManager["Work"]]


class Hand:
    """It keeps the pair open that it was asked about last."""

    def __init__(self, home: str, opening: Opening) -> None:
        with suppress(OSError):
            os.chdir(home)  # relative places start there
        self._opening, self._closing = opening, ExitStack()
        self._choice: Choice | None = None
        self._work: Work | None = None
        self._seen: list[tuple[Any, ...]] = []

    def ready(self, needed: Mapping[str, str]) -> None:
        """A result is stored under the versions of who asked for it."""
        here = versions()
        for name, version in needed.items():
            if here[name] != version:
                raise UsageError(
                    f"a worker has {name} {here[name]}, this process {version}; "
                    "results depend on it. Install the same on all nodes."
                )

    def told(self) -> list[tuple[Any, ...]]:
        """How far it has come with what it does, since it was asked last."""
        told, self._seen = self._seen, []
        return told

    def do(
        self,
        choice: Choice,
        what: str,
        given: tuple[Any, ...],
        named: dict[str, Any],
        *,
        watched: bool,
    ) -> tuple[Identity, Any]:
        """One thing that an open pair can do, and which pair did it."""
        self._seen = []
        work = self._opened(choice)
        found = getattr(work, what)
        if watched:
            named = named | {"progress": self._note}
        return work.identity, found(*given, **named) if callable(found) else found

    def _opened(self, choice: Choice) -> "Work":
        if self._work is None or choice != self._choice:
            self._work = None  # or both pairs would be in memory
            self._closing.close()
            self._work = self._closing.enter_context(self._opening(choice))
            self._choice = choice
        return self._work

    def _note(self, *seen: Any) -> None:
        self._seen.append(seen)
