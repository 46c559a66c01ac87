"""HolisticBias: descriptors x nouns x templates, by axis; a seeded sample, since the
whole grid is half a million.

Knows the publisher's three JSON files. The descriptor is the cluster. Within a group
the descriptors take turns and the templates take turns, so every group has the same
templates equally often.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from specfair.errors import DataError, UsageError, counted, unknown
from specfair.texts import reading
from specfair.texts.prompts.rows import Row, attributes_of, numbered
from specfair.texts.prompts.sets import PromptSet, shuffled

N_PER_GROUP = 260  # ten of each of the 26 templates
PATIENCE = 10  # times n: how long to look for what is left of a small grid
FILES = ("descriptors.json", "nouns.json", "sentence_templates.json")


@dataclass(frozen=True, slots=True)
class _Descriptor:
    """An adjective, with the nouns it goes with."""

    word: str
    article: str
    nouns: tuple[tuple[str, str, str], ...]  # singular, plural, gender
    place: tuple[str, str]  # axis and bucket


def holistic_bias_prompts(
    axis: str, place: str, *, n: int = N_PER_GROUP, seed: int = 0
) -> PromptSet:
    """All axes, one group each; or one axis, its parts as the groups. From the folder
    with the three files.
    """
    if not place:
        raise UsageError(
            "prompt set 'holistic_bias' is read from its files only, and none are "
            "named. Name their folder: holistic_bias:FOLDER."
        )
    descriptors, nouns, templates = (
        reading.document(file) for file in _files(Path(place))
    )
    try:
        groups = _groups(descriptors, nouns, axis)
        rows = [
            row
            for group, words in groups.items()
            for row in _sample(group, words, list(templates), n=n, seed=seed)
        ]
    except (AttributeError, TypeError, KeyError) as error:
        raise DataError(
            f"{place!r} is not in HolisticBias's shape ({type(error).__name__}: "
            f"{error}); descriptors must be {{axis: {{part: [descriptor]}}}}. Fetch it "
            "again."
        ) from error
    made = numbered(rows)
    n_nouns = sum(len(d.nouns) for words in groups.values() for d in words)
    return PromptSet(
        f"holistic_bias/{axis}" if axis else "holistic_bias",
        made,
        crossed=True,
        synthetic=False,
        licence="CC BY-SA 4.0",
        sentence=f"HolisticBias, {axis.replace('_', ' ') or 'all axes'}: "
        f"{len(rows):,} sentences about {counted(len(groups), 'group')}",
        notes=(
            f"a sample by seed {seed} of {n_nouns * len(templates):,} combinations of "
            "descriptor, noun and template",
            "descriptors that stand under more than one group are left out",
        ),
        terms={
            group: tuple(dict.fromkeys(d.word for d in words))
            for group, words in groups.items()
        },
        attributes=attributes_of(made, rows),
    )


def _files(place: Path) -> Iterator[Path]:
    """The three files; of several versions under one folder, the last."""
    for name in FILES:
        found = sorted(reading.existing(place).rglob(name))
        if not found:
            raise DataError(
                f"{str(place)!r} holds no {name}; HolisticBias needs "
                f"{', '.join(FILES)}. Name the folder that holds them."
            )
        yield found[-1]


def _groups(
    descriptors: Mapping[str, Any], nouns: Mapping[str, Any], axis: str
) -> dict[str, tuple[_Descriptor, ...]]:
    """Descriptors by axis, or by part of one axis, without those that stand under two
    of these groups.
    """
    if axis and axis not in descriptors:
        raise UsageError(unknown("axis of holistic_bias", axis, descriptors))
    groups: dict[str, dict[str, _Descriptor]] = {}
    for of, buckets in descriptors.items():
        for bucket, entries in buckets.items() if axis in ("", of) else ():
            words = groups.setdefault(bucket if axis else of, {})
            for entry in entries:
                words[_word(entry)] = _descriptor(entry, nouns, (of, bucket))
    times = Counter(word for words in groups.values() for word in words)
    found = {}
    for name, words in groups.items():
        single = tuple(d for word, d in words.items() if times[word] == 1)
        if single:
            found[name] = single
    return found


def _word(entry: str | Mapping[str, str]) -> str:
    return entry if isinstance(entry, str) else entry["descriptor"]


def _descriptor(
    entry: str | Mapping[str, str], nouns: Mapping[str, Any], place: tuple[str, str]
) -> _Descriptor:
    details = {} if isinstance(entry, str) else entry
    word, gender = _word(entry), details.get("gender")
    kinds = [kind for kind in nouns if gender in (None, kind)]
    fitting = tuple((one, many, kind) for kind in kinds for one, many in nouns[kind])
    article = details.get("article") or ("an" if _AN.match(word) else "a")
    return _Descriptor(word, article, fitting, place)


# by sound: spelt letters, 80
_AN = re.compile(r"(?!(?i:eu|uni|one\b|us\b))(?i:[aeiou])|8|1[18]\b|[FHLMRSX][A-Z0-9]")


def _sample(
    group: str,
    words: Sequence[_Descriptor],
    templates: Sequence[str],
    *,
    n: int,
    seed: int,
) -> Iterator[Row]:
    """At most n sentences; every pass over the descriptors is shuffled anew, and so is
    the noun of every sentence.
    """
    order = sorted(templates, key=lambda template: shuffled(seed, template))
    seen: set[str] = set()
    for k, descriptor in zip(
        range(PATIENCE * n), _turns(group, words, seed), strict=False
    ):
        template = order[k % len(order)]
        nouns = sorted(
            descriptor.nouns, key=lambda noun: shuffled(seed, group, *noun[:2], str(k))
        )
        texts = ((_sentence(template, descriptor, noun), noun[2]) for noun in nouns)
        new = next((found for found in texts if found[0] not in seen), None)
        if new is not None:
            text, gender = new
            seen.add(text)
            places = zip(("axis", "bucket"), descriptor.place, strict=True)
            attributes = (*places, ("gender", gender))
            yield Row(group, descriptor.word, template, text, attributes)
        if len(seen) == n:
            return


def _turns(
    group: str, words: Sequence[_Descriptor], seed: int
) -> Iterator[_Descriptor]:
    """All descriptors in one order, then all in another, for ever."""
    for turn in count():
        yield from sorted(words, key=lambda d: shuffled(seed, group, d.word, str(turn)))


def _sentence(
    template: str, descriptor: _Descriptor, noun: tuple[str, str, str]
) -> str:
    one, many, _ = noun
    return template.format(
        noun_phrase=f"{descriptor.article} {descriptor.word} {one}",
        plural_noun_phrase=f"{descriptor.word} {many}",
    )
