"""Files read strictly: every way a file can be wrong is one line that names it."""

from pathlib import Path

import pytest

from specfair.errors import DataError
from specfair.texts import reading, tables


def test_lines_keep_their_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\ntwo\n\nthree")
    assert list(reading.lines(path)) == [b"one\r\n", b"two\n", b"\n", b"three"]


def test_a_line_may_be_as_long_as_the_limit_and_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * (reading.MAX_LINE - 1) + b"\nshort\n")
    assert len(list(reading.lines(path))) == 2
    path.write_bytes(b"short\n" + b"x" * reading.MAX_LINE + b"\n")
    with pytest.raises(
        DataError, match=r"line 2 of 'a.txt' is longer than 1,048,576 bytes"
    ):
        list(reading.lines(path))


def test_a_csv_record_goes_on_until_its_quotes_close(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n"one ""1""\nstill one",2\nthree,4\n')
    assert list(tables.rows(path)) == [
        {"a": 'one "1"\nstill one', "b": "2"},
        {"a": "three", "b": "4"},
    ]


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    for name, content in (
        ("a.csv", "a\nx\n"),
        ("a.tsv", "a\nx\n"),
        ("a.jsonl", '{"a": "x"}\n'),
    ):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + content.encode())
        assert list(tables.rows(tmp_path / name)) == [{"a": "x"}]
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert reading.document(tmp_path / "a.json") == {"a": 1}


def test_tsv_knows_no_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('a\tb\n"one\ttwo"\n')
    assert list(tables.rows(path)) == [{"a": '"one', "b": 'two"'}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", 'a,b\n"one,2\nthree,4\n', "'a.csv' ends inside a quoted field"),
        (
            "a.csv",
            'a\n"' + "one\n" * 300_000,
            "'a.csv' has a quoted field of more than 1,048,576 bytes",
        ),
        ("a.csv", "a,b\none\n", "record 2 of 'a.csv' has 1 fields; its header has 2"),
        (
            "a.csv",
            "a\n" + "x" * 200_000 + "\n",
            "'a.csv' has a record that is not CSV: field larger than field limit",
        ),
        ("a.jsonl", "[" * 100_000 + "\n", "line 1 of 'a.jsonl' is not JSON"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        list(tables.rows(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_blank_records_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n\n1,2\n")
    (tmp_path / "a.jsonl").write_text('\n{"a": 1}\n')
    assert len(list(tables.rows(tmp_path / "a.csv"))) == 1
    assert len(list(tables.rows(tmp_path / "a.jsonl"))) == 1


def test_label_is_empty_for_what_stands_for_nothing() -> None:
    assert [reading.label(v) for v in (None, float("nan"), " ", "")] == [""] * 4


def test_a_label_may_be_called_none() -> None:
    assert [reading.label(v) for v in ("None", "nan", "NULL")] == [
        "None",
        "nan",
        "NULL",
    ]
    assert [reading.label(v) for v in (" queer ", 3, 0)] == ["queer", "3", "0"]


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    for read in (
        reading.whole,
        reading.document,
        lambda path: list(reading.lines(path)),
    ):
        with pytest.raises(DataError, match="cannot be read \\(Is a directory\\)"):
            read(tmp_path)
        with pytest.raises(DataError, match="cannot be read \\(File name too long\\)"):
            read(tmp_path / ("x" * 300))


def test_a_document_is_not_endless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_JSON", 10)
    (tmp_path / "a.json").write_text("[" + "1," * 10 + "1]")
    with pytest.raises(DataError, match=r"'a.json' is larger than 10 bytes"):
        reading.document(tmp_path / "a.json")


def test_the_place_of_a_wrong_byte(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'["a",\n"b\xff"]')
    with pytest.raises(
        DataError, match=r"line 2 of 'a.json' has byte 0xff at column 3"
    ):
        reading.document(tmp_path / "a.json")


@pytest.mark.parametrize("text", [r'{"text": "\ud800"}', r'{"\uDFFF": 1}'])
def test_half_a_character_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(
        DataError,
        match=r"line 1 of 'a.jsonl' is not JSON \(it has half a character, '\\ud",
    ):
        list(tables.rows(tmp_path / "a.jsonl"))
    with pytest.raises(
        DataError, match=r"'a.jsonl' is not JSON \(it has half a character"
    ):
        reading.document(tmp_path / "a.jsonl")
