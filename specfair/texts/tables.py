"""Tables, row by row: CSV, TSV, JSON lines and Parquet, with their columns by name.

Knows formats, not what the rows mean. What a Parquet file would become, unpacked, is
found out before it is: a few bytes of it may stand for gigabytes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specfair.errors import DataError
from specfair.texts import reading

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAX_TABLE = 1 << 31  # bytes of a table that is held in memory, unpacked: 2 GiB
# bytes of a Parquet file's own description, such as a trace's prompts: 256 MiB
MAX_FOOTER = 1 << 28
MAX_ROWS = 1 << 32  # rows of a Parquet file
BATCH = 1 << 16  # rows of Parquet looked at together


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows as dictionaries; CSV and TSV name their columns in the first record."""
    suffix = reading.existing(path).suffix.lower()
    if suffix not in reading.TABLES:
        raise DataError(
            f"{path.name!r} ends in {suffix!r}; known are "
            f"{', '.join(reading.TABLES)}. Convert or rename it."
        )
    with reading.opened(path):
        _refuse_large(path, path.stat().st_size, MAX_TABLE)
    if suffix == reading.PARQUET:
        for batch in batches(path, limit=MAX_TABLE):
            yield from _listed(path, batch)
    elif suffix == reading.JSONL:
        for number, line in enumerate(reading.checked_lines(path), start=1):
            if line.strip():
                yield reading.parsed(path, line, number)
    else:
        yield from _headed(path)


def _refuse_large(path: Path, size: int, limit: int) -> None:
    if size > limit:
        raise DataError(
            f"{path.name!r} has more than {limit:,} bytes of rows, unpacked, "
            "the most that is read. Split it."
        )


def _listed(path: Path, batch: "pa.RecordBatch") -> list[dict[str, Any]]:
    try:
        return list(batch.to_pylist())
    except (ValueError, OverflowError) as error:  # dates beyond the calendar
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{path.name!r} has a value that cannot be read ({reason}). Write it again."
        ) from error


def _headed(path: Path) -> Iterator[dict[str, Any]]:
    found = reading.records(path)
    header = reading.cells(path, next(found, b""))
    for number, record in enumerate(found, start=2):
        row = reading.cells(path, record)
        if len(row) == len(header):
            yield dict(zip(header, row, strict=True))
        elif record.strip():
            raise DataError(
                f"record {number:,} of {path.name!r} has {len(row)} fields; its "
                f"header has {len(header)}. Mend the record, or quote what holds "
                "separators."
            )


def column_names(path: Path) -> list[str]:
    """The names of a Parquet file's columns."""
    with parquet(path) as file:
        return list(file.schema_arrow.names)


def batches(
    path: Path, wanted: Sequence[str] = (), *, limit: int
) -> "Iterator[pa.RecordBatch]":
    """Columns of plain values, all or those wanted, so many rows at a time; `limit`
    bytes are never exceeded.

    Texts stay references into a dictionary: a file of a few bytes may repeat one text a
    billion times.
    """
    with parquet(path) as file:
        flat = [field.name for field in file.schema_arrow if not _is_nested(field.type)]
        for name in wanted:
            if name not in flat:
                kind = file.schema_arrow.field(name).type
                raise DataError(
                    f"column {name!r} of {path.name!r} is a {kind}; plain "
                    "values are read. Name another."
                )
        n_bytes = 0
        for batch in file.iter_batches(BATCH, columns=list(wanted) or flat):
            batch.validate(full=True)
            n_bytes += sum(_unpacked(path, column) for column in batch.columns)
            _refuse_large(path, n_bytes, limit)
            yield batch


def whole_table(path: Path, *, limit: int) -> "pa.Table":
    """A Parquet file of plain values as it is, with its metadata."""
    import pyarrow as pa

    with parquet(path) as file:
        schema = file.schema_arrow
    found = list(batches(path, limit=limit))
    if not found:
        return schema.empty_table()
    return pa.Table.from_batches(found).replace_schema_metadata(schema.metadata)


@contextmanager
def parquet(path: Path) -> "Iterator[pq.ParquetFile]":
    """A Parquet file whose description is sound; a DataError for whatever is wrong with
    it while it is read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with reading.opened(reading.existing(path)):
        _refuse_footer(path)
    try:
        with pq.ParquetFile(path) as plain:
            leaves = map(plain.schema.column, range(len(plain.schema)))
            texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
            _refuse_rows(path, plain.metadata)
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            yield file
    except (
        OSError,
        pa.ArrowException,
        UnicodeDecodeError,
        OverflowError,
        MemoryError,
    ) as error:
        raise DataError(
            f"{path.name!r} cannot be read as Parquet ({type(error).__name__}); it "
            "may be cut short. Fetch or write it again."
        ) from error


def _refuse_footer(path: Path) -> None:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        declared = int.from_bytes(file.read(4), "little")
    if MAX_FOOTER < declared <= size:
        raise DataError(
            f"{path.name!r} describes itself in {declared:,} bytes; {MAX_FOOTER:,} is "
            "the most that is read. Write it again without that metadata."
        )


def _refuse_rows(path: Path, metadata: Any) -> None:
    if metadata.num_rows > MAX_ROWS:
        raise DataError(
            f"{path.name!r} declares {metadata.num_rows:,} rows; {MAX_ROWS:,} "
            "is the most that is read. Split it."
        )


def _is_nested(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_nested(kind))


def _unpacked(path: Path, column: Any) -> int:
    """Bytes of a column with its texts written out; no single one may be endless."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if not (
        pa.types.is_dictionary(kind)
        and (pa.types.is_string(kind.value_type) or pa.types.is_binary(kind.value_type))
    ):
        return int(column.nbytes)
    sizes = pc.binary_length(column.dictionary)
    longest = pc.max(sizes).as_py() or 0
    if longest > reading.MAX_LINE:
        raise DataError(
            f"{path.name!r} has a text of {longest:,} bytes; {reading.MAX_LINE:,} is "
            "the most one may have. Split it into one document a row."
        )
    return int(pc.sum(sizes.take(column.indices)).as_py() or 0)
