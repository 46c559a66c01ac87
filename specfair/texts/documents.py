"""Documents read when they are asked for: a sequence of texts that keeps places in
memory, not texts.

Knows where a document begins and ends in its file, its folder or its dataset; not what
corpus it belongs to.
"""

import hashlib
import mmap
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, overload

from specfair.errors import DataError
from specfair.texts import reading

# a record and its number, to its text; "" where it has none
Parse = Callable[[bytes, int], str]
HELD_OUT = 10  # one document in so many, where the source has no split of its own


class Documents(Sequence[str]):
    """A number of texts and a way to read each."""

    __slots__ = ("_n", "_read")

    def __init__(self, n: int, read: Callable[[int], str]) -> None:
        self._n, self._read = n, read

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "Documents": ...
    def __getitem__(self, index: int | slice) -> "str | Documents":
        if isinstance(index, slice):
            return picked(self, range(self._n)[index])
        return self._read(range(self._n)[index])


def picked(documents: Sequence[str], places: Sequence[int]) -> Documents:
    """Some of the documents, in the order of the places."""
    return Documents(len(places), lambda i: documents[places[i]])


def chained(parts: Sequence[Sequence[str]]) -> Sequence[str]:
    """One sequence after the other."""
    if len(parts) == 1:
        return parts[0]
    places = [(part, i) for part in parts for i in range(len(part))]
    return Documents(len(places), lambda i: places[i][0][places[i][1]])


def of_records(path: Path, parse: Parse) -> Documents:
    """Every record that has a text. All are parsed once to begin with, so that what is
    wrong is said at once.
    """
    starts, sizes, numbers = array("q"), array("q"), array("q")
    at = 0
    for number, record in enumerate(reading.records(path), start=1):
        if record.strip() and parse(record, number).strip():
            starts.append(at)
            sizes.append(len(record))
            numbers.append(number)
        at += len(record)

    if not starts:
        return Documents(0, str)
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return Documents(
        len(starts), lambda i: parse(data[starts[i] : starts[i] + sizes[i]], numbers[i])
    )


def of_files(paths: Sequence[Path]) -> Documents:
    """One document a file."""
    return Documents(len(paths), lambda i: reading.whole_text(paths[i]).strip())


def of_dataset(
    name: str, dataset: Any, columns: Sequence[str], *, joint: str = "\n"
) -> Documents:
    """Columns of a memory-mapped dataset, joined."""
    for column in columns:
        kind = str(getattr(dataset.features[column], "dtype", "list"))
        if kind not in ("string", "large_string"):
            raise DataError(
                f"column {column!r} of {name!r} is of type {kind}; documents "
                "must be strings. Name another column."
            )
    chosen = dataset.select_columns(list(columns))
    return Documents(
        len(chosen), lambda i: joint.join(filter(None, chosen[i].values()))
    )


def articles(lines: Sequence[str]) -> Sequence[str]:
    """Lines of wikitext by article, each from a heading of the first level on; without
    headings, lines stay lines.
    """
    starts = [i for i, line in enumerate(lines) if _is_title(line)]
    if not starts:
        return lines
    if any(line.strip() for line in lines[: starts[0]]):
        starts.insert(0, 0)
    ends = [*starts[1:], len(lines)]
    return Documents(len(starts), lambda i: _article(lines[starts[i] : ends[i]]))


def _article(lines: Sequence[str]) -> str:
    return "\n".join(line.rstrip("\n") for line in lines if line.strip())


def _is_title(line: str) -> bool:
    words = line.split()
    outer, inner = words[:1] + words[-1:], words[1:2] + words[-2:-1]
    return len(words) > 2 and outer == ["=", "="] and "=" not in inner


def held_out(
    name: str, documents: Sequence[str]
) -> tuple[Sequence[str], Sequence[str]]:
    """A tenth to hold out, by a hash of the text: the same on every machine, and copies
    of a text stay on one side.
    """
    keys = array("Q", map(_key, documents))
    distinct = sorted(set(keys))
    if len(distinct) < 2:
        raise DataError(
            f"{name!r} has {len(distinct)} distinct documents; at least 2 are needed, "
            "one of them to hold out. Add documents, or name a folder with a train and "
            "a test file."
        )
    limit = distinct[max(1, len(distinct) // HELD_OUT) - 1]
    train = array("q", (i for i, key in enumerate(keys) if key > limit))
    rest = array("q", (i for i, key in enumerate(keys) if key <= limit))
    return picked(documents, train), picked(documents, rest)


def _key(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
