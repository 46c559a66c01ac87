"""Texts and readings on disk: Parquet with a JSON header; a text's states beside it.

Knows the files' layout, and refuses what is none. A reading's file holds the tokens
that were read beside what the draft made of them: whoever joins it to a text can tell
whether it is a reading of that text.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from specfair.errors import SpecfairError, StoreError
from specfair.texts import tables
from specfair.texts.prompts import Prompt
from specfair.traces.trace import (
    BY_START,
    LIMITED,
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

T = TypeVar("T")

MAX_BYTES = 1 << 36  # of columns, unpacked: 64 GiB
_FIELDS = [f.name for f in fields(Header)]


def save_text(text: Text, path: Path) -> None:
    """Write one Parquet file. Atomicity is the store's business."""
    inputs = {"inputs": [tokens.tolist() for tokens in text.inputs]}
    _save(text, asdict(text.header) | inputs, text.columns, path)


def save_reading(trace: Trace, path: Path) -> None:
    """The same for what a draft made of a text: of that one, the tokens alone."""
    columns = {**trace.text.bare.columns, **trace.reading.columns}
    _save(trace.text, trace.provenance, columns, path)


def save_states(states: NDArray[np.uint8], path: Path) -> None:
    """What went into the target's output layer, as it is: it hardly shrinks."""
    path.write_bytes(states.tobytes())


def load_states(text: Text, path: Path) -> NDArray[np.uint8]:
    """Those of this text, read from the file as they are needed."""
    try:
        states: NDArray[np.uint8] = np.memmap(path, np.uint8, mode="r")
        states = states.reshape(int(text.offsets[-1]), -1)
    except (ValueError, ZeroDivisionError) as error:
        raise StoreError(
            f"states {path.name!r} cannot be read ({type(error).__name__}); they are a "
            "row of bytes for each token. Delete it and the target reads its text."
        ) from error
    return states


def _save(text: Text, header: Mapping[str, Any], columns: Columns, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = {**header, "trace_prompts": [p.plain for p in text.prompts]}
    owner = np.repeat(np.arange(len(text.prompts), dtype=np.int32), text.lengths)
    table = pa.table({"prompt": owner, **_flat(columns)}).replace_schema_metadata(
        {b"specfair": json.dumps(about).encode()}
    )
    pq.write_table(table, path, compression="zstd")


def load_text(path: Path) -> Text:
    """Read what `save_text` wrote, or the text in a trace of the version before;
    anything else is a StoreError that says so.
    """
    return _load(path, _text)


def load_reading(path: Path) -> Trace:
    """Read what `save_reading` wrote: of the text, the tokens alone."""
    return _load(path, _reading)


def _load(path: Path, made: "Callable[[pa.Table, dict[str, Any]], T]") -> T:
    try:
        table = tables.whole_table(path, limit=MAX_BYTES)
        return made(table, json_of(table.schema.metadata[b"specfair"]))
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


def _text(table: "pa.Table", header: dict[str, Any]) -> Text:
    if header["schema"] not in range(1, SCHEMA + 1):  # a text's columns never changed
        raise ValueError("schema")
    return _laid_out(table, header | {"schema": SCHEMA}, _read(table, TEXT))


def _reading(table: "pa.Table", header: dict[str, Any]) -> Trace:
    if header["schema"] != SCHEMA:
        raise ValueError("schema")
    kinds: Mapping[str, type] = READING
    if "drafted" in table.column_names:
        few = {n: kind for n, kind in READING.items() if n in table.column_names}
        kinds = {**few, **BY_START}
    kinds = {**kinds, **{n: k for n, k in LIMITED.items() if n in table.column_names}}
    names = (("draft", str), ("draft_fingerprint", str), ("cost_ratio", float | None))
    about = {name: typed(kind, header[name]) for name, kind in names}
    text = _laid_out(table, header, _read(table, {"token": TEXT["token"]}))
    return Trace(text, Reading(columns=_read(table, kinds), **about))


def _laid_out(table: "pa.Table", header: Mapping[str, Any], columns: Columns) -> Text:
    prompts = tuple(typed(Prompt, plain) for plain in header["trace_prompts"])
    owner = table["prompt"].to_numpy()
    counts = np.bincount(owner, minlength=len(prompts))
    if len(counts) != len(prompts) or (np.diff(owner) < 0).any():
        raise ValueError("prompt")
    inputs = tuple(np.array(ids, dtype=np.int32) for ids in header.get("inputs", ()))
    if len(inputs) not in (0, len(prompts)) or any(ids.ndim != 1 for ids in inputs):
        raise ValueError("inputs")
    about = typed(Header, {name: header[name] for name in _FIELDS})
    return Text(about, prompts, offsets_of(counts), columns, inputs)


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
