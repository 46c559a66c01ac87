"""The documentation site: the repository's own pages, and a reference from doc strings.

`make docs` builds it with warnings as errors and without a network. The source is the
repository, so that every link between pages is the one that works there too.
"""

import contextlib
import io
import shutil
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from sphinx.application import Sphinx

from specfair import cli, config
from specfair.gates.kinds import KINDS, OWN
from specfair.training.recipe import NAMES, Recipe
from specfair.vocabulary import METRICS

project = "specfair"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "README"
PAGES = (
    "docs/report",
    "docs/scale",
    "docs/reference",
    "docs/drafts",
    "docs/statistics",
    "docs/search",
    "docs/written",
    "docs/mitigation",
    "docs/performance",
    "docs/servers",
    "docs/reliability",
    "docs/architecture",
    "fixtures/README",
    "CONTRIBUTING",
    "SECURITY",
    "CHANGELOG",
)
# of the command line, whose options are those of the reference where none is shown
COMMANDS = ("", "mend", "report", "compare", "prompts", "corpora", "fixtures", "doctor")
include_patterns = [f"{page}.md" for page in (root_doc, *PAGES)]
myst_heading_anchors = 3
smartquotes = False  # options begin with two hyphens
default_role = "code"  # doc strings put names in single backticks

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
add_module_names = False

html_theme = "furo"  # its fonts are the reader's own
html_title = "specfair"
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False


def _table(head: str, rows: Iterable[Iterable[object]]) -> str:
    lines = [head, "| " + " | ".join("-" for _ in head.split("|")[1:-1]) + " |"]
    for row in rows:
        cells = (str(cell).replace("|", "\\|") for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _shown(default: object) -> str:
    if default is None:
        return "off"
    if isinstance(default, tuple):
        return ", ".join(map(str, default))
    return str(default).lower() if isinstance(default, bool) else str(default)


def _tables() -> dict[str, str]:
    """What the reference shows of tables that live in the code."""
    options = [
        (f"`{f.name}`", _shown(f.default), f.metadata["help"]) for f in config.OPTIONS
    ]
    keys = [
        (f"`{f.name}`", _shown(f.default), f.metadata["help"]) for f in fields(Recipe)
    ]
    gates = [
        (f"`{n}`", k.comparison, _shown(k.bound), k.min_effect, k.metric)
        for n, k in KINDS.items()
        if n not in OWN
    ]
    metrics = [(f"`{n}`", m.sentence, m.known_as) for n, m in METRICS.items()]
    return {
        "options": _table("| key | default | meaning |", options),
        "recipes": _table("| recipe | what it does |", NAMES.items()),
        "keys": _table("| key | default | meaning |", keys),
        "metrics": _table("| metric | meaning | known elsewhere as |", metrics),
        "gates": _table("| gate | side | bound | minimum effect | metric |", gates),
        "commands": "\n".join(f"```\n{_help(name)}```\n" for name in COMMANDS),
    }


def _help(*command: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        cli.main([word for word in (*command, "--help") if word])
    return said.getvalue()


def _complete(_: Sphinx, page: str, source: list[str]) -> None:
    """The first page lists the others; the reference gets its tables."""
    if page == root_doc:
        listed = "\n".join(PAGES)
        source[0] += f"\n```{{toctree}}\n:hidden:\n{listed}\n```\n"
    if page == "docs/reference":
        for name, table in _tables().items():
            source[0] = source[0].replace(f"<!-- {name} -->", table)


def _first_page(app: Sphinx, error: Exception | None) -> None:
    if error is None:
        shutil.copy(
            Path(app.outdir, f"{root_doc}.html"), Path(app.outdir, "index.html")
        )


def setup(app: Sphinx) -> None:
    app.connect("source-read", _complete)
    app.connect("build-finished", _first_page)
