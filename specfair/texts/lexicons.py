"""A lexicon: words that are counted in texts, such as HurtLex, and which of them occur.

Knows a lexicon's file and what a word is. A word is hurtful by being listed: what is
meant by it in a text is not known, nor is irony, nor a language that puts no spaces
between words.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from specfair.errors import DataError
from specfair.texts import reading, tables
from specfair.texts.prompts import fixtures
from specfair.vocabulary import EMBEDDED

LEVEL = "conservative"  # HurtLex's surer half, which HONEST counts
_WORD = re.compile(r"\w+")

Term = tuple[str, ...]  # of one word or several


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Terms, without case and accents."""

    terms: frozenset[Term]

    def found(self, text: str) -> Iterator[str]:
        """The terms in a text as whole words, in its order."""
        words = _words(text)
        longest = max(map(len, self.terms))
        for i in range(len(words)):
            for n in range(1, min(longest, len(words) - i) + 1):
                if words[i : i + n] in self.terms:
                    yield " ".join(words[i : i + n])


def _words(text: str) -> Term:
    """Case and accents are none of a word's, as HONEST has it of accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in apart if not unicodedata.combining(c))
    return tuple(_WORD.findall(bare))


def lexicon(place: str) -> Lexicon:
    """The one in a file: HurtLex's table, or any with a column `lemma`, or a term a
    line in a .txt; or the embedded one.
    """
    path = fixtures() / "lexicon.tsv" if place == EMBEDDED else Path(place).expanduser()
    with reading.opened(reading.existing(path)):
        return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, _: int) -> Lexicon:
    plain = path.suffix.lower() == ".txt"
    found = _lines(path) if plain else _lemmas(path)
    terms = frozenset(filter(None, map(_words, found)))
    if not terms:
        raise DataError(
            f"lexicon {path.name!r} has no term (of level {LEVEL!r}, where it has "
            "levels). Give HurtLex's table, or a file with a term a line."
        )
    return Lexicon(terms)


def _lines(path: Path) -> Iterable[str]:
    return map(reading.plain_line, reading.checked_lines(path))


def _lemmas(path: Path) -> Iterator[str]:
    for row in tables.rows(path):
        reading.need(path.name, row, ["lemma"])
        if row.get("level", LEVEL) == LEVEL:
            yield reading.label_of(row["lemma"])
