"""Where results go: how an output is named, and what must not stand in its place.

A run is three files of one name, NAME.html, NAME.json and NAME.md: an ending is
appended, never replaced, and only one of those three, where it was given, is taken as
an ending. Knows names and paths; writes nothing and removes nothing.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

from specfair.errors import UsageError

ENDINGS = (".html", ".json", ".md")


# a quoted part of a command line, or a word of it; and the folders in one of those
_PART = re.compile(r"'[^']*'|[^\s']+")
_FOLDERS = re.compile(r"(?:^|(?<=[=:,'\"]))~?/(?!/)(?:[^/=:,'\"]+/)*")


class Outputs(NamedTuple):
    """The three files of one run."""

    html: Path
    json: Path
    md: Path


def of(name: str, *, option: str = "report", root: Path | None = None) -> Outputs:
    """The files that a name stands for, below `root` where it is relative; a name of no
    file is refused.
    """
    stem = next(
        (name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name
    )
    _check(stem, name, option)
    return Outputs(
        *(file(f"{stem}{ending}", option=option, root=root) for ending in ENDINGS)
    )


def appended(outputs: Outputs, suffix: str) -> Outputs:
    """The files of the same name with something appended to it."""
    return Outputs(
        *(
            p.with_name(f"{p.stem}{suffix}{p.suffix}")
            for p in (outputs.html, outputs.json, outputs.md)
        )
    )


def file(name: str, *, option: str, root: Path | None = None) -> Path:
    """The one file that a name stands for; a folder, or a name of no file, is
    refused.
    """
    _check(name, name, option)
    path = (root or Path()) / name
    if os.path.isdir(path):
        raise UsageError(
            f"{option} {name!r} is a folder; specfair writes files and removes "
            "nothing. Name a file in it."
        )
    return path


def word(name: str, *, option: str) -> str:
    """A name that stands for one file of a folder of ours and cannot lead out of it."""
    _check(name, name, option)
    if name != Path(name).name or "\\" in name:
        raise UsageError(
            f"{option} {name!r} is a path; it is a name without folders. Give "
            f"it as {_last(name)!r}."
        )
    return name


def _check(part: str, name: str, option: str) -> None:
    last = os.path.basename(part)  # unlike Path, it sees a slash at the end
    if not last.strip() or last in (".", "..") or "\0" in part:
        raise UsageError(
            f"{option} {name!r} does not name a file. Name one, such as "
            "'reports/run-1'."
        )


def _last(name: str) -> str:
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2] or "main"


def without_folders(command: str) -> str:
    """A command line as others may read it: whole paths by their last part.

    >>> without_folders("pytest --specfair-prompts=file:/home/me/p.jsonl")
    'pytest --specfair-prompts=file:p.jsonl'
    """
    return _PART.sub(lambda part: _FOLDERS.sub("", part[0]), command)
