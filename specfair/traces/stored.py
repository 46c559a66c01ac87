"""A Trace on disk: Parquet with a JSON header.

Knows the file's layout, and refuses what is none. Text and reading lie in one file, as
every trace stored so far does.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from specfair.errors import SpecfairError, StoreError
from specfair.texts import tables
from specfair.texts.prompts import Prompt
from specfair.traces.trace import (
    COLUMNS,
    READING,
    SCHEMA,
    TEXT,
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
    columns = {"prompt": trace.rows.astype(np.int32)}
    columns |= {name: trace[name] for name in COLUMNS}
    table = pa.table(columns).replace_schema_metadata(
        {b"specfair": json.dumps(header).encode()}
    )
    pq.write_table(table, path, compression="zstd")


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
    text, reading = (
        {n: table[n].to_numpy().astype(kind, copy=False) for n, kind in kinds.items()}
        for kinds in (TEXT, READING)
    )
    return Trace(
        Text(typed(Header, header), prompts, offsets_of(counts), text),
        Reading(columns=reading, **about),
    )
