"""`specfair slices`: who waits longest, wherever the prompts are cut.

Knows what a reader wants to see of slices and how few of thousands. Does not know how
they are found.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from specfair import config, project
from specfair.audit.audit import Audit
from specfair.audit.slicing import found
from specfair.doors.printing import show, tell
from specfair.errors import counted
from specfair.run.rows import SliceRow
from specfair.run.run import stored_form
from specfair.vocabulary import BASE, OK, Stage


def show_slices(options: argparse.Namespace) -> int:
    """The slowest slices, after measuring what is missing."""
    asked = {f.name: getattr(options, f.name, None) for f in config.OPTIONS}
    settings = config.load(project.find(Path.cwd()), asked)
    # slices stand beside each other here, and none is left out for being small
    audit = Audit(replace(settings, by=""), tell)
    stage = Stage.of(options.stage) if options.stage else BASE
    rows = found(audit, stage, (settings.by,) if settings.by else ())
    shown = rows[: options.top]
    if options.format == "json":
        print(json.dumps([stored_form(asdict(row)) for row in shown], indent=2))
        return OK
    show(audit.prompts.sentence, _counted(rows, audit.settings.lookahead), "")
    show(*_lines(shown))
    return OK


def _counted(rows: Sequence[SliceRow], lookahead: str) -> str:
    n_cuts, few = len({row.by for row in rows}), sum(not row.known for row in rows)
    said = (
        f"{counted(len(rows), 'slice')} of {counted(n_cuts, 'grouping')}, {lookahead}"
    )
    metric = rows[0].metric if rows else "nothing to compare"
    return (
        f"{said}; {metric}, the slowest first; p is against all others, corrected for "
        f"{len(rows) - few:,} slices; {few:,} with too few clusters have none"
    )


def _lines(rows: Sequence[SliceRow]) -> list[str]:
    head = ("expected", "95% interval", "measured", "rank", "p", "prompts", "clusters")
    cells = [(*head, "slice")]
    for row in rows:
        p = f"{row.p_holm:.3f}" if row.known else "-"
        figures = f"{row.shrunken:.3f}", f"{row.low:.3f} to {row.high:.3f}"
        counts = f"{row.n_prompts:,}", f"{row.n_clusters:,}"
        name = f"{' & '.join(row.by)}: {row.group}"
        cells.append((*figures, f"{row.value:.3f}", row.place, p, *counts, name))
    wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join([*map(str.rjust, cell[:-1], wide[:-1]), cell[-1]]) for cell in cells
    ]
