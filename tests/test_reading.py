"""Files read strictly: every way a file can be wrong is one line that names it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specfair import reading
from specfair.errors import DataError
from tests.hub_stand_in import cache_in


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    cache_in(tmp_path_factory.mktemp("cache"), monkeypatch)


def test_lines_keep_their_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\ntwo\n\nthree")
    assert list(reading.lines(path)) == [b"one\r\n", b"two\n", b"\n", b"three"]


def test_a_line_may_be_as_long_as_the_limit_and_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * (reading.MAX_LINE - 1) + b"\nshort\n")
    assert len(list(reading.lines(path))) == 2
    path.write_bytes(b"short\n" + b"x" * reading.MAX_LINE + b"\n")
    with pytest.raises(DataError, match=r"line 2 of 'a.txt' is longer than 1,048,576 bytes"):
        list(reading.lines(path))


def test_a_csv_record_goes_on_until_its_quotes_close(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n"one ""1""\nstill one",2\nthree,4\n')
    assert list(reading.rows(path)) == [{"a": 'one "1"\nstill one', "b": "2"}, {"a": "three", "b": "4"}]


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    for name, content in (("a.csv", "a\nx\n"), ("a.tsv", "a\nx\n"), ("a.jsonl", '{"a": "x"}\n')):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + content.encode())
        assert list(reading.rows(tmp_path / name)) == [{"a": "x"}]
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert reading.document(tmp_path / "a.json") == {"a": 1}


def test_tsv_knows_no_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('a\tb\n"one\ttwo"\n')
    assert list(reading.rows(path)) == [{"a": '"one', "b": 'two"'}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", 'a,b\n"one,2\nthree,4\n', "'a.csv' ends inside a quoted field"),
        ("a.csv", 'a\n"' + "one\n" * 300_000, "'a.csv' has a quoted field of more than 1,048,576 bytes"),
        ("a.csv", "a,b\none\n", "record 2 of 'a.csv' has 1 fields; its header has 2"),
        ("a.csv", "a\n" + "x" * 200_000 + "\n", "'a.csv' has a record that is not CSV: field larger than field limit"),
        ("a.jsonl", "[" * 100_000 + "\n", "line 1 of 'a.jsonl' is not JSON"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        list(reading.rows(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_blank_records_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n\n1,2\n")
    (tmp_path / "a.jsonl").write_text('\n{"a": 1}\n')
    assert len(list(reading.rows(tmp_path / "a.csv"))) == 1
    assert len(list(reading.rows(tmp_path / "a.jsonl"))) == 1


def test_label_is_empty_for_what_stands_for_nothing() -> None:
    assert [reading.label(v) for v in (None, float("nan"), " ", "NaN", "null", "None")] == [""] * 6
    assert [reading.label(v) for v in (" queer ", 3, 0)] == ["queer", "3", "0"]


@pytest.mark.parametrize(("offline", "words"), [("1", " while HF_HUB_OFFLINE is set"), ("0", "")])
def test_hub_errors_are_one_line_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: str, words: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", offline)
    with pytest.raises(DataError, match=f"split 'train', cannot be loaded{words}: .*or use another") as caught:
        reading.hub(str(tmp_path / "nowhere" / "at" / "all"), None, "train", instead="use another")
    assert "\n" not in str(caught.value)


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(DataError, match=r"cannot be loaded.*: Unknown split"):
        reading.hub(str(tmp_path), None, "validation", instead="use another")


def test_scripts_are_not_run_but_read_from_the_conversion() -> None:
    """The loader is handed in, since a folder cannot have branches as the hub's repositories have."""
    asked: list[dict[str, Any]] = []

    def load(name: str, config: str | None = None, **options: Any) -> str:
        asked.append({"name": name, "config": config, **options})
        if "revision" not in options:
            raise RuntimeError("Dataset scripts are no longer supported, but found set.py")
        return "rows"

    assert reading._unscripted(load, "who/what", "en", split="test") == "rows"
    assert asked[1]["revision"] == "refs/convert/parquet"
    assert asked[1]["data_files"] == {"test": "en/test/*.parquet"}


def test_other_failures_of_the_loader_stay_what_they_are() -> None:
    def load(*_: Any, **__: Any) -> Callable[..., Any]:
        raise RuntimeError("no disk")

    with pytest.raises(RuntimeError, match="no disk"):
        reading._unscripted(load, "who/what", None, split="test")
