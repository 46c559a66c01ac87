"""The project a run belongs to: the folder whose pyproject.toml holds [tool.specfair],
that table, and the places that are named in it.

Knows where to look, what a misspelt table looks like and where in an option's text a
place stands. Does not know what else the keys mean, and loads nothing heavy.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from specfair.errors import UsageError
from specfair.vocabulary import EMBEDDED

FILE = "pyproject.toml"
TABLE = "specfair"
# what stands before a place, the place, and what stands behind it
_PLACES = {
    "prompts": r"([^:]*:)(?!hub:)(.+)()",
    "corpora": rf"()(?!(?:auto|{EMBEDDED}|hub)$|hub:)(.+)()",
    "datasets": r"((?:[^=:]*=)?file:)([^#]+)(.*)",
    "lexicon": rf"()(?!(?:auto|none|{EMBEDDED})$)(.+)()",
}
_MODELS = ("target", "draft", "drafts", "tuned_target", "tuned_draft", "perplexity_by")
HEADS = ("eagle3", "medusa", "dflash")  # drafts with a folder behind their name
_ALIKE = 0.8  # of difflib: "specfiar" and "spec_fair" are, "spectral" is not


class Project(NamedTuple):
    """A folder, what its file says, and tables that were probably meant."""

    root: Path
    table: Mapping[str, Any] = MappingProxyType({})
    suspects: tuple[str, ...] = ()

    @property
    def doubts(self) -> tuple[str, ...]:
        """A line for every table that looks misspelt: nothing in it is read."""
        return tuple(
            f"{FILE} has [tool.{name}], which nothing reads; if [tool.{TABLE}] was "
            "meant, rename it"
            for name in self.suspects
        )

    def seen(self, place: str) -> str:
        """A place of where the process runs, as it is reached from the project."""
        if os.path.isabs(os.path.expanduser(place)):
            return place
        return os.path.relpath(place, self.root)


def find(start: Path) -> Project:
    """The nearest folder at or above whose file has the table, or seems to; else the
    nearest with a file, else `start`.

    A file without the table is passed over: in a repository of several packages each
    has one.
    """
    places = (start, *start.parents)
    found = [project_at(place) for place in places if (place / FILE).is_file()]
    meant = [p for p in found if p.table or p.suspects]
    return next(iter([*meant, *found]), Project(start))


def find_for(places: Iterable[Path]) -> Project:
    """The project of the folder that all these paths have in common."""
    common = Path(os.path.commonpath([p.absolute() for p in places]))
    return find(common if common.is_dir() else common.parent)


def project_at(root: Path) -> Project:
    """The project in this very folder."""
    import difflib  # here, so that loading the plugin stays light
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
    others = [name for name in tools if name != TABLE]
    alike = difflib.get_close_matches(TABLE, others, cutoff=_ALIKE)
    suspects = (name for name in alike if isinstance(tools[name], Mapping))
    return Project(root, table, tuple(suspects))


def moved(name: str, value: str, start: Path, move: Callable[[str], str]) -> str:
    """An option's value with the place in it moved, if there is one: the folder of a
    model or of corpora, or a file, as seen from `start`.
    """
    if name == "judge":
        place, mark, label = value.partition("#")
        return f"{moved('target', place, start, move)}{mark}{label}"
    if name in _MODELS:
        kind, colon, place = value.partition(":")
        if colon and kind in HEADS:
            return f"{kind}:{moved(name, place, start, move)}"
        near = value.startswith((".", "/", "~")) or os.path.isdir(start / value)
        return move(value) if value and value != EMBEDDED and near else value
    found = re.fullmatch(_PLACES.get(name, "(?!)"), value, re.DOTALL)
    return f"{found[1]}{move(found[2])}{found[3]}" if found else value
