"""The right project: the nearest table counts, a misspelt one is suspected, a broken
file is one line.
"""

from pathlib import Path

import pytest

from specfair import project
from specfair.errors import UsageError


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(text)
    return folder


def test_a_file_without_the_table_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "[tool.specfair]\nseed = 3\n")
    inner = write(tmp_path / "packages" / "a", "[project]\nname = 'a'\n")
    assert project.find(inner / "tests").root == tmp_path
    assert project.find(inner).table == {"seed": 3}


def test_without_any_table_the_nearest_file_makes_the_project(tmp_path: Path) -> None:
    write(tmp_path, "[project]\nname = 'a'\n")
    (tmp_path / "sub").mkdir()
    assert project.find(tmp_path / "sub") == project.Project(tmp_path)


def test_the_project_of_several_paths_is_that_of_their_common_folder(
    tmp_path: Path,
) -> None:
    write(tmp_path, "[tool.specfair]\nseed = 3\n")
    files = [tmp_path / "a" / "test_x.py", tmp_path / "b" / "test_y.py"]
    for file in files:
        file.parent.mkdir()
        file.touch()
    assert project.find_for(files).root == tmp_path
    assert project.find_for(files[:1]).root == tmp_path


@pytest.mark.parametrize(
    ("name", "suspected"),
    [("specfiar", True), ("spec-fair", True), ("spectral", False)],
)
def test_a_misspelt_table_is_suspected_aloud(
    tmp_path: Path, name: str, suspected: bool
) -> None:
    found = project.find(write(tmp_path, f"[tool.{name}]\nseed = 3\n"))
    assert [f"[tool.{name}], which nothing reads" in line for line in found.doubts] == [
        True
    ] * suspected


@pytest.mark.parametrize(
    ("text", "said"),
    [("= =", "not valid TOML"), ("[tool]\nspecfair = 5\n", "is not a table")],
)
def test_what_cannot_be_meant_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        project.find(write(tmp_path, text))
