"""The project a run belongs to: the folder whose pyproject.toml holds [tool.specfair],
and that table.

Knows where to look and what a misspelt table looks like. Does not know what the keys
mean, and loads nothing heavy.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from specfair.errors import UsageError

FILE = "pyproject.toml"
TABLE = "specfair"
_ALIKE = 0.8  # of difflib: "specfiar" and "spec_fair" are, "spectral" is not


class Project(NamedTuple):
    """A folder, what its file says, and tables that were probably meant."""

    root: Path
    table: Mapping[str, Any] = MappingProxyType({})
    suspects: tuple[str, ...] = ()

    @property
    def doubts(self) -> tuple[str, ...]:
        """A line for every table that looks like a misspelt one: nothing in it is
        read.
        """
        return tuple(
            (
                f"{FILE} has [tool.{name}], which nothing reads; if [tool.{TABLE}] "
                "was meant, rename it"
            )
            for name in self.suspects
        )


def find(start: Path) -> Project:
    """The nearest folder at or above whose file has the table, or seems to; else the
    nearest with a file, else `start`.

    A file without the table is passed over: in a repository of several packages each
    has one.
    """
    found = [
        read(place) for place in (start, *start.parents) if (place / FILE).is_file()
    ]
    return next(
        (p for p in found if p.table or p.suspects),
        found[0] if found else Project(start),
    )


def find_for(places: Iterable[Path]) -> Project:
    """The project of the folder that all these paths have in common."""
    common = Path(os.path.commonpath([p.absolute() for p in places]))
    return find(common if common.is_dir() else common.parent)


def read(root: Path) -> Project:
    """The project in this very folder."""
    import difflib
    import tomllib

    path = root / FILE
    if not path.is_file():
        return Project(root)
    try:
        tools = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    # numbers of thousands of digits among them
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{FILE} is not valid TOML: {error}. Mend it and run again."
        ) from error
    except OSError as error:
        raise UsageError(
            f"{FILE} cannot be read ({error.strerror}). Make it readable."
        ) from error
    tools = tools if isinstance(tools, Mapping) else {}
    table = tools.get(TABLE, {})
    if not isinstance(table, Mapping):
        raise UsageError(
            f"[tool] {TABLE} = {table!r} in {FILE} is not a table. Write "
            f"[tool.{TABLE}] and keys below it."
        )
    alike = difflib.get_close_matches(
        TABLE, [name for name in tools if name != TABLE], cutoff=_ALIKE
    )
    return Project(
        root, table, tuple(name for name in alike if isinstance(tools[name], Mapping))
    )
