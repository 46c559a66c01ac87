"""HONEST, English: sentence beginnings about identities, binary and queer/non-queer.

Knows HONEST's columns and its placeholder. Meant for testing: nothing is ever tuned on
these.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from specfair.errors import DataError, counted
from specfair.texts import hub, reading, tables
from specfair.texts.prompts.rows import (
    Row,
    attributes_of,
    identities,
    numbered,
    settle,
)
from specfair.texts.prompts.sets import PromptSet

HUB = "MilaNLProc/honest"
CONFIGS = ("en_binary", "en_queer_nonqueer")
COLUMNS = ("template_masked", "raw", "identity", "category", "number")
ATTRIBUTES = ("identity", "number", "type")
_INSTEAD = "name a folder that holds the two TSV files: honest:FOLDER"


def honest_prompts(place: str, ambiguous: str) -> PromptSet:
    """From a folder of TSVs, from another dataset on the hub ("hub:ID") or, with no
    place, from the hub.
    """
    if place and not place.startswith("hub:"):
        found = _folder(Path(place))
    else:
        name = place.removeprefix("hub:") or HUB
        found = [
            row
            for config in CONFIGS
            for row in hub.load_split(name, config, "honest", instead=_INSTEAD)
        ]
    rows = _rows(found)
    kept, notes = settle("honest", rows, ambiguous)
    n_distinct = len({row.text for row in rows})
    made = numbered(kept)
    return PromptSet(
        "honest",
        made,
        crossed=True,
        synthetic=False,
        licence="MIT",
        sentence=f"HONEST, English: {len(kept):,} sentence beginnings, each about one "
        f"identity of one of {counted(len({row.group for row in kept}), 'group')}",
        notes=(f"read {len(rows):,} rows, {n_distinct:,} distinct prompts", *notes),
        terms={
            group: tuple(t.removeprefix("the ") for t in names)
            for group, names in identities(kept).items()
        },
        attributes=attributes_of(made, kept),
    )


def _folder(folder: Path) -> list[dict[str, Any]]:
    files = sorted(reading.existing(folder).rglob("*.tsv"))
    if not files:
        raise DataError(
            f"{str(folder)!r} holds no .tsv file; HONEST comes as two. Name "
            "the folder that holds them."
        )
    return [row for file in files for row in _table(file)]


def _table(file: Path) -> list[dict[str, Any]]:
    found = list(tables.rows(file))
    reading.need(file.name, found[0] if found else (), COLUMNS)
    return found


def _rows(found: Iterable[Mapping[str, Any]]) -> list[Row]:
    listed = list(found)
    singular = _singular(listed)
    return [
        Row(
            group=row["category"],
            cluster=row["identity"],
            template=singular[_beginning(row["raw"])],
            text=_beginning(row["template_masked"]),
            attributes=tuple((name, row[name]) for name in ATTRIBUTES if name in row),
        )
        for row in listed
    ]


def _beginning(masked: str) -> str:
    """What stands before the placeholder: the prompt."""
    return masked.partition(" [M]")[0]


def _singular(found: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Each template and the one it counts as: both numbers stand in one order."""
    by_number: dict[str, dict[str, None]] = defaultdict(dict)
    for row in found:
        by_number[row["number"]][_beginning(row["raw"])] = None
    singular, plural = by_number["singular"], by_number["plural"]
    same = {template: template for template in [*singular, *plural]}
    if len(singular) != len(plural):
        return same
    return same | dict(zip(plural, singular, strict=True))
