"""Content-addressed files under .specfair/: computed once, written whole or not at all, set aside when damaged.

A key is a JSON-able description of everything the content depends on; its hash is the file's name, so nothing ever has
to be invalidated. The store does not know what it keeps: makers write a path, readers read one.
"""

import hashlib
import json
import os
import shutil
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from specfair.errors import StoreError

T = TypeVar("T")


def digest(key: Mapping[str, Any]) -> str:
    """The name of a content: the same key, the same name, on every machine."""
    text = json.dumps(key, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of kinds, each holding contents by the digest of their key."""

    root: Path

    def path(self, kind: str, key: Mapping[str, Any]) -> Path:
        return self.root / kind / digest(key)

    def has(self, kind: str, key: Mapping[str, Any]) -> bool:
        return self.path(kind, key).exists()

    def get_or_make(
        self, kind: str, key: Mapping[str, Any], *, make: Callable[[Path], object], read: Callable[[Path], T]
    ) -> T:
        """Read what is stored under the key; make it first if it is absent, and again if it cannot be read.

        Two processes that want the same content make it once: the second waits for the first.
        """
        path = self.path(kind, key)
        with _locked(path):
            found = _read(path, read)
            if found is not None:
                return found
            write_atomically(path, make)
            _write_key(path, key)
            return read(path)

    def update(
        self,
        kind: str,
        key: Mapping[str, Any],
        *,
        change: Callable[[T | None], T],
        read: Callable[[Path], T],
        write: Callable[[T, Path], object],
    ) -> T:
        """Let `change` turn what is stored (None where nothing is) into what shall be; the same object is kept as is.

        Nobody else changes it meanwhile, and who reads it sees either the old or the new.
        """
        path = self.path(kind, key)
        with _locked(path):
            old = _read(path, read)
            new = change(old)
            if new is not old:
                write_atomically(path, lambda draft: write(new, draft))
                _write_key(path, key)
            return new


def write_atomically(path: Path, make: Callable[[Path], object]) -> None:
    """Let `make` write a file or a folder beside `path`, then move it there in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        make(draft)
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(draft, path)
    finally:
        _remove(draft)


def write_text_atomically(path: Path, text: str) -> None:
    """A text file that a reader sees either as it was or as it will be."""
    if path.is_dir():
        raise StoreError(f"{str(path)!r} is a folder; a file was to be written there. Choose another name.")
    try:
        write_atomically(path, lambda draft: draft.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise StoreError(
            f"{str(path)!r} cannot be written ({error.strerror or error}). Make room, or choose another place."
        ) from error


def _read(path: Path, read: Callable[[Path], T]) -> T | None:
    """What is stored, None where nothing is; what cannot be read is set aside and said."""
    if not path.exists():
        return None
    try:
        return read(path)
    except StoreError as error:
        aside = _set_aside(path)
        warnings.warn(f"{error} It was kept as {aside.name!r} and is being recomputed.", stacklevel=4)
        return None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        lock.acquire()
    except OSError as error:
        raise StoreError(
            f"store {str(path.parent.parent)!r} cannot be written ({error.strerror}); specfair keeps traces there. "
            "Make it writable or choose another with --specfair-store."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _set_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{uuid.uuid4().hex[:6]}")
    os.replace(path, aside)
    return aside


def _write_key(path: Path, key: Mapping[str, Any]) -> None:
    """The key beside the content, so that a person can see what it is."""
    text = json.dumps(key, sort_keys=True, indent=1, default=str)
    write_text_atomically(path.with_name(f"{path.name}.key.json"), text)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
