"""Corpora on tiny files of our own in exactly the publishers' formats, and what is
wrong with others.
"""

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specfair.errors import DataError
from specfair.texts.published import FORMATS, Format, read_corpus
from tests.hub_stand_in import cache_in


@pytest.fixture(autouse=True)
def _own_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_in(tmp_path_factory.mktemp("cache"), monkeypatch)


def quoted(*rows: tuple[object, ...], every: bool = False) -> str:
    out = io.StringIO()
    csv.writer(
        out, quoting=csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL, lineterminator="\n"
    ).writerows(rows)
    return out.getvalue()


def everything(place: Path, name: str) -> set[str]:
    train, rest, _ = read_corpus(place, FORMATS[name])
    return {*train, *rest}


NEWS = [
    ("3", "Mills close", 'They said "no",\nthen left.'),
    ("4", "Rocket", "It flew."),
    ("1", "Talks", "They went on."),
]
JOINED = {
    'Mills close They said "no",\nthen left.',
    "Rocket It flew.",
    "Talks They went on.",
}


def test_ag_news_with_and_without_a_header(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text(quoted(*NEWS, every=True))
    (tmp_path / "classes.txt").write_text("World\nSports\n")
    (tmp_path / "readme.txt").write_text("About these files\n")
    assert everything(tmp_path, "ag_news") == JOINED
    assert everything(tmp_path / "test.csv", "ag_news") == JOINED
    headed = tmp_path / "headed.csv"
    headed.write_text(quoted(("Class Index", "Title", "Description"), *NEWS))
    assert everything(headed, "ag_news") == JOINED


def test_ag_news_with_the_publishers_two_files(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(quoted(*NEWS[:2], every=True))
    (tmp_path / "test.csv").write_text(quoted(*NEWS[2:], every=True))
    train, rest, how = read_corpus(tmp_path, FORMATS["ag_news"])
    assert (len(train), list(rest)) == (2, ["Talks They went on."])
    assert how == "train.csv; held out: test.csv"


REVIEWS = [
    ("negative", "Dull, I slept.", "False"),
    ("positive", "Fine.", "True"),
    ("positive", "Warm.", "False"),
]


def test_imdb_by_its_own_mark(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text(quoted(("label", "text", "is_valid"), *REVIEWS))
    train, rest, how = read_corpus(tmp_path, FORMATS["imdb"])
    assert (list(train), list(rest)) == (["Dull, I slept.", "Warm."], ["Fine."])
    assert how == "texts.csv, held out by its column is_valid"
    path.write_text(
        quoted(("label", "text", "is_valid"), *((a, b, "False") for a, b, _ in REVIEWS))
    )
    assert "a tenth" in read_corpus(path, FORMATS["imdb"])[2]


@pytest.mark.parametrize("mark", ["nan", "", "maybe"])
def test_imdb_with_a_mark_that_says_nothing(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "texts.csv"
    path.write_text(
        quoted(("label", "text", "is_valid"), *REVIEWS, ("positive", "Odd.", mark))
    )
    with pytest.raises(
        DataError,
        match=(
            f"record 5 of 'texts.csv' has is_valid '{mark}'; it must be True or False"
        ),
    ):
        read_corpus(path, FORMATS["imdb"])


@pytest.mark.parametrize("root", ["aclImdb", ""])
def test_imdb_folders(tmp_path: Path, root: str) -> None:
    for part, label, text in (
        ("train", "pos", "good"),
        ("train", "neg", "bad"),
        ("test", "pos", "fine"),
        ("train", "unsup", "?"),
    ):
        folder = tmp_path / root / part / label
        folder.mkdir(parents=True)
        (folder / "0_9.txt").write_text(text)
    train, rest, _ = read_corpus(tmp_path, FORMATS["imdb"])
    assert (set(train), list(rest)) == ({"good", "bad"}, ["fine"])


def test_cnn_dailymail_joins_article_and_highlights(tmp_path: Path) -> None:
    path = tmp_path / "validation_300.csv"
    path.write_text(
        quoted(
            ("article", "highlights", "id"),
            ("Long.\nStory.", "Short .", "1"),
            ("Only.", "", "2"),
        )
    )
    assert everything(path, "cnn_dailymail") == {"Long.\nStory.\nShort .", "Only."}


def test_sst2_with_and_without_a_header(tmp_path: Path) -> None:
    for name, text in (
        ("train", 'a "warm film\t1\nflat\t0\n'),
        ("dev", "fine\t1\n"),
        ("test", "dull\t0\n"),
    ):
        (tmp_path / f"{name}.tsv").write_text(text)
    train, rest, how = read_corpus(tmp_path, FORMATS["sst2"])
    assert (list(train), list(rest)) == (['a "warm film', "flat"], ["fine"])
    assert how == "train.tsv; held out: dev.tsv"
    (tmp_path / "glue.tsv").write_text("sentence\tlabel\nwarm\t1\nflat\t0\n")
    assert everything(tmp_path / "glue.tsv", "sst2") == {"warm", "flat"}


WIKI = (
    " \n = Mill = \n \n It stood . \n = = Use = = \n Flour . \n \n = Ford = \n \n "
    "Wet . \n"
)


def test_wikitext_by_article(tmp_path: Path) -> None:
    (tmp_path / "wiki.train.tokens").write_text(WIKI)
    (tmp_path / "wiki.valid.tokens").write_text(" = Lock = \n Shut . \n")
    train, rest, _ = read_corpus(tmp_path, FORMATS["wikitext"])
    assert list(train) == [
        " = Mill = \n It stood . \n = = Use = = \n Flour . ",
        " = Ford = \n Wet . ",
    ]
    assert len(rest) == 1


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_tables_of_rows(tmp_path: Path, suffix: str) -> None:
    rows = [{"text": "one"}, {"text": "two"}, {"text": None}, {"text": "three"}]
    path = tmp_path / f"train{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert everything(path, "imdb") - {""} == {"one", "two", "three"}


def test_wikitext_rows_are_lines(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"text": [line + "\n" for line in WIKI.split("\n")]}),
        tmp_path / "train-00000-of-00001.parquet",
    )
    assert everything(tmp_path, "wikitext") == {
        " = Mill = \n It stood . \n = = Use = = \n Flour . ",
        " = Ford = \n Wet . ",
    }


def test_splits_in_shards(tmp_path: Path) -> None:
    for i, text in enumerate("ab"):
        (tmp_path / f"train-{i:05}-of-00002.jsonl").write_text(
            f'{{"text": "{text}"}}\n'
        )
    (tmp_path / "test-00000-of-00001.jsonl").write_text('{"text": "c"}\n')
    train, rest, how = read_corpus(tmp_path, FORMATS["imdb"])
    assert (list(train), list(rest)) == (["a", "b"], ["c"])
    assert (
        how
        == "train-00000-of-00002.jsonl and 1 more; held out: test-00000-of-00001.jsonl"
    )
    (tmp_path / "test-00000-of-00001.jsonl").unlink()
    assert everything(tmp_path, "imdb") == {"a", "b"}


def test_a_file_of_ones_own_has_one_column_or_one_called_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("body\none\ntwo\n")
    assert {*read_corpus(path, Format())[0], *read_corpus(path, Format())[1]} == {
        "one",
        "two",
    }
    path.write_text("n,Text\n1,one\n2,two\n")
    assert {*read_corpus(path, Format())[0], *read_corpus(path, Format())[1]} == {
        "one",
        "two",
    }
    path.write_text("n,body\n1,one\n2,two\n")
    with pytest.raises(
        DataError,
        match=(
            r"'mine.csv' has no column 'text'; its columns are 'n', "
            r"'body'.*file:mine.csv#n"
        ),
    ):
        read_corpus(path, Format())
    assert len(read_corpus(path, Format((("body",),)))[0]) == 1


BAD: dict[str, tuple[str, bytes, str]] = {
    "wrong column": (
        "a.csv",
        b"label,review_text\n1,x\n",
        "'a.csv' has no column 'text'; its columns are 'label', 'review_text'",
    ),
    "short record": (
        "a.csv",
        b"label,text\n1,x\n2\n",
        "record 3 of 'a.csv' has 1 fields; the first has 2",
    ),
    "column lost": (
        "a.jsonl",
        b'{"text": "x"}\n{"txt": "y"}\n',
        "'line 2 of a.jsonl' has no column 'text'",
    ),
    "a number": (
        "a.jsonl",
        b'{"text": 3}\n',
        "line 1 of 'a.jsonl' has text 3; a document must be a string",
    ),
    "NaN": (
        "a.jsonl",
        b'{"text": NaN}\n',
        "line 1 of 'a.jsonl' has text nan; a document must be a string",
    ),
    "not UTF-8": (
        "a.csv",
        b"label,text\n1,caf\xe9\n",
        "line 2 of 'a.csv' has byte 0xe9 at column 6",
    ),
    "10 MB line": (
        "a.txt",
        b"x" * 10_000_000,
        "line 1 of 'a.txt' is longer than 1,048,576 bytes",
    ),
    "empty": (
        "a.jsonl",
        b"",
        "'a.jsonl' has 0 distinct documents; at least 2 are needed",
    ),
    "empty table": ("a.csv", b"", "'a.csv' has no column 'text'; its columns are none"),
    "torn Parquet": (
        "a.parquet",
        b"PAR1 torn",
        "'a.parquet' cannot be read as Parquet",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_get_one_line_and_write_nothing(tmp_path: Path, case: str) -> None:
    name, content, message = BAD[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_corpus(tmp_path / name, FORMATS["imdb"])
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_parquet_whose_column_is_no_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [1, 2]}), tmp_path / "a.parquet")
    with pytest.raises(
        DataError,
        match=(
            r"column 'text' of 'a.parquet' is of type int64; documents must be "
            r"strings"
        ),
    ):
        read_corpus(tmp_path / "a.parquet", FORMATS["imdb"])


def test_folders_that_do_not_say_which_file(tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"holds 0 files in a known format \(.csv, .tsv, .jsonl, .parquet\)",
    ):
        read_corpus(tmp_path, FORMATS["imdb"])
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("text\nx\n")
    with pytest.raises(
        DataError,
        match=r"holds 2 files in a known format .* and none is named for a split",
    ):
        read_corpus(tmp_path, FORMATS["imdb"])
    with pytest.raises(DataError, match=r"'.*nowhere' does not exist"):
        read_corpus(tmp_path / "nowhere", FORMATS["imdb"])
