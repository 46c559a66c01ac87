"""From rows of (group, cluster, template, text) to prompts: ids, and what to do with
texts that stand twice.

Knows nothing of files or of any particular set.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from specfair.errors import DataError, UsageError, unknown
from specfair.texts.prompts.sets import Prompt

AMBIGUOUS = ("drop", "keep")


class Row(NamedTuple):
    """A prompt before it has an id."""

    group: str
    cluster: str
    template: str
    text: str
    # the names and values of further groupings, such as ("age", "old")
    attributes: tuple[tuple[str, str], ...] = ()


def numbered(rows: Iterable[Row]) -> tuple[Prompt, ...]:
    """Ids made from the content, so that they survive filters, order and other groups;
    repeats are numbered.
    """
    seen: Counter[str] = Counter()
    made = []
    for row in rows:
        labels = (row.group, row.cluster, row.template, row.text)
        digest = hashlib.sha256("\0".join(labels).encode()).hexdigest()
        name = f"{row.group}-{digest[:12]}"
        seen[name] += 1
        name = name if seen[name] == 1 else f"{name}-{seen[name]}"
        made.append(Prompt(name, *labels))
    return tuple(made)


def attributes_of(
    prompts: Iterable[Prompt], rows: Iterable[Row]
) -> dict[str, dict[str, str]]:
    """By name, the value of each prompt's id; rows in the order of the prompts."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for prompt, row in zip(prompts, rows, strict=True):
        for name, value in row.attributes:
            found[name][prompt.id] = value
    return dict(found)


def settle(
    name: str, rows: Sequence[Row], ambiguous: str
) -> tuple[list[Row], tuple[str, ...]]:
    """Without texts that stand under two groups and repeats in one, each noted."""
    if ambiguous not in AMBIGUOUS:
        raise UsageError(unknown("value of ambiguous", ambiguous, AMBIGUOUS))
    groups = defaultdict(set)
    for row in rows:
        groups[row.text].add(row.group)
    shared = {text: members for text, members in groups.items() if len(members) > 1}
    single = [row for row in rows if row.text not in shared]
    # of repeats within a group, the first
    kept = {(row.group, row.text): row for row in reversed(single)}
    first = list(reversed(kept.values()))
    n_repeats = len(single) - len(first)
    if ambiguous == "keep":
        return list(rows), _notes(shared, n_repeats, "kept")
    _refuse_emptied(name, rows, first)
    return first, _notes(shared, n_repeats, "dropped")


def _notes(
    shared: Mapping[str, set[str]], n_repeats: int, fate: str
) -> tuple[str, ...]:
    notes = []
    if shared:
        between = sorted({" and ".join(sorted(members)) for members in shared.values()})
        some = ", ".join(between[:3])
        if len(between) > 3:
            some += f" and {len(between) - 3} other combinations"
        notes.append(
            f"{fate} {len(shared):,} prompts that stand under more than one "
            f"group ({some})"
        )
    if n_repeats:
        notes.append(f"{fate} {n_repeats:,} repeats within a group")
    return tuple(notes)


def _refuse_emptied(name: str, rows: Sequence[Row], kept: Sequence[Row]) -> None:
    left = {row.group for row in kept}
    for row in rows:
        if row.group not in left:
            raise DataError(
                f"group {row.group!r} of {name!r} has 0 prompts left after dropping "
                "those it shares with other groups; it needs 1. Give it prompts of its "
                "own or set ambiguous = 'keep'."
            )


def identities(rows: Iterable[Row]) -> dict[str, tuple[str, ...]]:
    """The clusters of each group, where a cluster is an identity term."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for row in rows:
        found[row.group][row.cluster] = None
    return {group: tuple(names) for group, names in found.items()}
