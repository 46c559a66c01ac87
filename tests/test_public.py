"""What users may rely on: the public names, their examples, and the page about them."""

import ast
import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

import specfair

ROOT = Path(__file__).parents[1]
EXAMPLES = [
    str(path.relative_to(ROOT).with_suffix("")).replace("/", ".")
    for path in sorted((ROOT / "specfair").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_in_doc_strings_are_true(name: str) -> None:
    tried = doctest.testmod(import_module(name.removesuffix(".__init__")))
    assert tried.attempted > 0
    assert tried.failed == 0


def test_the_nouns_have_examples() -> None:
    assert len(EXAMPLES) >= 5


def test_public_names_are_those_of_all() -> None:
    """Each is there, is what it is called, and is what type checkers are told of."""
    tree = ast.parse((ROOT / "specfair" / "__init__.py").read_text(encoding="utf-8"))
    told = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("specf")
        for alias in node.names
    }
    assert specfair.__all__ == sorted(told)
    assert [getattr(specfair, name).__name__ for name in specfair.__all__] == (
        specfair.__all__
    )


def test_each_is_in_the_reference_and_in_the_program_that_mypy_checks() -> None:
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\.\. auto\w+:: specfair\.(\w+)(?:\(.*)?$", page, re.M)
    assert sorted(shown) == specfair.__all__
    program = ast.parse((ROOT / "tests" / "typing" / "api.py").read_text())
    used = {node.id for node in ast.walk(program) if isinstance(node, ast.Name)}
    assert set(specfair.__all__) - used == set()
