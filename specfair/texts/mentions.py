"""How often the terms of each group are mentioned in documents: as whole words, by
document, and as bare substrings.

One pass over the case-folded UTF-8 bytes, in batches: tables over the first four bytes
of every term leave few candidate positions, and only those are compared. Knows terms
and bytes, not meaning: "straight" in "straight ahead" counts. Terms of one letter are
never counted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# bytes; large enough to drown the cost per term, small enough to stay near the cache
BATCH = 1 << 21
_PADDING = 8 * "\0"
BUCKETS = 64  # terms share the bits of one uint64
PRONOUNS = {
    *("he", "him", "his", "she", "her", "hers", "they", "them", "their", "theirs"),
    *("xe", "xem", "ze", "zir", "hir", "fae", "faer", "ey", "em", "it", "its"),
}
_IRREGULAR = (("man", "men"), ("wife", "wives"), ("child", "children"))
IRREGULAR = dict(_IRREGULAR) | {"woman": "women", "person": "people"}

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Mentions:
    """How often one group is mentioned."""

    n_words: int  # plural forms included, a longer term swallowing shorter ones
    n_documents: int  # documents with at least one of those
    n_substrings: int  # of every term as given, inside other words too


class _Form(NamedTuple):
    """One way to write a term, for one group."""

    spelling: bytes
    group: int
    as_given: bool  # False for a plural that was derived


def count_mentions(
    documents: Iterable[str], terms: Mapping[str, Sequence[str]]
) -> dict[str, Mentions]:
    """Mentions of every group; documents are read once, a batch at a time."""
    forms = sorted(_forms(terms))
    # (groups, words / documents / substrings)
    totals = np.zeros((len(terms), 3), dtype=np.int64)
    if forms:
        filters = _Filters.of(forms)
        for batch, ends in _batches(documents):
            found = _occurrences(batch, forms, filters)
            counts = _count(found, forms, batch, ends=ends)
            totals[: len(counts)] += counts
    counted = zip(terms, totals.tolist(), strict=True)
    return {group: Mentions(*row) for group, row in counted}


def plural_of(term: str) -> str:
    """The term with its last word in the plural, by rules and a few exceptions."""
    head, _, last = term.rpartition(" ")
    return f"{head} {_plural_word(last)}".strip()


def _plural_word(word: str) -> str:
    for singular, irregular in IRREGULAR.items():
        if word.endswith(singular) and word != "human":
            return word[: -len(singular)] + irregular
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")


def fold(text: str) -> str:
    """Case-folded, wider hyphens and blanks as a space; ASCII waits for the bytes."""
    if text.isascii():
        return text
    folded = text.casefold()
    for character in ("\u00a0", "\u2010", "\u2011"):
        folded = folded.replace(character, " ")
    return folded


_FROM = b"-\t\n\r\v\f"
_FOLD = bytes(range(256)).lower().translate(bytes.maketrans(_FROM, b" " * len(_FROM)))


def _forms(terms: Mapping[str, Sequence[str]]) -> Iterator[_Form]:
    for group, names in enumerate(terms.values()):
        plain = (fold(name).lower().replace("-", " ") for name in names)
        given = {" ".join(name.split()) for name in plain}
        given = {name for name in given if len(name) > 1}
        derived = {plural_of(name) for name in given - PRONOUNS}
        for name in given | derived:
            yield _Form(name.encode(), group, name in given)


def _batches(documents: Iterable[str]) -> Iterator[tuple[Bytes, Places]]:
    """Case-folded documents with a zero byte after each, and where each ends."""
    texts: list[str] = []
    ends = [0]
    for document in documents:
        text = fold(document)
        size = len(text) if text.isascii() else len(text.encode())
        texts.append(text)
        ends.append(ends[-1] + size + 1)
        if ends[-1] >= BATCH:
            yield _joined(texts), np.array(ends[1:])
            texts, ends = [], [0]
    if texts:
        yield _joined(texts), np.array(ends[1:])


def _joined(texts: Sequence[str]) -> Bytes:
    """Zero bytes at both ends let every comparison look around without asking."""
    data = "\0".join(["", *texts, _PADDING])
    return np.frombuffer(data.encode().translate(_FOLD), dtype=np.uint8)


class _Filters(NamedTuple):
    """What the first four bytes must be, as tables over pairs of bytes.

    Why it works: bit b of a place survives both tables only where some form of bucket b
    has these first and some form of it has these next bytes. So every occurrence
    survives, few other places do, and only those are compared byte by byte.
    """

    starts: NDArray[np.bool_]  # (65536,) whether some form starts so
    # (65536,) bit b: some form of bucket b has these as bytes 0 and 1
    first: NDArray[np.uint64]
    # (65536,) bit b: likewise bytes 2 and 3, or the form is over before
    second: NDArray[np.uint64]

    @classmethod
    def of(cls, forms: Sequence[_Form]) -> "_Filters":
        first, second = np.zeros(1 << 16, np.uint64), np.zeros(1 << 16, np.uint64)
        for i, form in enumerate(forms):
            bit = np.uint64(1 << _bucket(i, len(forms)))
            first[_pairs(form.spelling[:2])] |= bit
            second[_pairs(form.spelling[2:4])] |= bit
        return cls(first > 0, first, second)


def _pairs(spelling: bytes) -> NDArray[np.int64]:
    """Every pair of bytes that begins with these, as little-endian numbers; bytes that
    are missing may be anything.
    """
    low = list(spelling[:1]) or range(256)
    high = list(spelling[1:2]) or range(256)
    return np.add.outer(low, np.multiply(256, high)).ravel()


def _bucket(i: int, n: int) -> int:
    """Neighbours share one: sorted forms that begin alike pass the same filter."""
    return i * BUCKETS // max(n, BUCKETS)


def _occurrences(
    batch: Bytes, forms: Sequence[_Form], filters: _Filters
) -> list[Places]:
    """For each form, where it occurs."""
    pairs = np.ndarray((len(batch) - 1,), np.dtype("<u2"), batch, strides=(1,))
    eights = np.ndarray((len(batch) - 7,), np.dtype("<u8"), batch, strides=(1,))
    places = np.flatnonzero(filters.starts[pairs[: len(eights)]])
    bits = filters.first[pairs[places]] & filters.second[pairs[places + 2]]
    places, bits = places[bits > 0], bits[bits > 0]
    buckets = [places[(bits & np.uint64(1 << b)) > 0] for b in range(BUCKETS)]
    return [
        _exact(form.spelling, eights, buckets[_bucket(i, len(forms))])
        for i, form in enumerate(forms)
    ]


def _exact(spelling: bytes, eights: NDArray[np.uint64], places: Places) -> Places:
    """The places where the whole spelling stands, compared eight bytes at a time."""
    n = len(spelling)
    head = np.uint64(int.from_bytes(spelling[:8], "little"))
    mask = np.uint64((1 << 8 * min(n, 8)) - 1)
    found: Places = places[(eights[places] & mask) == head]
    for start in range(8, n, 8):
        at = min(start, n - 8)  # the last eight overlap those before
        wanted = np.uint64(int.from_bytes(spelling[at : at + 8], "little"))
        found = found[found + at < len(eights)]
        found = found[eights[found + at] == wanted]
    return found


def _count(
    found: Sequence[Places], forms: Sequence[_Form], batch: Bytes, *, ends: Places
) -> NDArray[np.int64]:
    """Words, documents and substrings of every group that has forms, in one batch."""
    sizes = np.array([len(places) for places in found])
    groups = np.array([form.group for form in forms])
    n_groups = int(groups.max()) + 1
    given = np.array([form.as_given for form in forms])
    substrings = np.bincount(groups, weights=sizes * given).astype(np.int64)
    starts = np.concatenate(found)
    stops = starts + np.repeat([len(form.spelling) for form in forms], sizes)
    whole = _whole(batch, starts, stops)
    # every group in a stretch of its own, so that one sort serves them all
    shift = np.repeat(groups, sizes)[whole] * len(batch)
    outer = _outermost(starts[whole] + shift, stops[whole] + shift)
    owner, starts = np.divmod(outer, len(batch))
    n_ends = len(ends) + 1
    document = np.searchsorted(ends, starts, side="right")
    owners = np.unique(owner * n_ends + document) // n_ends
    words = np.bincount(owner, minlength=n_groups)
    documents = np.bincount(owners, minlength=n_groups)
    return np.stack([words, documents, substrings], axis=1)


def _outermost(starts: Places, stops: Places) -> Places:
    """Starts of the spans that lie inside no other, in order."""
    order = np.lexsort((-stops, starts))
    starts, stops = starts[order], stops[order]
    before = np.maximum.accumulate(np.concatenate([[0], stops]))[:-1]
    return starts[stops > before]


_LETTERS = np.array(
    [b >= 0x80 or chr(b) == "_" or chr(b).isalnum() for b in range(256)]
)


def _whole(batch: Bytes, starts: Places, stops: Places) -> NDArray[np.bool_]:
    """Whether no letter or digit stands right before or right after."""
    before, after = batch[starts - 1], batch[stops]
    whole: NDArray[np.bool_] = ~(_LETTERS[before] | _LETTERS[after])
    # few: only these need more than one byte
    wide = np.flatnonzero((before >= 0x80) | (after >= 0x80))
    left = _letter(batch, _last_character(batch, starts[wide]))
    right = _letter(batch, stops[wide])
    whole[wide] = ~(left | right)
    return whole


def _last_character(batch: Bytes, places: Places) -> Places:
    """Where the character begins that ends right before each place."""
    lead = places - 1
    for _ in range(3):
        lead = np.where((batch[lead] & 0xC0) == 0x80, lead - 1, lead)
    return lead


def _letter(batch: Bytes, places: Places) -> NDArray[np.bool_]:
    """Whether the character at each place is of a word, no punctuation, no picture."""
    first, second = batch[places], batch[places + 1]
    # U+0080 to U+00BF but for three letters
    latin = (first == 0xC2) & ~np.isin(second, (0xAA, 0xB5, 0xBA))
    # U+2000 to U+207F: dashes, quotation marks
    general = (first == 0xE2) & (second <= 0x81)
    ideographic = (first == 0xE3) & (second == 0x80)  # U+3000 to U+303F
    picture = (first == 0xF0) & (second == 0x9F)
    other = latin | general | ideographic | picture
    letter: NDArray[np.bool_] = _LETTERS[first] & ~other
    return letter
