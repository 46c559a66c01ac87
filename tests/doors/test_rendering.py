"""A stored run is read again; what is none is one line."""

from pathlib import Path

import pytest

from specfair.doors import rendering
from specfair.errors import StoreError


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"A run is the .json beside a report"):
        rendering.read_run(tmp_path / "absent.json")
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(StoreError):
        rendering.read_run(tmp_path / "x.json")
