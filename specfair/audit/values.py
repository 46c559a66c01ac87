"""Small values in the store, as JSON: checks, times, counts, what a pair turned out to
be.

Knows how a value of plain fields and arrays becomes a text and comes back; does not
know what it says.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from specfair.errors import StoreError
from specfair.store import Store

T = TypeVar("T")


def remembered(
    store: Store,
    kind: str,
    key: Mapping[str, Any],
    *,
    make: Callable[[], object],
    read: Callable[[Any], T],
) -> T:
    """The value under the key; `read` makes it of plain JSON."""
    return store.get_or_make(
        kind, key, make=lambda path: keep(make(), path), read=reader(read)
    )


def keep(value: object, path: Path) -> None:
    """Its fields by name, arrays as lists."""
    path.write_text(json.dumps(value, default=_plain), encoding="utf-8")


def reader(read: Callable[[Any], T]) -> Callable[[Path], T]:
    """Reads what `keep` kept."""

    def value(path: Path) -> T:
        try:
            return read(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"{path.name!r} of the store cannot be read ({type(error).__name__}). "
                "It is made again."
            ) from error

    return value


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {f.name: getattr(value, f.name) for f in fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no plain value")
