"""Text files that readers see whole: a report, a run or a baseline is never half
written, and never costs a folder.

Knows drafts beside a file and their locks; does not know what is written.
"""

import os
import uuid
from contextlib import suppress
from glob import escape
from pathlib import Path

from filelock import FileLock, Timeout

from specfair.errors import StoreError, UsageError

_HEX = "[0-9a-f]"


def write_text_atomically(path: Path, text: str) -> None:
    """A text file, seen either as it was or as it will be; folders are not replaced."""
    if os.path.isdir(path):  # which takes a name that cannot be for no folder
        raise UsageError(
            f"{str(path)!r} is a folder; a file is written here. Name a file, in that "
            "folder or elsewhere."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace_text(path, text)
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise StoreError(
            f"{str(path)!r} cannot be written ({reason}). Make room, make its folder "
            "writable, or choose another place."
        ) from error


def _replace_text(path: Path, text: str) -> None:
    """A draft is locked while its writer lives: those of killed writers can be told."""
    for left in path.parent.glob(f".{escape(path.name)}.{8 * _HEX}.part"):
        with suppress(Timeout), FileLock(left).acquire(timeout=0):
            left.unlink(missing_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        # what cannot be created is refused here; the lock would wait for it
        draft.touch()
        with FileLock(draft):
            draft.write_text(text, encoding="utf-8")
            os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
