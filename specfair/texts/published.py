"""The corpora as their publishers write them: columns with or without a header,
folders, wikitext, splits.

Knows the five formats and how the splits of a folder are named. Does not know the hub,
nor the embedded corpora.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from specfair.errors import DataError
from specfair.texts import hub, reading, tables
from specfair.texts.documents import (
    articles,
    chained,
    held_out,
    of_dataset,
    of_files,
    of_records,
)

# to train on, held out, and how that was decided in words
Parts = tuple[Sequence[str], Sequence[str], str]
TRAIN = "train"
HELD_OUT = ("validation", "valid", "dev", "val", "test", "heldout")
PLAIN = (".txt", ".raw", ".tokens")
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Format:
    """How one corpus is written."""

    # any one of these sets makes the text; () for the one column there is
    columns: tuple[tuple[str, ...], ...] = ()
    joint: str = "\n"  # between columns
    headless: tuple[int, ...] = ()  # columns by place, in files without a header
    n_fields: int = 0  # by which such a file is known, together with
    label: int = 0  # the place of a field that is a number
    mark: str = ""  # a column that says which rows are held out
    by_article: bool = False
    suffixes: tuple[str, ...] = reading.TABLES  # which files of a folder count


FORMATS: Mapping[str, Format] = {
    "ag_news": Format(
        (("text",), ("title", "description")),
        joint=" ",
        headless=(1, 2),
        n_fields=3,
        label=0,
    ),
    "imdb": Format((("text",), ("review",)), mark="is_valid"),
    "cnn_dailymail": Format((("article", "highlights"), ("text",))),
    "sst2": Format((("sentence",), ("text",)), headless=(0,), n_fields=2, label=1),
    "wikitext": Format(
        (("text",),), by_article=True, suffixes=(*reading.TABLES, *PLAIN)
    ),
}


def read_corpus(place: Path, form: Format) -> Parts:
    """A file or folder in this format, split as it says itself or by a tenth."""
    if not reading.existing(place).is_file():
        return _review_folders(place) or _folder(place, form)
    return _by_mark(place, form) if _is_marked(place, form) else _tenth([place], form)


def _tenth(files: Sequence[Path], form: Format) -> Parts:
    names = _names(files)
    return *held_out(names, _chained(files, form)), f"{names}, a tenth of it held out"


def _chained(files: Sequence[Path], form: Format) -> Sequence[str]:
    return chained([_documents(file, form) for file in files])


def _folder(folder: Path, form: Format) -> Parts:
    """Files named for their splits, or the one file there is."""
    known = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in form.suffixes]
    files = [p for p in known if p.is_file()]
    train = [p for p in files if _split(p) == TRAIN]
    others = [[p for p in files if _split(p) == name] for name in HELD_OUT]
    rest = next(filter(None, others), [])
    if train and rest:
        how = f"{_names(train)}; held out: {_names(rest)}"
        return _chained(train, form), _chained(rest, form), how
    only = train or rest or files
    if not only or not (train or rest or len(files) == 1):
        raise DataError(
            f"{str(folder)!r} holds {len(files)} files in a known format "
            f"({', '.join(form.suffixes)}) and none is named for a split; one file, or "
            "train and test, are needed. Name the file itself."
        )
    return read_corpus(only[0], form) if len(only) == 1 else _tenth(only, form)


def _split(path: Path) -> str:
    """The first word of the file's name that names a split."""
    words = re.split("[^a-z]+", path.name.lower())
    return next((word for word in words if word in (TRAIN, *HELD_OUT)), "")


def _names(files: Sequence[Path]) -> str:
    first, more = files[0].name, len(files) - 1
    return f"{first} and {more} more" if more else first


def _review_folders(place: Path) -> Parts | None:
    """aclImdb: train and test, one folder a label, one file a review; what has no label
    is left out.
    """
    root = place / "aclImdb" if (place / "aclImdb").is_dir() else place
    parts = [
        [p for p in sorted((root / name).glob("*/*.txt")) if p.parent.name != "unsup"]
        for name in ("train", "test")
    ]
    if not all(parts):
        return None
    how = f"{root.name}/train; held out: {root.name}/test"
    return of_files(parts[0]), of_files(parts[1]), how


def _documents(path: Path, form: Format) -> Sequence[str]:
    suffix = path.suffix.lower()
    if suffix == reading.PARQUET:
        chosen = text_columns(path.name, tables.column_names(path), form)
        data = hub.mapped(path, chosen)
        found = of_dataset(path.name, data, chosen, joint=form.joint)
    elif suffix == reading.JSONL:
        found = of_records(path, _json_lines(path, form))
    elif suffix in (reading.QUOTED, reading.TABS):
        found = of_records(path, _fields(path, form))
    else:
        found = of_records(path, lambda line, _: reading.plain_line(line))
    return articles(found) if form.by_article else found


def text_columns(where: str, found: Sequence[str], form: Format) -> list[str]:
    """The columns that make the text, as they are spelt there."""
    spelt = {name.strip().lower(): name for name in found}
    only = tuple(spelt) if len(spelt) == 1 else ("text",)
    for wanted in form.columns or (("text",), only):
        if all(name.lower() in spelt for name in wanted):
            return [spelt[name.lower()] for name in wanted]
    wanted = form.columns[0] if form.columns else ("text",)
    missing = next(name for name in wanted if name.lower() not in spelt)
    raise DataError(
        f"{where!r} has no column {missing!r}; its columns are "
        f"{', '.join(map(repr, found)) or 'none'}. Rename one, or name it: "
        f"file:{where}#{next(iter(found), 'COLUMN')}."
    )


def _json_lines(path: Path, form: Format) -> Callable[[bytes, int], str]:
    chosen: list[str] = []

    def parse(line: bytes, number: int) -> str:
        found = reading.parsed(path, line, number)
        if not chosen:
            chosen.extend(text_columns(path.name, list(found), form))
        reading.need(f"line {number:,} of {path.name}", found, chosen)
        values = [found[name] for name in chosen]
        for name, value in zip(chosen, values, strict=True):
            if not isinstance(value, str | None):
                raise DataError(
                    f"line {number:,} of {path.name!r} has {name} {value!r}; a "
                    "document must be a string. Quote it."
                )
        return form.joint.join(value for value in values if value)

    return parse


def _fields(path: Path, form: Format) -> Callable[[bytes, int], str]:
    """How a record of this file becomes a text; the header becomes none."""
    header = _first(path)
    bare = 0 < len(header) == form.n_fields and header[form.label].strip().isdigit()
    places: Sequence[int] = form.headless
    if not bare:
        places = [header.index(n) for n in text_columns(path.name, header, form)]

    def parse(record: bytes, number: int) -> str:
        if number == 1 and not bare:
            return ""
        fields = _row(path, record, number, n=len(header))
        return form.joint.join(fields[i] for i in places if fields[i].strip())

    return parse


def _first(path: Path) -> list[str]:
    return reading.cells(path, next(reading.records(path), b""))


def _row(path: Path, record: bytes, number: int, *, n: int) -> list[str]:
    fields = reading.cells(path, record)
    if len(fields) != n:
        raise DataError(
            f"record {number:,} of {path.name!r} has {len(fields)} fields; the first "
            f"has {n}. Mend the record, or quote what holds separators."
        )
    return fields


def _is_marked(path: Path, form: Format) -> bool:
    table = path.suffix.lower() in (reading.QUOTED, reading.TABS)
    return bool(form.mark) and table and form.mark in _first(path)


def _by_mark(path: Path, form: Format) -> Parts:
    """Parts by a column of the file; if that puts all rows on one side, by a tenth."""
    train = of_records(path, _only(path, form, wanted=False))
    rest = of_records(path, _only(path, form, wanted=True))
    if not (len(train) and len(rest)):
        return _tenth([path], form)
    return train, rest, f"{path.name}, held out by its column {form.mark}"


def _only(path: Path, form: Format, *, wanted: bool) -> Callable[[bytes, int], str]:
    parse, header = _fields(path, form), _first(path)
    place = header.index(form.mark)

    def marked(record: bytes, number: int) -> str:
        if number == 1:
            return ""
        mark = _row(path, record, number, n=len(header))[place]
        if mark.strip().lower() not in _TRUTH:
            raise DataError(
                f"record {number:,} of {path.name!r} has {form.mark} {mark!r}; "
                "it must be True or False. Mend it."
            )
        return parse(record, number) if _TRUTH[mark.strip().lower()] is wanted else ""

    return marked
