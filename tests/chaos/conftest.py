"""How often each promise is tried, and the page that says so.

`pytest tests/chaos` tries each a few times; with `--chaos` as often as
docs/reliability.md states, and the page is written anew from what was counted, failures
too. Cases are counted where they happen, so that a test that ends early cannot claim
what it did not try.
"""

import json
import os
import platform
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
VERSIONS = (
    "specfair",
    "torch",
    "transformers",
    "numpy",
    "pyarrow",
    "pytest",
    "hypothesis",
)
INTRODUCTION = """# What holds when things go wrong

Each promise below is a test in `tests/chaos/` that can fail. `make chaos` tries them as often as the table says and
writes this page; `make test` tries each a few times. A failure is shown here, not hidden: the command fails as well.
"""
_TRIED = pytest.StashKey[list["Promise"]]()


@dataclass(slots=True)
class Promise:
    """One line of the table."""

    area: str
    sentence: str
    tried: int = 0
    failed: int = 0
    # what else was counted, such as near-ties
    notes: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Chaos:
    """What a test asks: how often to try, and where to count."""

    full: bool
    promises: list[Promise]

    def n(self, *, full: int, reduced: int) -> int:
        """How many cases this run tries."""
        return full if self.full else reduced

    def promise(self, area: str, sentence: str) -> "Counting":
        """Count the cases of one promise, `with chaos.promise(...) as tried:
        tried.case()`; what raises has failed.
        """
        made = Promise(area, sentence)
        self.promises.append(made)
        return Counting(made)


@dataclass(slots=True)
class Counting:
    """Counts cases; a case that raises is one that failed."""

    promise: Promise

    def __enter__(self) -> "Counting":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not issubclass(kind, KeyboardInterrupt):
            self.promise.failed = max(1, self.promise.failed)

    def case(self, n: int = 1) -> None:
        """So many more were tried and held."""
        self.promise.tried += n

    def note(self, what: str, n: int = 1) -> None:
        """Something seen on the way that a reader of the table should know."""
        self.promise.notes[what] += n


def pytest_addoption(parser: pytest.Parser) -> None:
    """One switch."""
    parser.addoption(
        "--chaos",
        action="store_true",
        help="try each promise as often as docs/reliability.md states",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Where this process counts."""
    config.stash[_TRIED] = []


@pytest.fixture
def chaos(request: pytest.FixtureRequest) -> Chaos:
    """How often to try, and where to count."""
    return Chaos(
        bool(request.config.getoption("--chaos", default=False)),
        request.config.stash[_TRIED],
    )


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of xdist counted."""
    found = json.loads((getattr(node, "workeroutput", None) or {}).get("chaos", "[]"))
    node.config.stash[_TRIED] += [
        Promise(**{**p, "notes": Counter(p["notes"])}) for p in found
    ]


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Write the page, or send the counts to the process that does."""
    config = session.config
    plain = [
        {name: getattr(p, name) for name in Promise.__slots__}
        for p in config.stash[_TRIED]
    ]
    if hasattr(config, "workeroutput"):
        config.workeroutput["chaos"] = json.dumps(plain)
    elif config.getoption("--chaos", default=False) and config.stash[_TRIED]:
        PAGE.write_text(page(config.stash[_TRIED]), encoding="utf-8")
    yield


def summed(promises: list[Promise]) -> list[Promise]:
    """One line of the table for what several tests tried."""
    found: dict[tuple[str, str], Promise] = {}
    for p in promises:
        line = found.setdefault((p.area, p.sentence), Promise(p.area, p.sentence))
        line.tried, line.failed, line.notes = (
            line.tried + p.tried,
            line.failed + p.failed,
            line.notes + p.notes,
        )
    return [*found.values()]


def page(promises: list[Promise]) -> str:
    """The table, by area and in the order of its sentences."""
    rows = [
        "| area | promise | cases tried | failures | seen on the way |",
        "| --- | --- | --- | --- | --- |",
    ]
    for p in sorted(summed(promises), key=lambda p: (p.area, p.sentence)):
        notes = ", ".join(f"{what}: {n:,}" for what, n in sorted(p.notes.items()))
        rows.append(
            f"| {p.area} | {p.sentence} | {p.tried:,} | {p.failed:,} | {notes} |"
        )
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    when = datetime.now(UTC).date().isoformat()
    machine = (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{platform.system()}"
    )
    return "\n".join(
        [INTRODUCTION, *rows, "", f"Measured {when} on {machine}: {versions}.", ""]
    )
