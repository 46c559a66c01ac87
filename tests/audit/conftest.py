"""A session that asked every question of the small audit, and its run."""

from pathlib import Path

import pytest

from specfair.audit import record
from specfair.audit.audit import Audit
from specfair.audit.session import Session, ask_all
from specfair.run.run import Run
from specfair.vocabulary import BASE, Stage

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def session(measured: Audit) -> Session:
    made = Session(
        measured.settings,
        lambda _: None,
        audits={measured.settings.measurement: measured},
    )
    ask_all(made, BASE)
    ask_all(made, Stage("imdb"))
    return made


@pytest.fixture(scope="module")
def report(session: Session) -> Run:
    return record.build(session)
