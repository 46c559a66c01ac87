"""Lazy sequences of documents: the same texts as reading everything, splits that do not
leak, articles.
"""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specfair.errors import DataError
from specfair.texts.documents import (
    Documents,
    articles,
    chained,
    held_out,
    of_files,
    of_records,
    picked,
)


def plain(record: bytes, _: int) -> str:
    return record.decode().rstrip("\n")


def test_records_are_read_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    texts = [f"line {i} é" for i in range(50)]
    path.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    found = of_records(path, plain)
    assert list(found) == texts
    assert (found[-1], found[3], len(found)) == (texts[-1], texts[3], 50)
    assert list(found[10:20:3]) == texts[10:20:3]
    with pytest.raises(IndexError):
        found[50]


def test_an_empty_file_has_no_documents(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")
    assert list(of_records(tmp_path / "a.txt", plain)) == []


def test_memory_is_bounded_by_places_not_texts(tmp_path: Path) -> None:
    """20 MB of text, under 3 MB held at any time."""
    import tracemalloc

    path = tmp_path / "a.txt"
    with path.open("w") as file:
        for i in range(20_000):
            file.write(f"{i} " + "x" * 1_000 + "\n")
    tracemalloc.start()
    found = of_records(path, plain)
    assert sum(len(text) for text in found) > 20_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


def test_chained_and_picked() -> None:
    assert list(chained([["a", "b"], [], ["c"]])) == ["a", "b", "c"]
    only = ["a"]
    assert chained([only]) is only
    assert list(picked(["a", "b", "c"], [2, 0])) == ["c", "a"]


def test_one_document_a_file(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).write_text(f" {name} one\ntwo\n")
    assert list(of_files(sorted(tmp_path.iterdir()))) == ["a one\ntwo", "b one\ntwo"]


def test_articles_begin_at_headings_of_the_first_level() -> None:
    lines = [
        "before",
        "",
        " = One = ",
        "",
        "text",
        " = = Part = = ",
        "more",
        " = Two = ",
        "x = y",
        "a = b =",
    ]
    found = articles(lines)
    assert list(found) == [
        "before",
        " = One = \ntext\n = = Part = = \nmore",
        " = Two = \nx = y\na = b =",
    ]
    assert list(articles(lines[2:])) == list(found)[1:]
    without = ["no heading", "at all"]
    assert articles(without) is without


@given(
    st.lists(st.text(max_size=4), min_size=2, max_size=60).filter(
        lambda texts: len(set(texts)) > 1
    )
)
def test_held_out_is_a_tenth_that_shares_no_text(texts: list[str]) -> None:
    train, rest = held_out("mine", texts)
    assert sorted([*train, *rest]) == sorted(texts)
    assert not set(train) & set(rest)
    assert len(set(rest)) == max(1, len(set(texts)) // 10)
    shuffled = random.Random(1).sample(texts, len(texts))
    assert set(held_out("mine", shuffled)[1]) == set(rest)


@pytest.mark.parametrize("texts", [[], ["a"], ["a", "a"]])
def test_too_few_to_hold_out_any(texts: list[str]) -> None:
    with pytest.raises(
        DataError,
        match=(
            rf"'mine' has {len(set(texts))} distinct documents; at least 2 are "
            r"needed"
        ),
    ):
        held_out("mine", texts)


def test_slices_of_slices() -> None:
    found = Documents(10, str)
    assert list(found[2:][1:4][::2]) == ["3", "5"]
