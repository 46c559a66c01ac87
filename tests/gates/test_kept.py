"""Where a baseline is kept; what becomes of its file is asked in test_baseline."""

from pathlib import Path

import pytest

from specfair.errors import UsageError
from specfair.gates import kept
from tests.gates.test_baseline import make


def test_a_baseline_lies_in_the_project_by_its_name(tmp_path: Path) -> None:
    path = kept.path_of("main.json", tmp_path)
    assert (
        path == kept.path_of("main", tmp_path) == tmp_path / kept.FOLDER / "main.json"
    )
    assert not kept.is_kept("main", tmp_path)
    [said] = kept.save_baseline(make(base=0.0), "main", root=tmp_path)
    assert said == "baseline 'main' saved: 1 stage, 24 prompts"
    assert kept.is_kept("main", tmp_path)
    assert kept.read_baseline("main", tmp_path) == kept.read_file(path, "any")


def test_an_update_says_what_it_replaces(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not say which baseline"):
        kept.check_asked(tmp_path, compare=None, save=None, update=True)
    with pytest.raises(UsageError, match="not with --specfair-save-baseline"):
        kept.check_asked(tmp_path, compare="a", save="b", update=True)
    kept.check_asked(tmp_path, compare="first", save=None, update=True)
