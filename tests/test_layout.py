"""The house keeps its shape: imports go one way, heavy libraries stay where they
belong, functions stay small.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "specfair"
# a room imports only rooms below its floor; plugin and command line are the doors' own
FLOORS = (
    ("errors", "typed", "outputs", "vocabulary", "decoding", "project", "workers"),
    ("texts", "stats", "store", "run"),
    ("models", "traces", "strategies"),
    ("gates", "report", "engine", "training", "servers"),
    ("config",),
    ("audit",),
    ("doors", "plugin", "cli"),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS, start=1) for room in rooms}
DOORS = ("plugin", "cli")
# everybody may raise
GROUND = {
    *((room, "errors") for room in ("outputs", "project", "typed", "decoding")),
    ("project", "vocabulary"),
}
HIDDEN = 2  # the doors: where weights are opened, and where pytest meets the audit
HOMONYMS = 5
ALLOWED = {
    "torch": {"models", "engine", "training"},
    "pytest": {"plugin", "doors"},
    "jinja2": {"report"},
}
SOURCES = [
    *PACKAGE.rglob("*.py"),
    *(ROOT / "evals").glob("*.py"),
    *(ROOT / "fixtures").glob("*.py"),
    ROOT / "conftest.py",
]


def modules() -> list[Path]:
    return sorted(
        p
        for p in PACKAGE.rglob("*.py")
        if p != PACKAGE / "__init__.py" and "fixtures" not in p.parts
    )


def home(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of what is imported when the module is, that is, not inside a function
    or for types only.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif (
            not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and "TYPE_CHECKING" not in ast.dump(node)[:80]
        ):
            yield from imported(node)


def ours(tree: ast.AST) -> Iterator[str]:
    """The rooms of our own that are imported, also inside functions and for types
    only.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "specfair":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "specfair."
        ):
            yield str(node.module).split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (
                alias.name.split(".")[1]
                for alias in node.names
                if alias.name.startswith("specfair.")
            )


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downwards_only(path: Path) -> None:
    """Hidden ones included: what a room knows, it knows on every floor."""
    own, tree = home(path), ast.parse(path.read_text())
    assert own in FLOOR, f"{own} has no floor; give it one"
    for room in ours(tree):
        inside = (
            room == own or (own, room) in GROUND or (own in DOORS and room == "doors")
        )
        assert room in FLOOR, f"{own} imports {room}, which has no floor"
        assert inside or FLOOR[room] < FLOOR[own], (
            f"{own} imports {room}, which does not lie below it"
        )
    for name in imported(tree):
        heavy = name.split(".")[0]
        assert own in ALLOWED.get(heavy, {own}), (
            f"{own} imports {heavy}, which belongs in {ALLOWED[heavy]}"
        )


def test_imports_hidden_in_functions_become_fewer() -> None:
    """They keep a start light, and hide what a room knows. The number may only fall:
    lower it when it does.
    """
    found = 0
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                inner = [n for n in ast.walk(node) if isinstance(n, ast.ImportFrom)]
                found += sum((n.module or "").startswith("specfair") for n in inner)
    assert found == HIDDEN


def test_the_page_about_the_house_is_true() -> None:
    """Its floors are these, and every file it names is there."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    said = {
        int(n): set(re.findall(r"`(\w+)`", rooms))
        for n, rooms in re.findall(r"^\| (\d) \| (.*?) \|", page, re.M)
    }
    assert said == {floor: set(rooms) for floor, rooms in enumerate(FLOORS, start=1)}
    named = re.findall(r"`(specfair/[\w/]+\.py)`", page)
    assert len(named) >= 20
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_ground_floor_is_not_crowded() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 12
    assert len(FLOORS) <= 7


def test_a_name_means_one_thing() -> None:
    """A public function or class of one name stands in one module; few are excused, as
    `config.load` and `corpora.load`, which are said with their module.
    """
    homes: dict[str, set[str]] = {}
    for path in modules():
        for node in ast.parse(path.read_text("utf-8")).body:
            if not isinstance(node, ast.FunctionDef | ast.ClassDef):
                continue
            if not node.name.startswith("_"):
                homes.setdefault(node.name, set()).add(str(path))
    several = {name: sorted(where) for name, where in homes.items() if len(where) > 1}
    assert len(several) <= HOMONYMS, several


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text)), "every module says what it does"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


def test_every_module_has_its_tests() -> None:
    """In the room of the same name; a module that is only a part of its room is tested
    with the room.
    """
    for path in modules():
        room, stem = path.relative_to(PACKAGE).parts[0], path.stem
        if path.parent == PACKAGE:
            assert list((ROOT / "tests").glob(f"test_{stem}*.py")), path
        elif room != "report" and "prompts" not in path.parts and stem != "__init__":
            named = f"test_{stem}*.py", f"test_{room}_{stem}*.py"
            there = ROOT / "tests" / room
            assert any(list(there.rglob(name)) for name in named), path
    for room in ("stats", "report", "gates", "texts"):
        assert len(list((ROOT / "tests" / room).glob("test_*.py"))) > 2


@pytest.mark.parametrize("module", ["specfair", "specfair.plugin"])
def test_import_is_light(module: str) -> None:
    """Measured in a process of its own: no heavy library, and no work beyond reading a
    few small files.
    """
    heavy = (
        "{'torch', 'transformers', 'pandas', 'numpy', 'scipy', 'datasets', 'jinja2'}"
    )
    code = (
        f"import sys, pytest, dataclasses; import {module}; print(sorted({heavy} & "
        "set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout.strip() == "[]"
