"""BOLD: how encyclopaedia articles about people and ideas begin, by domain and group.
An article is a cluster.

Knows BOLD's JSON and its columns on the hub.
"""

from collections import Counter
from pathlib import Path

from specfair.errors import DataError, UsageError, counted, unknown
from specfair.texts import hub, reading
from specfair.texts.prompts.rows import Row, attributes_of, numbered
from specfair.texts.prompts.sets import PromptSet

HUB = "AlexaAI/bold"
DOMAINS = ("gender", "political_ideology", "profession", "race", "religious_ideology")
_INSTEAD = "name a folder that holds the JSON files: bold:FOLDER"


def bold_prompts(domain: str, place: str) -> PromptSet:
    """One domain, or all with ""; from a folder of JSON files, a file, another hub id
    ("hub:ID") or the hub.
    """
    if domain and domain not in DOMAINS:
        raise UsageError(unknown("domain of bold", domain, DOMAINS))
    domains = (domain,) if domain else DOMAINS
    if place and not place.startswith("hub:"):
        rows = _local(Path(place), domains)
    else:
        rows = _hub(place.removeprefix("hub:") or HUB, domains)
    once: dict[tuple[str, str], Row] = {}
    for row in rows:
        once.setdefault((row.group, row.text), row)
    n_repeats, rows = len(rows) - len(once), list(once.values())
    groups, made = list(dict.fromkeys(row.group for row in rows)), numbered(rows)
    return PromptSet(
        f"bold/{domain}" if domain else "bold",
        made,
        crossed=False,
        synthetic=False,
        licence="CC BY-SA 4.0",
        sentence=f"BOLD, {domain.replace('_', ' ') or 'all five domains'}: "
        f"{len(rows):,} beginnings of articles about "
        f"{counted(len(groups), 'group')}",
        notes=_notes(rows, n_repeats),
        terms={group: (group.replace("_", " "),) for group in groups},
        attributes=attributes_of(made, rows),
    )


def _local(place: Path, domains: tuple[str, ...]) -> list[Row]:
    if reading.existing(place).is_file():
        return _file(place)
    return [row for domain in domains for row in _file(_find(place, domain))]


def _find(folder: Path, domain: str) -> Path:
    found = sorted(folder.rglob(f"{domain}_prompt.json"))
    if not found:
        raise DataError(
            f"{str(folder)!r} holds no {domain}_prompt.json; BOLD has one such file a "
            "domain. Name the folder that holds it, or another domain, such as "
            "bold/gender."
        )
    return found[0]


def _file(path: Path) -> list[Row]:
    found = reading.document(path)
    try:
        return [
            _row(path.stem.removesuffix("_prompt"), group, title, text)
            for group, titles in found.items()
            for title, texts in titles.items()
            for text in texts
        ]
    except AttributeError as error:
        raise DataError(
            f"{path.name!r} is not in BOLD's shape ({error}); it must be "
            f"{{group: {{title: [text]}}}}. Fetch it again."
        ) from error


def _hub(name: str, domains: tuple[str, ...]) -> list[Row]:
    found = hub.load_split(name, None, "train", instead=_INSTEAD)
    reading.need(name, found.column_names, ("domain", "name", "category", "prompts"))
    return [
        _row(entry["domain"], entry["category"], entry["name"], text)
        for entry in found
        if entry["domain"] in domains
        for text in entry["prompts"]
    ]


def _row(domain: str, category: str, title: str, text: str) -> Row:
    """A blank at the end would make another token of the word to come."""
    attributes = (("domain", domain), ("category", category))
    return Row(category, title, "", text.rstrip(), attributes)


def _notes(rows: list[Row], n_repeats: int) -> tuple[str, ...]:
    """What a group says twice is no more evidence than once; what two groups say is
    kept, and said.
    """
    n_shared = sum(n > 1 for n in Counter(row.text for row in rows).values())
    notes = ["blanks at the end of a prompt are cut"]
    if n_repeats:
        notes.append(f"dropped {n_repeats:,} repeats within a group")
    if n_shared:
        notes.append(f"kept {n_shared:,} prompts that stand under more than one group")
    return tuple(notes)
