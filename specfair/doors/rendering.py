"""`specfair report` and `specfair compare`: what is stored, read again and shown.

Knows files and forms. Loads no model, and nothing that draws before a page is asked
for.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from specfair import config, outputs, project, report
from specfair.errors import DataError, StoreError
from specfair.gates import bounds, comparison
from specfair.run.files import write_text_atomically
from specfair.run.run import Run
from specfair.texts.reading import whole_text
from specfair.vocabulary import OK


def render_runs(options: argparse.Namespace) -> int:
    """Render stored runs again; several make an index page."""
    to = outputs.file(options.out, option="--out") if options.out is not None else None
    text = _rendered([read_run(Path(run)) for run in options.runs], options.format)
    if to:
        write_text_atomically(to, text)
    else:
        print(text)
    return OK


def _rendered(reports: Sequence[Run], form: str) -> str:
    if form == "json":
        return "\n".join(map(Run.to_json, reports))
    if form == "md":
        return "\n".join(map(report.render_markdown, reports))
    if len(reports) > 1:
        return report.render_index(reports)
    return report.render_html(reports[0])


def read_run(path: Path) -> Run:
    """A stored run; what is no run is a StoreError."""
    try:
        text = whole_text(path)
    except DataError as error:
        raise StoreError(
            f"run {str(path)!r} cannot be read: {error} A run is the .json "
            "beside a report."
        ) from error
    return Run.from_json(text)


def compare_baselines(options: argparse.Namespace) -> int:
    """Compare two baselines by prompt."""
    home = project.find(Path.cwd())
    settings = config.load(home, {"scope": options.scope})
    rules = bounds.all_rules(home.table, options.gate, settings.compared)
    found = comparison.held_against(
        options.old, options.new, root=home.root, rules=rules, scope=settings.scope
    )
    print(comparison.FORMATS[options.format](found))
    return found.exit_code
