"""The house keeps its shape: imports go one way, heavy libraries stay where they belong, functions stay small."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "specfair"
# fmt: off
ORDER = (
    "errors", "typed", "outputs", "devices", "sampling", "store", "stats", "reading", "tables", "hub", "prompts",
    "folders", "documents", "published", "corpora", "mentions", "pairs", "trace", "replay", "decoder", "columns",
    "lockstep", "tracer", "rounds", "speculate", "agreement", "clock", "timing", "finetune", "metrics", "gates",
    "measured", "tracing", "baseline", "project", "config", "bounds", "comparison", "audit", "report", "questions",
    "session", "desk", "holding", "selecting", "asked", "rows", "ci", "record", "doctor", "plugin", "cli",
)
# fmt: on
ALLOWED = {
    "torch": {
        "sampling",
        "pairs",
        "decoder",
        "columns",
        "lockstep",
        "rounds",
        "tracer",
        "speculate",
        "clock",
        "finetune",
        "devices",
    },
    "pytest": {"plugin", "selecting", "asked"},
    "jinja2": {"report"},
    "altair": {"report"},
}
SOURCES = [
    *PACKAGE.rglob("*.py"),
    *(ROOT / "evals").glob("*.py"),
    *(ROOT / "fixtures").glob("*.py"),
    ROOT / "conftest.py",
]


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py" and "fixtures" not in p.parts)


def home(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of what is imported when the module is, that is, not inside a function or for types only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif (
            not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "TYPE_CHECKING" not in ast.dump(node)[:80]
        ):
            yield from imported(node)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downwards_only(path: Path) -> None:
    own = home(path)
    assert own in ORDER, f"{own} has no place in the order of imports; give it one"
    for name in imported(ast.parse(path.read_text())):
        parts = name.split(".")
        if parts[0] == "specfair" and len(parts) > 1 and parts[1] in ORDER:
            assert ORDER.index(parts[1]) <= ORDER.index(own), f"{own} imports {parts[1]}, which lies above it"
        if parts[0] in ALLOWED:
            assert own in ALLOWED[parts[0]], f"{own} imports {parts[0]}, which belongs in {ALLOWED[parts[0]]}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text)), "every module says what it does"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


def test_every_module_has_its_tests() -> None:
    names = {home(p) for p in modules()}
    missing = sorted(name for name in names if not list((ROOT / "tests").glob(f"test_{name}*.py")))
    assert not missing


@pytest.mark.parametrize("module", ["specfair", "specfair.plugin"])
def test_import_is_light(module: str) -> None:
    """Measured in a process of its own: no heavy library, and no work beyond reading a few small files."""
    heavy = "{'torch', 'transformers', 'pandas', 'numpy', 'scipy', 'datasets', 'altair', 'jinja2'}"
    code = f"import sys, pytest, dataclasses; import {module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_plugin_takes_no_time() -> None:
    """Processor time of the best of five processes: about 0.01 s, so that an idle plugin costs nothing."""
    code = "import time, pytest, dataclasses; t = time.process_time(); import specfair.plugin"
    code += "; print(time.process_time() - t)"
    clean = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=clean, check=True)
        for _ in range(5)
    ]
    assert min(float(done.stdout) for done in runs) < 0.05
