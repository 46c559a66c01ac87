"""What tests need that point datasets.load_dataset at a folder: a cache that is not the
user's.
"""

import sys
from pathlib import Path

import pytest


def cache_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the library was imported before this test or is imported by it."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(folder))
    if "datasets" in sys.modules:
        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", folder)
