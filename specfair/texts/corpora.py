"""Fine-tuning corpora: embedded, from the hub, or files in the publishers' formats.

Knows the five corpora by name, their hub ids, and where a source comes from. How files
are laid out is known elsewhere, and so is how often groups are mentioned.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from specfair.errors import DataError, UsageError, unknown
from specfair.texts import hub, reading
from specfair.texts.documents import articles, of_dataset
from specfair.texts.prompts import fixtures
from specfair.texts.published import FORMATS, PLAIN, Format, read_corpus, text_columns
from specfair.vocabulary import DATASETS, EMBEDDED, OWN_DATASET, dataset_name

HUB = "hub"
_MANNER: Mapping[str, str] = {
    "ag_news": "news items",
    "imdb": "reviews",
    "cnn_dailymail": "articles with highlights",
    "sst2": "phrases from reviews",
    "wikitext": "encyclopaedia paragraphs",
}


@dataclass(frozen=True, slots=True)
class OnHub:
    """Where a corpus is published."""

    name: str
    config: str | None
    train: str
    heldout: str


ON_HUB: Mapping[str, OnHub] = {
    "ag_news": OnHub("fancyzhx/ag_news", None, "train", "test"),
    "imdb": OnHub("stanfordnlp/imdb", None, "train", "test"),
    "cnn_dailymail": OnHub("abisee/cnn_dailymail", "3.0.0", "train", "validation"),
    "sst2": OnHub("stanfordnlp/sst2", None, "train", "validation"),
    "wikitext": OnHub(
        "Salesforce/wikitext", "wikitext-2-raw-v1", "train", "validation"
    ),
}


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents to tune on and documents held out."""

    name: str
    source: str  # in words: "imdb, embedded: synthetic reviews"
    synthetic: bool
    train: Sequence[str]
    heldout: Sequence[str]

    def __post_init__(self) -> None:
        parts = {"to train on": self.train, "held out": self.heldout}
        for what, documents in parts.items():
            if not len(documents):
                raise DataError(
                    f"corpus {self.name!r} has 0 documents {what}; at least 1 "
                    f"is needed. Check {self.source!r}."
                )

    @property
    def fingerprint(self) -> str:
        """SHA-256 over every document, in order; reads them all."""
        digest = hashlib.sha256()
        for part in (self.train, self.heldout):
            for text in part:
                digest.update(text.encode() + b"\0")
            digest.update(b"\0\0")
        return digest.hexdigest()


def load(name: str, source: str = EMBEDDED) -> Corpus:
    """One of DATASETS from "embedded", "hub", "hub:ID" or a path; or a file or folder
    of one's own, "NAME=file:PATH#COLUMN", where NAME and COLUMN may be left out.
    """
    own = OWN_DATASET.fullmatch(name)
    if own:
        return _own(dataset_name(name), own["path"], own["column"])
    if name not in DATASETS:
        raise UsageError(unknown("dataset", name, [*DATASETS, "NAME=file:PATH"]))
    if source == EMBEDDED:
        parts = [_texts(f"{name}.{part}.jsonl") for part in ("train", "heldout")]
        how = f"{name}, embedded: synthetic {_MANNER[name]}"
        return Corpus(name, how, True, *parts)
    if source == HUB or source.startswith("hub:"):
        return _hub(name, source.removeprefix("hub").removeprefix(":"))
    train, heldout, how = read_corpus(Path(source), FORMATS[name])
    return Corpus(name, f"{name}, local: {how}", False, train, heldout)


def _texts(name: str) -> tuple[str, ...]:
    with (fixtures() / "corpora" / name).open(encoding="utf-8") as lines:
        return tuple(json.loads(line)["text"] for line in lines)


def _hub(name: str, other: str) -> Corpus:
    """From its place on the hub, or from another dataset of the same layout."""
    where, form = ON_HUB[name], FORMATS[name]
    found = other or where.name
    parts = [
        _split(found, where.config, split, form)
        for split in (where.train, where.heldout)
    ]
    part = f" ({where.config})" if where.config else ""
    source = f"{name}, hub: {found}{part}, held out: {where.heldout}"
    return Corpus(name, source, False, *parts)


def _split(name: str, config: str | None, split: str, form: Format) -> Sequence[str]:
    found = hub.load_split(
        name, config, split, instead="name a local file or folder as the source"
    )
    columns = text_columns(name, found.column_names, form)
    documents = of_dataset(name, found, columns, joint=form.joint)
    return articles(documents) if form.by_article else documents


def _own(name: str, path: str, column: str | None) -> Corpus:
    """The named column, or the one called text."""
    if not path:
        raise UsageError(
            "dataset 'file:' names no path. Write file:PATH, such as "
            "file:letters.jsonl or file:letters.csv#body."
        )
    form = Format(((column,),) if column else (), suffixes=(*reading.TABLES, *PLAIN))
    train, heldout, how = read_corpus(Path(path), form)
    return Corpus(name, f"{name}, a file of one's own: {how}", False, train, heldout)
