"""Files and folders, read strictly: UTF-8, bounded sizes, and one-line errors.

Knows lines, CSV and TSV records and JSON, not what they mean. A file may come from a
stranger: no more of it is read than the limits below.
"""

import csv
import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from specfair.errors import DataError
from specfair.typed import json_of

MAX_LINE = 1 << 20  # bytes of one line, or of one record that spans lines
MAX_JSON = 1 << 27  # bytes of a JSON document, such as a run or a baseline: 128 MiB
QUOTED, TABS, JSONL, PARQUET = ".csv", ".tsv", ".jsonl", ".parquet"
TABLES = (QUOTED, TABS, JSONL, PARQUET)
_BOM = b"\xef\xbb\xbf"


def exists(path: Path) -> Path:
    """The path itself, or a DataError: nothing is there."""
    with opened(path):
        if path.exists():
            return path
    raise DataError(
        f"{str(path)!r} does not exist; a file or folder is expected there. "
        "Check the path."
    )


@contextmanager
def opened(path: Path) -> Iterator[None]:
    """What the system says of a path (a folder, no rights, too long a name) in one
    line.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(
            f"{path.name!r} cannot be read ({reason}); a file is expected "
            "there. Check it."
        ) from error


def lines(path: Path) -> Iterator[bytes]:
    """Lines with their ends as they are; UTF-8 is checked, and so is that no line is
    endless.
    """
    with opened(exists(path)), path.open("rb") as file:
        for number, line in enumerate(
            iter(lambda: file.readline(MAX_LINE + 1), b""), start=1
        ):
            if len(line) > MAX_LINE:
                raise DataError(
                    f"line {number:,} of {path.name!r} is longer than {MAX_LINE:,} "
                    "bytes, the most one line "
                    "may have. Split it into one document a line."
                )
            _text(line, path, number)
            yield line


def _text(data: bytes, path: Path, first: int = 1) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        number = first + data.count(b"\n", 0, error.start)
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise DataError(
            f"line {number:,} of {path.name!r} has byte 0x{data[error.start]:02x} at "
            f"column {column}; "
            "text must be UTF-8. Convert the file, with iconv for example."
        ) from error


def whole(path: Path) -> str:
    """All of a file that is not endless."""
    with opened(exists(path)), path.open("rb") as file:
        found = file.read(MAX_JSON + 1)
    if len(found) > MAX_JSON:
        raise DataError(
            f"{path.name!r} is larger than {MAX_JSON:,} bytes, the most that is read "
            "in one piece. Split it, or "
            "leave out what is not needed."
        )
    return _text(found.removeprefix(_BOM), path)


def records(path: Path) -> Iterator[bytes]:
    """Lines, but in CSV a record goes on until its quotes are closed."""
    if path.suffix.lower() != QUOTED:
        yield from lines(path)
        return
    held: list[bytes] = []
    n_bytes = n_quotes = 0
    for line in lines(path):
        held.append(line)
        n_bytes, n_quotes = n_bytes + len(line), n_quotes + line.count(b'"')
        if n_bytes > MAX_LINE:
            raise DataError(
                f"{path.name!r} has a quoted field of more than {MAX_LINE:,} bytes; "
                "perhaps a quotation mark "
                "is never closed. Mend it, or write the file as JSON lines."
            )
        if n_quotes % 2 == 0:
            yield b"".join(held)
            held, n_bytes, n_quotes = [], 0, 0
    if held:
        raise DataError(
            f"{path.name!r} ends inside a quoted field; every quotation mark "
            "must be closed. Mend the file."
        )


def cells(path: Path, record: bytes) -> list[str]:
    """The fields of one CSV or TSV record. TSV knows no quotes."""
    text = record.removeprefix(_BOM).decode().rstrip("\r\n")
    if path.suffix.lower() == TABS:
        return text.split("\t")
    try:
        return next(csv.reader([text]), [])
    except csv.Error as error:
        raise DataError(
            f"{path.name!r} has a record that is not CSV: {error}. Mend it, or "
            "use JSON lines."
        ) from error


def _words(text: str | bytes) -> Any:
    """JSON whose texts can be written as UTF-8: JSON can spell half a character, which
    no file can hold.
    """
    found = json_of(text)
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"it has half a character, {error.object[error.start]!a}"
        ) from error
    return found


def parsed(path: Path, record: bytes, number: int) -> dict[str, Any]:
    """The object on one line of JSON lines."""
    try:
        found = _words(record.removeprefix(_BOM))
    except ValueError as error:
        raise DataError(
            f"line {number:,} of {path.name!r} is not JSON ({error}); each "
            "line must hold one object. Mend the line."
        ) from error
    if not isinstance(found, dict):
        raise DataError(
            f"line {number:,} of {path.name!r} is {type(found).__name__}; each line "
            "must hold one object, such "
            'as {"text": "..."}. Wrap it.'
        )
    return found


def document(path: Path) -> Any:
    """A whole JSON file."""
    try:
        return _words(whole(path))
    except ValueError as error:
        raise DataError(
            f"{path.name!r} is not JSON ({error}); it must hold one value. "
            "Mend it or fetch it again."
        ) from error


def need(where: str, found: Iterable[str], wanted: Iterable[str]) -> None:
    """A DataError for the first column that is missing, naming those there are."""
    have = list(found)
    for name in wanted:
        if name not in have:
            raise DataError(
                f"{where!r} has no column {name!r}; its columns are "
                f"{', '.join(map(repr, have)) or 'none'}. "
                "Rename one of them."
            )


def label(value: object) -> str:
    """A label as text; "" for what stands for nothing: none, blank, NaN. A text that
    says "None" is a label.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).strip()
