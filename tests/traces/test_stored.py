"""A Trace survives the disk; anything else there is refused in one line."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specfair.errors import StoreError
from specfair.traces.stored import load_trace, save_trace
from specfair.traces.trace import Trace
from tests.made_traces import by_start, numbered


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("lengths", [[3, 0, 2], [0, 0], [1]])
def test_round_trip(tmp_path: Path, lengths: list[int], depth: int) -> None:
    trace = numbered(lengths)
    trace = by_start(trace, depth) if depth else trace
    save_trace(trace, tmp_path / "t")
    assert same(load_trace(tmp_path / "t"), trace)


def same(a: Trace, b: Trace) -> bool:
    columns = all(
        np.array_equal(a[name], b[name]) and a[name].dtype == b[name].dtype
        for name in a.columns
    )
    return (
        a.provenance == b.provenance
        and a.prompts == b.prompts
        and np.array_equal(a.offsets, b.offsets)
        and a.columns.keys() == b.columns.keys()
        and columns
    )


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def _other_table(path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), path)


def _other_schema(path: Path) -> None:
    table = pq.read_table(path)
    meta = {
        k: v.replace(b'"schema": 2', b'"schema": 1')
        for k, v in table.schema.metadata.items()
    }
    pq.write_table(table.replace_schema_metadata(meta), path)


def _no_column(path: Path) -> None:
    pq.write_table(pq.read_table(path).drop_columns(["kl"]), path)


@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        _other_table,
        _other_schema,
        _no_column,
        Path.unlink,
        lambda p: p.write_bytes(b""),
    ],
)
def test_damage_is_one_line(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    path = tmp_path / "t"
    save_trace(numbered([3]), path)
    damage(path)
    with pytest.raises(StoreError, match=r"trace 't' cannot be read .* computed again"):
        load_trace(path)


def test_a_decoding_that_can_not_be_is_refused(tmp_path: Path) -> None:
    save_trace(numbered([1]), tmp_path / "t")
    table = pq.read_table(tmp_path / "t")
    header = json.loads(table.schema.metadata[b"specfair"])
    header["decoding"]["top_p"] = 7.0
    pq.write_table(
        table.replace_schema_metadata({b"specfair": json.dumps(header).encode()}),
        tmp_path / "t",
    )
    with pytest.raises(StoreError, match="cannot be read"):
        load_trace(tmp_path / "t")
