"""The files of a run: the Run of all processes and its readable forms, each written
whatever becomes of the others.

Knows where they go and that a selection of cases never takes the place of a whole run.
It does not know how anything was measured or decided.
"""

import json
import os
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from specfair import outputs
from specfair.audit import ci
from specfair.config import Settings
from specfair.errors import SpecfairError, plain
from specfair.gates.kinds import OWN
from specfair.outputs import Outputs
from specfair.report import render_html, render_markdown
from specfair.run.files import write_text_atomically
from specfair.run.run import Run, in_order, merge
from specfair.run.summary import SELECTION, properties, summary
from specfair.stats import false_failures
from specfair.vocabulary import ALPHA

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the results: lines to print last, whether any of them is a loss,
    and what a JUnit file carries.
    """

    lines: tuple[str, ...]
    lost: bool
    properties: Mapping[str, str]


def write_parts(
    parts: list[dict[str, str]],
    settings: Settings,
    *,
    selection: str = "",
    chosen: bool = False,
) -> Written:
    """Merge what the processes found and write it; nothing that goes wrong keeps the
    rest from being written.

    `selection` says in words which cases were asked for, where not all were. Such a run
    never overwrites the report of a whole one, unless its place was `chosen`.
    """
    run = merge(Run.from_json(part["report"]) for part in parts)
    run = in_order(run, settings.stages, json.loads(parts[0].get("asked", "[]")))
    run = with_chance(run, settings)
    lost = [line for part in parts for line in json.loads(part.get("lost", "[]"))]
    to, aside = outputs.of(settings.report), []
    if selection:
        run = replace(
            run,
            notes=(*run.notes, f"a selection of the cases: {selection}"),
            provenance={**run.provenance, SELECTION: selection},
        )
        if not chosen and _is_whole(to.json):
            aside = [
                f"a selection of the cases ({selection}); {os.path.relpath(to.html)} "
                "still shows the whole run"
            ]
            to = outputs.appended(to, "-part")
    place = write_files(run, to, lost)
    ungated: Counter[str] = Counter()
    for part in parts:
        ungated.update(json.loads(part["ungated"]))
    lines = [*summary(run, place, ungated), *aside]
    tried("the step summary could not be written", lambda: ci.summarize(run), lost)
    return Written(
        (*map(plain, [*lines, *lost]), *ci.commands(run)), bool(lost), properties(run)
    )


def with_chance(run: Run, settings: Settings) -> Run:
    """The run with its own chance of failing by mistake. A family is what one question
    answers, of all stages where those are corrected as one; what is asked again of the
    same stage and member is another. Where a set stands for itself nothing is chance.
    """
    asked: Counter[tuple[object, ...]] = Counter()
    families = set()
    for v in run.verdicts:
        if v.scope == "set":
            continue
        question = (v.about, v.gate, v.metric, bool(v.of))
        asked[*question, v.of, v.stage] += 1
        together = settings.family == "run" and v.stage in settings.stages
        stage = None if together and v.gate not in OWN else v.stage
        families.add((*question, stage, asked[*question, v.of, v.stage]))
    if not families:
        return replace(run, chance=())
    # widening's lower limit is a test at 5%, all others are one side of 5%
    levels = [ALPHA if one[1] == "widening" else ALPHA / 2 for one in families]
    chance = false_failures(levels)
    return replace(run, chance=(chance.at_most, chance.independent))


def _is_whole(stored: Path) -> bool:
    """Whether a report of all cases stands there; what cannot be read might be one."""
    if not os.path.lexists(stored):
        return False
    try:
        run = Run.from_json(stored.read_text(encoding="utf-8"))
        return not run.provenance.get(SELECTION)
    except (OSError, ValueError, SpecfairError):
        return True


def write_files(run: Run, to: Outputs, lost: list[str]) -> str:
    """The stored run, then its two readable forms beside it; each is written whatever
    became of the others.

    Returns where to look; what could not be written is added to `lost`. What was
    measured is on disk before anything is drawn.
    """
    forms: dict[Path, Callable[[Run], str]] = {
        to.json: Run.to_json,
        to.md: render_markdown,
        to.html: render_html,
    }

    def written(path: Path) -> Path:
        write_text_atomically(path, forms[path](run))
        return path

    made = set()
    for path in forms:
        what = f"{os.path.relpath(path)} could not be written"
        made.add(tried(what, partial(written, path), lost))
    there = [path for path in (to.html, to.json, to.md) if path in made]
    return os.path.relpath(there[0]) if there else ""


def tried(what: str, make: Callable[[], T], lost: list[str]) -> T | None:
    """What was made, or None and a line that says why not; whatever fails here, other
    results must still come out.
    """
    try:
        return make()
    except SpecfairError as error:
        lost.append(f"ERROR: {what}: {error}")
    except OSError as error:
        where = f" ({str(error.filename)!r})" if error.filename else ""
        lost.append(f"ERROR: {what}: {error.strerror or error}{where}")
    # a mistake of ours: its traceback comes after the results instead of in their place
    except Exception as error:
        lost.append(f"ERROR: {what}: {type(error).__name__}: {error}")
        lost.extend("".join(traceback.format_exception(error)).splitlines())
    return None
