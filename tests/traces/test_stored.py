"""Texts and readings survive the disk; anything else there is refused in one line."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specfair.errors import StoreError
from specfair.traces.stored import (
    load_reading,
    load_states,
    load_text,
    save_reading,
    save_states,
    save_text,
)
from specfair.traces.trace import READING, TEXT, Columns, Text
from tests.made_traces import by_start, numbered


def written(lengths: list[int]) -> Text:
    """A text whose prompts have been read."""
    text = numbered(lengths).text
    inputs = tuple(np.arange(n + 1, dtype=np.int32) for n in lengths)
    return replace(text, inputs=inputs)


@pytest.mark.parametrize("lengths", [[3, 0, 2], [0, 0], [1]])
def test_a_text_survives(tmp_path: Path, lengths: list[int]) -> None:
    text = written(lengths)
    save_text(text, tmp_path / "t")
    found = load_text(tmp_path / "t")
    assert (found.header, found.prompts) == (text.header, text.prompts)
    assert np.array_equal(found.offsets, text.offsets)
    assert same(found.columns, text.columns, list(TEXT))
    for one, other in zip(found.inputs, text.inputs, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("lengths", [[3, 0, 2], [0, 0], [1]])
def test_a_reading_survives_with_the_tokens_it_is_of(
    tmp_path: Path, lengths: list[int], depth: int
) -> None:
    trace = numbered(lengths)
    trace = by_start(trace, depth) if depth else trace
    save_reading(trace, tmp_path / "t")
    found = load_reading(tmp_path / "t")
    assert found.provenance == trace.provenance
    assert found.prompts == trace.prompts
    assert np.array_equal(found.offsets, trace.offsets)
    assert same(found.text.columns, trace.text.columns, ["token"])
    assert same(found.reading.columns, trace.reading.columns, [*trace.reading.columns])


def same(a: Columns, b: Columns, names: list[str]) -> bool:
    columns = all(
        np.array_equal(a[n], b[n]) and a[n].dtype == b[n].dtype for n in names
    )
    return sorted(a) == sorted(names) and columns


def _changed(path: Path, change: Callable[[dict], object]) -> None:
    table = pq.read_table(path)
    header = json.loads(table.schema.metadata[b"specfair"])
    change(header)
    said = {b"specfair": json.dumps(header).encode()}
    pq.write_table(table.replace_schema_metadata(said), path)


def _no_column(path: Path) -> None:
    pq.write_table(pq.read_table(path).drop_columns(["token"]), path)


DAMAGES: list[Callable[[Path], object]] = [
    lambda p: p.write_bytes(p.read_bytes()[:200]),
    lambda p: pq.write_table(pa.table({"a": [1]}), p),
    lambda p: _changed(p, lambda header: header.update(schema=99)),
    lambda p: _changed(p, lambda header: header["decoding"].update(top_p=7.0)),
    lambda p: _changed(p, lambda header: header.pop("target")),
    lambda p: _changed(p, lambda header: header["trace_prompts"].pop()),
    lambda p: _changed(p, lambda header: header.update(inputs=[[1]])),
    lambda p: _changed(p, lambda header: header.update(inputs=[[1], ["a"], []])),
    lambda p: _changed(p, lambda header: header.update(inputs=[[[1]], [[2]], [[3]]])),
    _no_column,
    Path.unlink,
    lambda p: p.write_bytes(b""),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_line(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    path = tmp_path / "t"
    for save, load in (
        (lambda: save_text(written([3, 1, 2]), path), load_text),
        (lambda: save_reading(numbered([3, 1, 2]), path), load_reading),
    ):
        save()
        damage(path)
        with pytest.raises(StoreError, match=r"'t' cannot be read .* computed again"):
            load(path)


def test_a_reading_of_an_older_schema_is_none(tmp_path: Path) -> None:
    """Its columns mean other things."""
    save_reading(numbered([3]), tmp_path / "t")
    _changed(tmp_path / "t", lambda header: header.update(schema=1))
    with pytest.raises(StoreError, match="cannot be read"):
        load_reading(tmp_path / "t")


def test_the_text_in_a_trace_of_the_version_before_is_read(tmp_path: Path) -> None:
    """As that version wrote it: one flat header, text and reading in one file."""
    trace = numbered([2, 1])
    header = {
        "target": "t",
        "draft": "d",
        "target_fingerprint": "ft",
        "draft_fingerprint": "fd",
        "tokenizer_fingerprint": "fk",
        "prompts": "set",
        "prompts_fingerprint": "fp",
        "decoding": {
            "max_new_tokens": 20,
            "temperature": 0.5,
            "top_k": 0,
            "top_p": 1.0,
            "seed": 0,
            "ignore_eos": False,
        },
        "dtype": "float32",
        "device": "cpu",
        "eos": [0],
        "cost_ratio": 0.1,
        "versions": {"x": "1"},
        "schema": 1,
        "trace_prompts": [
            {
                "id": p.id,
                "group": p.group,
                "cluster": p.cluster,
                "template": p.template,
                "text": p.text,
            }
            for p in trace.prompts
        ],
    }
    columns = {"prompt": np.array([0, 0, 1], dtype=np.int32)}
    columns |= {name: trace[name] for name in sorted({**TEXT, **READING})}
    table = pa.table(columns).replace_schema_metadata(
        {b"specfair": json.dumps(header).encode()}
    )
    pq.write_table(table, tmp_path / "old", compression="zstd")
    found = load_text(tmp_path / "old")
    assert (found.header, found.prompts) == (trace.header, trace.prompts)
    assert same(found.columns, trace.text.columns, list(TEXT))
    assert found.inputs == ()


def test_states_survive_and_are_those_of_their_text(tmp_path: Path) -> None:
    text, path = written([3, 0, 2]), tmp_path / "s"
    states = np.arange(5 * 8, dtype=np.uint8).reshape(5, 8)
    save_states(states, path)
    assert np.array_equal(load_states(text, path), states)
    for other in (written([3, 0]), written([3, 0, 3])):
        with pytest.raises(StoreError, match=r"'s' cannot be read .* reads its text"):
            load_states(other, path)
    for damage in (b"", b"garbage", path.read_bytes()[:31], path.read_bytes()[:-3]):
        path.write_bytes(damage)
        with pytest.raises(StoreError, match=r"'s' cannot be read .* reads its text"):
            load_states(text, path)
