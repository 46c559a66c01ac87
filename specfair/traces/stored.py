"""A Trace on disk: Parquet with a JSON header.

Knows the file's layout, and refuses what is none. Text and reading lie in one file, as
every trace stored so far does.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specfair.errors import SpecfairError, StoreError
from specfair.texts import tables
from specfair.texts.prompts import Prompt
from specfair.traces.trace import (
    BY_START,
    READING,
    SCHEMA,
    TEXT,
    Columns,
    Header,
    Reading,
    Text,
    Trace,
    offsets_of,
)
from specfair.typed import json_of, typed

if TYPE_CHECKING:
    import pyarrow as pa

MAX_BYTES = 1 << 36  # of columns, unpacked: 64 GiB


def save_trace(trace: Trace, path: Path) -> None:
    """Write one Parquet file. Atomicity is the store's business."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    header = trace.provenance | {"trace_prompts": [asdict(p) for p in trace.prompts]}
    columns = {"prompt": trace.rows.astype(np.int32), **_flat(trace.columns)}
    table = pa.table(columns).replace_schema_metadata(
        {b"specfair": json.dumps(header).encode()}
    )
    pq.write_table(table, path, compression="zstd")


def _flat(columns: Columns) -> dict[str, NDArray[Any]]:
    """Each place of a table is a column of its own: ahead 0, ahead 1, ..."""
    found: dict[str, NDArray[Any]] = {}
    for name, values in columns.items():
        wide = values.ndim > 1
        found |= (
            {f"{name} {j}": v for j, v in enumerate(values.T)}
            if wide
            else {name: values}
        )
    return found


def _read(table: "pa.Table", kinds: Mapping[str, type]) -> dict[str, NDArray[Any]]:
    """The columns of these kinds; the table "ahead" from its places."""
    found = {}
    for name, kind in kinds.items():
        places = [n for n in table.column_names if n.startswith(f"{name} ")]
        parts = [table[n].to_numpy().astype(kind, copy=False) for n in places or [name]]
        found[name] = np.stack(parts, axis=1) if places else parts[0]
    return found


def load_trace(path: Path) -> Trace:
    """Read what `save_trace` wrote; anything else is a StoreError that says so."""
    try:
        table = tables.whole_table(path, limit=MAX_BYTES)
        header = json_of(table.schema.metadata[b"specfair"])
        return _build(table, header)
    except (
        SpecfairError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
    ) as error:
        raise StoreError(
            f"trace {path.name!r} cannot be read ({type(error).__name__}); traces are "
            f"Parquet of schema {SCHEMA}. Delete it and it is computed again."
        ) from error


def _build(table: "pa.Table", header: dict[str, Any]) -> Trace:
    if header.get("schema") != SCHEMA:
        raise ValueError("schema")
    prompts = tuple(Prompt(**p) for p in header.pop("trace_prompts"))
    for prompt in prompts:
        if any(type(getattr(prompt, name)) is not str for name in Prompt.__slots__):
            raise TypeError("prompts")
    owner = table["prompt"].to_numpy()
    counts = np.bincount(owner, minlength=len(prompts))
    if len(counts) != len(prompts) or (np.diff(owner) < 0).any():
        raise ValueError("prompt")
    about = {
        name: typed(kind, header.pop(name))
        for name, kind in (
            ("draft", str),
            ("draft_fingerprint", str),
            ("cost_ratio", float | None),
        )
    }
    kinds: Mapping[str, type] = READING
    if "drafted" in table.column_names:
        few = {n: kind for n, kind in READING.items() if n in table.column_names}
        kinds = {**few, **BY_START}
    text, reading = _read(table, TEXT), _read(table, kinds)
    return Trace(
        Text(typed(Header, header), prompts, offsets_of(counts), text),
        Reading(columns=reading, **about),
    )
