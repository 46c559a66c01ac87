"""A Trace survives the disk, selects, concatenates and sums by prompt; anything else on
disk is refused in one line.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specfair.decoding import Decoding
from specfair.errors import StoreError
from specfair.texts.prompts import Prompt
from specfair.traces.trace import COLUMNS, Header, Trace, concatenate, load, save


def make(lengths: list[int], first: int = 0) -> Trace:
    n = sum(lengths)
    rng = np.random.default_rng(first)
    columns = {
        name: (rng.random(n) * (5 if kind is np.int32 else 1)).astype(kind)
        for name, kind in COLUMNS.items()
    }
    prompts = tuple(
        Prompt(f"p{first + i}", "gäb"[i % 3], f"c{i}", "t", f"text {i}\n\u202e")
        for i in range(len(lengths))
    )
    header = Header(
        "t",
        "d",
        "ft",
        "fd",
        "fk",
        "set",
        "fp",
        Decoding(temperature=0.5),
        "float32",
        "cpu",
        (0,),
        0.1,
        {"x": "1"},
    )
    return Trace(
        header,
        prompts,
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        columns,
    )


def same(a: Trace, b: Trace) -> bool:
    columns = all(
        np.array_equal(a[name], b[name]) and a[name].dtype == b[name].dtype
        for name in COLUMNS
    )
    return (
        a.header == b.header
        and a.prompts == b.prompts
        and np.array_equal(a.offsets, b.offsets)
        and columns
    )


@pytest.mark.parametrize("lengths", [[3, 0, 2], [0, 0], [1]])
def test_round_trip(tmp_path: Path, lengths: list[int]) -> None:
    trace = make(lengths)
    save(trace, tmp_path / "t")
    assert same(load(tmp_path / "t"), trace)


def test_select_and_concatenate_are_inverse() -> None:
    trace = make([3, 0, 2, 4])
    keep = np.array([True, False, True, False])
    joined = concatenate([trace.select(keep), trace.select(~keep)])
    assert [p.id for p in joined.prompts] == ["p0", "p2", "p1", "p3"]
    assert (
        joined["token"].tolist()
        == np.concatenate(
            [trace["token"][[0, 1, 2, 3, 4]], trace["token"][5:]]
        ).tolist()
    )
    assert joined.lengths.tolist() == [3, 2, 0, 4]


def test_places_select_in_their_own_order() -> None:
    trace = make([3, 0, 2, 4])
    chosen = trace.select(np.array([3, 0, 1]))
    assert [p.id for p in chosen.prompts] == ["p3", "p0", "p1"]
    assert chosen["token"].tolist() == trace["token"][[5, 6, 7, 8, 0, 1, 2]].tolist()
    assert chosen.lengths.tolist() == [4, 3, 0]


def test_sums_by_prompt_include_prompts_without_tokens() -> None:
    trace = make([2, 0, 1])
    assert trace.per_prompt(np.array([1.0, 2.0, 4.0])).tolist() == [3.0, 0.0, 4.0]


def test_frame_has_a_row_per_token_with_labels_and_position() -> None:
    frame = make([2, 0, 1]).frame
    assert frame["position"].tolist() == [0, 1, 0]
    assert frame["id"].tolist() == ["p0", "p0", "p2"]
    assert set(COLUMNS) < set(frame.columns)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def _other_table(path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), path)


def _other_schema(path: Path) -> None:
    table = pq.read_table(path)
    meta = {
        k: v.replace(b'"schema": 1', b'"schema": 99')
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
def test_damage_is_one_line(tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "t"
    save(make([3]), path)
    damage(path)
    with pytest.raises(StoreError, match=r"trace 't' cannot be read .* computed again"):
        load(path)


def test_decoding_in_words() -> None:
    assert str(Decoding()) == "greedy, at most 20 new tokens"
    assert (
        str(Decoding(5, 0.7, 3, 0.9))
        == "temperature 0.7, top_k 3, top_p 0.9, at most 5 new tokens"
    )
    assert str(Decoding(5, ignore_eos=True)) == "greedy, exactly 5 new tokens"
