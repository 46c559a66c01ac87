"""Rows of tables, and what a Parquet file may unpack to."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specfair.errors import DataError
from specfair.texts import reading, tables


def write(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_rows_are_plain(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet", a=["x", None, "x"], n=[1, 2, 3], inner=[[1], [2], []]
    )
    assert list(tables.rows(path)) == [
        {"a": "x", "n": 1},
        {"a": None, "n": 2},
        {"a": "x", "n": 3},
    ]
    assert tables.column_names(path) == ["a", "n", "inner"]
    assert tables.whole_table(path, limit=1 << 20).column("a").to_pylist() == [
        "x",
        None,
        "x",
    ]


def test_categories_of_pandas_are_texts(tmp_path: Path) -> None:
    column = pa.array(["x", "y", "x"]).dictionary_encode()
    numbers = pa.array([7, 8, 7]).dictionary_encode()
    path = write(tmp_path / "a.parquet", a=column, n=numbers)
    assert [tuple(row.values()) for row in tables.rows(path)] == [
        ("x", 7),
        ("y", 8),
        ("x", 7),
    ]


def test_a_few_bytes_that_stand_for_gigabytes_are_refused(tmp_path: Path) -> None:
    """One text of a MiB, said 4,096 times: 4 GiB if it were written out, a few KB
    here.
    """
    text = pa.array(["x" * reading.MAX_LINE])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 4096, pa.int32()), text)
    path = write(tmp_path / "bomb.parquet", group=column)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(
        DataError,
        match=r"'bomb.parquet' has more than 2,147,483,648 bytes of rows, unpacked",
    ):
        list(tables.rows(path))


def test_a_text_that_is_endless_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", text=["x" * (reading.MAX_LINE + 1)])
    with pytest.raises(
        DataError,
        match=r"'a.parquet' has a text of 1,048,577 bytes; 1,048,576 is the most",
    ):
        list(tables.rows(path))


def test_a_description_that_is_endless_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"a": [1]}).replace_schema_metadata({"x": "y" * 10_000}), path
    )
    monkeypatch.setattr(tables, "MAX_FOOTER", 9_000)
    with pytest.raises(
        DataError,
        match=r"'a.parquet' describes itself in [\d,]+ bytes; 9,000 is the most",
    ):
        list(tables.rows(path))


def test_too_many_rows_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.parquet", a=[1, 2, 3])
    monkeypatch.setattr(tables, "MAX_ROWS", 2)
    with pytest.raises(DataError, match=r"'a.parquet' declares 3 rows; 2 is the most"):
        list(tables.rows(path))


def test_a_large_file_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "x" * 100}) + "\n")
    monkeypatch.setattr(tables, "MAX_TABLE", 50)
    with pytest.raises(DataError, match=r"'a.jsonl' has more than 50 bytes of rows"):
        list(tables.rows(path))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    raw = pa.array([b"\xff\xfe"], pa.binary())
    path = write(tmp_path / "a.parquet", text=raw.view(pa.string()))
    with pytest.raises(
        DataError, match=r"'a.parquet' cannot be read as Parquet \(ArrowInvalid\)"
    ):
        list(tables.rows(path))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv", "a.parquet"])
def test_a_folder_is_no_table(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=rf"'{name}' cannot be read \(Is a directory\)"):
        list(tables.rows(tmp_path / name))


def test_a_nested_column_is_not_a_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", text=[["x"]])
    with pytest.raises(
        DataError,
        match=r"column 'text' of 'a.parquet' is a list<.*>; plain values are read",
    ):
        list(tables.batches(path, ["text"], limit=100))
