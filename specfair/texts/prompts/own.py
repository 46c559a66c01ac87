"""The embedded prompts, and prompts from a file of yours.

Knows the columns: group and text are needed; cluster, identity, template, id and
attributes are used where they exist.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from specfair.errors import DataError, UsageError, counted
from specfair.texts import reading, tables
from specfair.texts.prompts.rows import (
    Row,
    attributes_of,
    identities,
    numbered,
    settle,
)
from specfair.texts.prompts.sets import Prompt, PromptSet, share_templates

NAMES = ("group", "text", "cluster", "identity", "template", "id")
ATTRIBUTES = "attributes"  # a table of its own, or the beginning of columns' names


def fixtures() -> Path:
    """The embedded world: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[2]
    inside = package / "fixtures"
    return inside if inside.is_dir() else package.parent / "fixtures"


def embedded_prompts() -> PromptSet:
    """Synthetic, written by the project: ten groups, every identity crossed with the
    same templates.
    """
    with (fixtures() / "prompts.jsonl").open(encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    rows = [_row(r) for r in found]
    n_groups, n_templates = (len({r[i] for r in rows}) for i in (0, 2))
    made = numbered(rows)
    return PromptSet(
        "embedded",
        made,
        crossed=True,
        synthetic=True,
        licence="Apache-2.0",
        sentence=f"embedded: {len(rows):,} synthetic sentence beginnings about "
        f"{n_groups} groups, every identity with the same {n_templates} templates",
        terms=identities(rows),
        attributes=attributes_of(made, rows),
    )


def own_prompts(place: str, ambiguous: str) -> PromptSet:
    """JSON lines, CSV, TSV or Parquet, one prompt a row."""
    if not place:
        raise UsageError(
            "prompt set 'file' needs a path. Write file:PATH, such as "
            "file:prompts.jsonl."
        )
    path = Path(place)
    found = list(_checked(path))
    if not found:
        raise DataError(
            f"{path.name!r} has 0 prompts; at least 1 is needed. Add rows with "
            "a group and a text."
        )
    kept, notes = settle(path.name, [_row(entry) for entry in found], ambiguous)
    n_groups = len({row.group for row in kept})
    made = _own_ids(path, found, kept) if "id" in found[0] else numbered(kept)
    return PromptSet(
        path.stem,
        made,
        crossed=share_templates(made),
        synthetic=False,
        licence="not stated",
        notes=notes,
        sentence=f"{path.name}: {counted(len(kept), 'prompt')} of "
        f"{counted(n_groups, 'group')}, a file of one's own",
        terms=identities(
            _row(entry)._replace(cluster=name)
            for entry in found
            if (name := reading.label_of(entry.get("identity")))
        ),
        attributes=attributes_of(made, kept),
    )


def _checked(path: Path) -> Iterator[Mapping[str, Any]]:
    """Rows that have a group and a text."""
    for number, entry in enumerate(tables.rows(path), start=1):
        reading.need(path.name, entry, ("group", "text"))
        where = f"row {number:,} of {path.name!r}"
        labels = {name: entry.get(name) for name in NAMES} | _attributes(entry, where)
        for name, value in labels.items():
            if not isinstance(value, str | int | float | None):
                raise DataError(
                    f"{where} has {name} {str(value)[:40]!r}; it must be a text "
                    "or a number. Mend it."
                )
        group, text = entry["group"], entry["text"]
        if not reading.label_of(group):
            raise DataError(
                f"{where} has group {group!r}; every prompt needs one. Name it or "
                "leave the row out."
            )
        if not isinstance(text, str) or not text.strip():
            raise DataError(
                f"{where} has text {text!r}; it must be words. Write some or leave the "
                "row out."
            )
        yield entry


def _row(entry: Mapping[str, Any]) -> Row:
    """A prompt without cluster or identity is a cluster of its own."""
    group, cluster, identity, template = (
        reading.label_of(entry.get(name))
        for name in ("group", "cluster", "identity", "template")
    )
    attributes = (
        (name, reading.label_of(value)) for name, value in _attributes(entry).items()
    )
    return Row(
        group,
        cluster or identity or entry["text"],
        template,
        entry["text"],
        tuple(pair for pair in attributes if pair[1]),
    )


def _attributes(entry: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """The row's further groupings: {"attributes": {"age": "old"}}, or a column
    attributes.age.
    """
    table = entry.get(ATTRIBUTES) or {}
    if not isinstance(table, Mapping):
        raise DataError(
            f"{where} has attributes {str(table)[:40]!r}; it must be a table of names "
            "and values. Mend it, or name columns attributes.NAME."
        )
    flat = {
        name.removeprefix(f"{ATTRIBUTES}."): value
        for name, value in entry.items()
        if name.startswith(f"{ATTRIBUTES}.")
    }
    return {**table, **flat}


def _own_ids(
    path: Path, found: Sequence[Mapping[str, Any]], kept: Sequence[Row]
) -> tuple[Prompt, ...]:
    """The ids of the file, each on one row only."""
    rows: dict[str, int] = {}
    ids: dict[Row, list[str]] = {}
    for number, entry in enumerate(found, start=1):
        name = reading.label_of(entry.get("id"))
        if not name or name in rows:
            why = "has no id; others have"
            if name:
                why = f"has id {name!r}, as row {rows[name]:,} has; ids must be unique"
            raise DataError(
                f"row {number:,} of {path.name!r} {why}. Mend it, or leave the id "
                "column out."
            )
        rows[name] = number
        ids.setdefault(_row(entry), []).append(name)
    return tuple(Prompt(ids[row].pop(0), *row[:4]) for row in kept)
