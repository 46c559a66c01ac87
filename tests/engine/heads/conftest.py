"""Heads that have learnt the embedded target, made once in each process."""

from pathlib import Path

import pytest

from tests.engine.heads import trained, translated


@pytest.fixture(scope="session")
def of() -> trained.School:
    return trained.school()


@pytest.fixture(scope="session")
def eagle3(of: trained.School, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained.eagle3(of, tmp_path_factory.mktemp("heads") / "eagle3")


@pytest.fixture(scope="session")
def medusa(of: trained.School, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained.medusa(of, tmp_path_factory.mktemp("heads") / "medusa")


@pytest.fixture(scope="session")
def dflash(of: trained.School, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained.dflash(of, tmp_path_factory.mktemp("heads") / "dflash")


@pytest.fixture(scope="session")
def foreign(of: trained.School, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return translated.draft(of, tmp_path_factory.mktemp("heads") / "foreign")
