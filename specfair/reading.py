"""Files, folders and the hub, read strictly: UTF-8, bounded lines, columns by name, and one-line errors.

Knows formats (CSV, TSV, JSON lines, JSON, Parquet, plain text) and the hub's loader, not what the rows mean.
"""

import csv
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from specfair.errors import DataError

MAX_LINE = 1 << 20  # bytes of one line, or of one record that spans lines
QUOTED, TABS, JSONL, PARQUET = ".csv", ".tsv", ".jsonl", ".parquet"
TABLES = (QUOTED, TABS, JSONL, PARQUET)
_BOM = b"\xef\xbb\xbf"


def exists(path: Path) -> Path:
    """The path itself, or a DataError: nothing is there."""
    if not path.exists():
        raise DataError(f"{str(path)!r} does not exist; a file or folder is expected there. Check the path.")
    return path


def lines(path: Path) -> Iterator[bytes]:
    """Lines with their ends as they are; UTF-8 is checked, and so is that no line is endless."""
    with exists(path).open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), start=1):
            if len(line) > MAX_LINE:
                raise DataError(
                    f"line {number:,} of {path.name!r} is longer than {MAX_LINE:,} bytes, the most one line "
                    "may have. Split it into one document a line."
                )
            try:
                line.decode()
            except UnicodeDecodeError as error:
                raise DataError(
                    f"line {number:,} of {path.name!r} has byte 0x{line[error.start]:02x} at column "
                    f"{error.start + 1}; text must be UTF-8. Convert the file, with iconv for example."
                ) from error
            yield line


def whole(path: Path) -> str:
    """All of a small file, with the same checks."""
    return b"".join(lines(path)).removeprefix(_BOM).decode()


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
                f"{path.name!r} has a quoted field of more than {MAX_LINE:,} bytes; perhaps a quotation mark "
                "is never closed. Mend it, or write the file as JSON lines."
            )
        if n_quotes % 2 == 0:
            yield b"".join(held)
            held, n_bytes, n_quotes = [], 0, 0
    if held:
        raise DataError(
            f"{path.name!r} ends inside a quoted field; every quotation mark must be closed. Mend the file."
        )


def cells(path: Path, record: bytes) -> list[str]:
    """The fields of one CSV or TSV record. TSV knows no quotes."""
    text = record.removeprefix(_BOM).decode().rstrip("\r\n")
    if path.suffix.lower() == TABS:
        return text.split("\t")
    try:
        return next(csv.reader([text]), [])
    except csv.Error as error:
        raise DataError(f"{path.name!r} has a record that is not CSV: {error}. Mend it, or use JSON lines.") from error


def parsed(path: Path, record: bytes, number: int) -> dict[str, Any]:
    """The object on one line of JSON lines."""
    try:
        found = json.loads(record.removeprefix(_BOM))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"line {number:,} of {path.name!r} is not JSON ({error}); each line must hold one object. Mend the line."
        ) from error
    if not isinstance(found, dict):
        raise DataError(
            f"line {number:,} of {path.name!r} is {type(found).__name__}; each line must hold one object, such "
            'as {"text": "..."}. Wrap it.'
        )
    return found


def document(path: Path) -> Any:
    """A whole JSON file."""
    try:
        return json.loads(whole(path))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path.name!r} is not JSON ({error}); it must hold one value. Mend it or fetch it again."
        ) from error


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows as dictionaries; the columns of CSV and TSV are named by their first record."""
    suffix = exists(path).suffix.lower()
    if suffix == PARQUET:
        yield from parquet(path).to_pylist()
    elif suffix == JSONL:
        for number, line in enumerate(lines(path), start=1):
            if line.strip():
                yield parsed(path, line, number)
    elif suffix in (QUOTED, TABS):
        yield from _headed(path)
    else:
        raise DataError(f"{path.name!r} ends in {suffix!r}; known are {', '.join(TABLES)}. Convert or rename it.")


def _headed(path: Path) -> Iterator[dict[str, Any]]:
    found = records(path)
    header = cells(path, next(found, b""))
    for number, record in enumerate(found, start=2):
        row = cells(path, record)
        if len(row) == len(header):
            yield dict(zip(header, row, strict=True))
        elif record.strip():
            raise DataError(
                f"record {number:,} of {path.name!r} has {len(row)} fields; its header has {len(header)}. "
                "Mend the record, or quote what holds separators."
            )


def parquet(path: Path, columns: Sequence[str] | None = None) -> Any:
    """A pyarrow table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(exists(path), columns=columns and list(columns))
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{path.name!r} cannot be read as Parquet ({type(error).__name__}); it may be cut short. "
            "Fetch or write it again."
        ) from error


def need(where: str, found: Iterable[str], wanted: Iterable[str]) -> None:
    """A DataError for the first column that is missing, naming those there are."""
    have = list(found)
    for name in wanted:
        if name not in have:
            raise DataError(
                f"{where!r} has no column {name!r}; its columns are {', '.join(map(repr, have)) or 'none'}. "
                "Rename one of them."
            )


def label(value: object) -> str:
    """A label as text; "" for what stands for nothing: none, blank, NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value).strip()
    return "" if text.lower() in ("nan", "none", "null") else text


def hub(name: str, config: str | None, split: str, *, instead: str) -> Any:
    """One split of a dataset on the hub, memory-mapped; `instead` says what to do without it."""
    return _loaded(
        f"dataset {name!r}, split {split!r},", lambda load: _unscripted(load, name, config, split=split), instead
    )


def mapped(path: Path) -> Any:
    """A Parquet file as a memory-mapped dataset: its texts are not held in memory."""
    files = {"train": str(exists(path))}
    return _loaded(
        repr(path.name), lambda load: load("parquet", data_files=files, split="train"), "write the file again"
    )


def _loaded(what: str, load: Callable[[Callable[..., Any]], Any], instead: str) -> Any:
    """What `load` makes of datasets.load_dataset; whatever goes wrong becomes one line."""
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    try:
        return load(load_dataset)
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        offline = " while HF_HUB_OFFLINE is set" if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0") else ""
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise DataError(f"{what} cannot be loaded{offline}: {reason}. Check the name, or {instead}.") from error


def _unscripted(load_dataset: Callable[..., Any], name: str, config: str | None, *, split: str) -> Any:
    """What is published as a script is read from the hub's own conversion to Parquet, so that no code of it runs."""
    try:
        return load_dataset(name, config, split=split)
    except RuntimeError as error:
        if "script" not in str(error):
            raise
        files: Mapping[str, str] = {split: f"{config or 'default'}/{split}/*.parquet"}
        return load_dataset(name, data_files=files, split=split, revision="refs/convert/parquet")
