"""What a test is about, and `-k` by whole names: `-k queer` is queer and not nonqueer.

pytest looks for a word of -k anywhere in a test's name. A word that names a parameter
of a test of ours is therefore replaced by a mark that only the tests it means carry;
every other word, and the logic between words, stays pytest's. Names that -k cannot
spell, because they hold spaces or commas, are put in quotes. Knows items and words,
nothing else.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

_WORD = re.compile(r"""'([^']*)'|"([^"]*)"|([\w:+\-.\[\]\\/]+)""")
_LOGIC = ("and", "or", "not", "true", "false", "none")
PARAMETERS = ("dataset", "stage", "group", "lookahead")
# the names that stand for an item of ours
Named = Mapping[pytest.Item, tuple[str, ...]]


def parameters(item: pytest.Item) -> dict[str, str]:
    """What the test is about, as far as names say it, in the order that its case is
    named by.
    """
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return {}
    given: Mapping[str, Any] = item.callspec.params
    return {
        name: given[name] for name in PARAMETERS if isinstance(given.get(name), str)
    }


def case_name(about: Mapping[str, str]) -> str:
    """The name of the case in words: "imdb-female"."""
    return "-".join(about.values())


def stage_of(about: Mapping[str, str]) -> str:
    """The dataset, or `base`."""
    return about.get("dataset") or about.get("stage") or ""


def by_whole_names(expression: str, items: Iterable[pytest.Item], named: Named) -> str:
    """The run's -k, rewritten so that a name means itself. `named` holds the items of
    ours that have parameters.
    """
    known = {name.casefold() for names in named.values() for name in names}
    marks: dict[str, str] = {}

    def marked(match: re.Match[str]) -> str:
        word = next(part for part in match.groups() if part is not None).casefold()
        if word in _LOGIC or word not in known:
            return match.group()
        return marks.setdefault(word, f"::name{len(marks)}::")

    rewritten = _WORD.sub(marked, expression)
    for item in items:
        item.extra_keyword_matches.update(
            mark for word, mark in marks.items() if _means(word, item, named)
        )
    return rewritten


def _means(word: str, item: pytest.Item, named: Named) -> bool:
    """A parameter's whole name, or a part of any other name the item goes by, as pytest
    has it.
    """
    if any(word == name.casefold() for name in named.get(item, ())):
        return True
    own = [item.name.partition("[")[0] if item in named else item.name]
    above = [
        node.name
        for node in item.listchain()[1:-1]
        if not isinstance(node, pytest.Directory)
    ]
    marks = [mark.name for mark in item.iter_markers()]
    return any(
        word in name.casefold()
        for name in (*own, *above, *marks, *item.listextrakeywords())
    )
