"""Content-addressed files under .specfair/: computed once, written whole or not at all,
checked whenever they are read.

A key is a JSON-able description of everything the content depends on; its hash is the
content's name, so nothing ever has to be invalidated. Beside each content lies its
manifest, the key and a checksum of every file: what does not match it is set aside and
made again. The store does not know what it keeps: makers write a path, readers read
one. What a killed process left is finished or removed by whoever next holds its lock;
nothing else is ever deleted.
"""

import hashlib
import json
import os
import re
import shutil
import stat
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from specfair.errors import BusyError, StoreError

T = TypeVar("T")

PATIENCE = 2.0  # seconds of waiting for another process that need no word
REMIND = 60.0  # seconds between two words after that
_NAME = re.compile(r"[0-9a-f]{24}")
_LEFT = re.compile(r"\.([0-9a-f]{24})(\..+)?\.part")


def digest(key: Mapping[str, Any]) -> str:
    """The name of a content, on every machine; a key that is no JSON is a TypeError."""
    text = json.dumps(key, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def checksum(path: Path) -> str:
    """sha256 of a file's bytes, read once a process as long as it looks the same."""
    place = path.resolve()
    found = place.stat()
    if not stat.S_ISREG(found.st_mode):
        return "no file"
    return _checksum(place, found.st_ino, found.st_size, found.st_mtime_ns)


@cache
def _checksum(path: Path, inode: int, size: int, modified_ns: int) -> str:  # noqa: ARG001  # they are the memo's key
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of kinds, each holding contents by the digest of their key."""

    root: Path
    say: Callable[[str], object] = str  # told of long waits; by default, nobody

    def path(self, kind: str, key: Mapping[str, Any]) -> Path:
        return self.root / kind / digest(key)

    def get_or_make(
        self,
        kind: str,
        key: Mapping[str, Any],
        *,
        make: Callable[[Path], object],
        read: Callable[[Path], T],
    ) -> T:
        """Read what is stored under the key; made first if it is absent, and again if
        it is damaged. Of two processes that want it, the second waits for the first.
        """
        path = self.path(kind, key)
        with self._held(path, key), _in_words(self.root):
            found = self._stored(path, key, read)
            if found is not None:
                return found
            _put(path, key, make)
            return read(path)

    def update(
        self,
        kind: str,
        key: Mapping[str, Any],
        *,
        change: Callable[[T | None], T],
        read: Callable[[Path], T],
        write: Callable[[T, Path], object],
        wait: bool = True,
    ) -> T:
        """Let `change` turn what is stored (None where nothing is) into what shall be;
        the same object is kept. Nobody else changes it meanwhile, and a reader sees
        either the old or the new. Without `wait`, somebody else at it is a BusyError.
        """
        path = self.path(kind, key)
        with self._held(path, key, wait=wait):
            with _in_words(self.root):
                old = self._stored(path, key, read)
            new = change(old)
            if new is not old:
                with _in_words(self.root):
                    _put(path, key, lambda draft: write(new, draft))
            return new

    def get(
        self, kind: str, key: Mapping[str, Any], *, read: Callable[[Path], T]
    ) -> T | None:
        """Read what is stored under the key; None where nothing is."""
        path = self.path(kind, key)
        with self._held(path, key), _in_words(self.root):
            return self._stored(path, key, read)

    def each(self, kind: str, *, read: Callable[[Path], T]) -> list[T]:
        """Every whole content of a kind, by name; what is damaged is set aside."""
        found: list[T] = []
        with _in_words(self.root):
            names = sorted(p.name for p in (self.root / kind).glob("*"))
        for path in (self.root / kind / n for n in names if _NAME.fullmatch(n)):
            with self._held(path), _in_words(self.root):
                content = self._stored(path, _key(path), read)
            found += [] if content is None else [content]
        return found

    def _stored(
        self, path: Path, key: Mapping[str, Any], read: Callable[[Path], T]
    ) -> T | None:
        """What is stored, or None; what is damaged is set aside and said."""
        if not os.path.lexists(path):
            return None
        name = path.relative_to(self.root).as_posix()
        problem = f"{name} in the store is damaged: its checksum does not hold."
        if _holds(_manifest(path), path, key):
            try:
                return read(path)
            except StoreError as error:
                problem = str(error)
        kept = f"It was kept as {_set_aside(path).name!r} and is made again."
        warnings.warn(f"{problem} {kept}", stacklevel=5)
        return None

    @contextmanager
    def _held(
        self, path: Path, key: Mapping[str, Any] | None = None, *, wait: bool = True
    ) -> Iterator[None]:
        """Alone with one content, and with nothing half done about it."""
        with _in_words(self.root):
            _make_root(self.root)
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = _lock(path)
            self._acquire(lock, path, wait=wait)
        try:
            with _in_words(self.root):
                _settle(path, _key(path) if key is None else key)
            yield
        finally:
            lock.release()

    def _acquire(self, lock: FileLock, path: Path, *, wait: bool) -> None:
        waited, patience = 0.0, PATIENCE if wait else 0.0
        while True:
            try:
                lock.acquire(timeout=patience)
                return
            except Timeout as error:
                if not wait:
                    raise BusyError from error
                waited, patience = waited + patience, REMIND
                name = path.relative_to(self.root).as_posix()
                self.say(
                    f"waiting for another process that works on {name} in store "
                    f"{str(self.root)!r}, {waited:.0f} s so far"
                )


@contextmanager
def _in_words(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"store {str(root)!r} cannot be used ({error.strerror or error}); specfair "
            "keeps traces and tuned models there. Make room, make it writable, or "
            "choose another with --specfair-store (specfair audit --store)."
        ) from error


def _make_root(root: Path) -> None:
    """A new store keeps itself out of git; what others put there is left alone."""
    root.mkdir(parents=True, exist_ok=True)
    if not set(os.listdir(root)) - {".gitignore"}:
        (root / ".gitignore").write_text("# made by specfair\n*\n", encoding="utf-8")


def _lock(path: Path) -> FileLock:
    return FileLock(path.with_name(f".{path.name}.lock"))


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _next(path: Path) -> Path:
    """Where the manifest of a content waits until that content is in place."""
    return path.with_name(f".{path.name}.next")


def _manifest(path: Path) -> Path:
    return path.with_name(f"{path.name}.key.json")


def _key(path: Path) -> Mapping[str, Any]:
    """The key of a content by its manifest; an empty one where that says none."""
    for manifest in (_manifest(path), _next(path)):
        with suppress(OSError, ValueError, TypeError, KeyError):
            key: Mapping[str, Any] = json.loads(manifest.read_bytes())["key"]
            if digest(key) == path.name:
                return key
    return {}


def _described(path: Path, key: Mapping[str, Any]) -> bytes:
    """What the manifest of this content under this key must be, to the byte."""
    sums: object = checksum(path) if path.is_file() else None
    if sums is None:
        files = (f for f in path.rglob("*") if not f.is_dir())
        sums = {f.relative_to(path).as_posix(): checksum(f) for f in files}
    return json.dumps({"key": key, "sha256": sums}, sort_keys=True, indent=1).encode()


def _holds(manifest: Path, path: Path, key: Mapping[str, Any]) -> bool:
    if not manifest.is_file():
        return False
    expected = _described(path, key)
    with manifest.open("rb") as file:
        return file.read(len(expected) + 1) == expected


def _put(path: Path, key: Mapping[str, Any], make: Callable[[Path], object]) -> None:
    """Let `make` write a file or a folder beside `path`, then move it there. The
    manifest is written first and moved last: who finds one of them moved can tell.
    """
    _sweep(path.parent)
    draft, manifest = _part(path), _next(path)
    try:
        make(draft)
        manifest.write_bytes(_described(draft, key))
        os.replace(draft, path)
        os.replace(manifest, _manifest(path))
    finally:
        if os.path.lexists(draft):
            _remove(draft)
            _remove(manifest)


def _settle(path: Path, key: Mapping[str, Any]) -> None:
    """Finish what a killed process had all but done, remove what it had begun."""
    if _holds(_next(path), path, key):
        os.replace(_next(path), _manifest(path))
    for left in (_next(path), _part(path)):
        _remove(left)


def _sweep(folder: Path) -> None:
    """Remove what dead processes had begun elsewhere: a live one holds its lock."""
    for left in folder.glob(".*.part"):
        if match := _LEFT.fullmatch(left.name):
            with suppress(Timeout), _lock(folder / match[1]).acquire(timeout=0):
                _remove(left)


def _set_aside(path: Path) -> Path:
    """The manifest goes first: a content without one never counts as whole."""
    if os.path.lexists(_manifest(path)):
        os.replace(_manifest(path), _free(_manifest(path)))
    aside = _free(path)
    os.replace(path, aside)
    return aside


def _free(path: Path) -> Path:
    """NAME.corrupt, or NAME.2.corrupt where that is taken."""
    place, n = path.with_name(f"{path.name}.corrupt"), 2
    while os.path.lexists(place):
        place, n = path.with_name(f"{path.name}.{n}.corrupt"), n + 1
    return place


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
