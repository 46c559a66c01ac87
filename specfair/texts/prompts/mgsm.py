"""MGSM: the same 250 problems in eleven languages. The language is the group, the
problem is cluster and template.

Knows MGSM's files, one a language, without a header: question, tab, answer. The answer
is not used.
"""

from itertools import count
from pathlib import Path

from specfair.errors import DataError, UsageError, counted
from specfair.texts import reading
from specfair.texts.prompts.rows import Row, numbered
from specfair.texts.prompts.sets import PromptSet


def mgsm_prompts(place: str) -> PromptSet:
    """From a folder of mgsm_XX.tsv; languages come in alphabetical order."""
    if not place:
        raise UsageError(
            "prompt set 'mgsm' is read from its files only, and none are "
            "named. Name their folder: mgsm:FOLDER."
        )
    files = sorted(reading.existing(Path(place)).rglob("mgsm_*.tsv"))
    if not files:
        raise DataError(
            f"{place!r} holds no mgsm_XX.tsv; MGSM has one such file a "
            "language. Name the folder that holds them."
        )
    rows = [row for file in files for row in _language(file)]
    n = {file.stem: sum(row.group == _code(file) for row in rows) for file in files}
    if len(set(n.values())) > 1:
        least, most = min(n, key=lambda f: n[f]), max(n, key=lambda f: n[f])
        raise DataError(
            f"{least}.tsv has {n[least]} problems and {most}.tsv has {n[most]}; "
            "languages are paired line by line, so all need the same. Fetch them again."
        )
    return PromptSet(
        "mgsm",
        numbered(rows),
        crossed=True,
        synthetic=False,
        licence="CC BY 4.0",
        sentence=(
            f"MGSM: {len(rows) // len(files):,} grade-school problems, each in "
            f"{counted(len(files), 'language')}"
        ),
        notes=("groups are languages: no terms to look for in a corpus",),
    )


def _code(file: Path) -> str:
    return file.stem.removeprefix("mgsm_")


def _language(file: Path) -> list[Row]:
    problems = [
        reading.cells(file, record)[0]
        for record in reading.records(file)
        if record.strip()
    ]
    names = (f"problem {number:03}" for number in count(1))
    named = zip(names, problems, strict=False)
    return [Row(_code(file), name, name, text) for name, text in named]
