"""Workers of a real Ray cluster of two nodes, on this machine: however many they are,
and whoever is killed, the store and the run are those of one process.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from specfair import cli
from specfair.audit import crew, tracing
from specfair.audit.crew import Crew
from specfair.audit.lending import open_pair
from specfair.errors import ModelError, UsageError
from specfair.models.identity import Choice, Identity
from specfair.workers import Hired
from tests.test_workers import AUDIT, texts, verdicts

EMBEDDED = Choice("embedded", "embedded", names=("embedded", "embedded"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of five processors each, as far as Ray knows."""
    ray: Any = pytest.importorskip("ray", reason="an extra: specfair[ray]")
    Cluster = pytest.importorskip("ray.cluster_utils").Cluster  # noqa: N806  # a class

    node = {"num_cpus": 5, "object_store_memory": 80_000_000}
    found = Cluster(
        initialize_head=True, head_node_args={**node, "include_dashboard": False}
    )
    second = found.add_node(**node)
    ray.init(address=found.address, log_to_driver=False, logging_level="ERROR")
    yield SimpleNamespace(ray=ray, lose=lambda: found.remove_node(second, False))
    ray.shutdown()
    found.shutdown()


def audited(folder: Path, *more: str) -> Path:
    """`specfair audit` in a folder of its own, in portions small enough to be many."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "PORTION", 9)
        patch.chdir(folder)
        for name in [n for n in os.environ if n.startswith("PYTEST_XDIST")]:
            patch.delenv(name)
        assert cli.main([*AUDIT, "--store=store", *more]) in (0, 1, 3)
    return folder


@contextmanager
def once(condition: Callable[[], bool], act: Callable[[], object]) -> Iterator[None]:
    """As soon as the condition holds, act; it must have come to that."""
    acted, over = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            if condition():
                act()
                acted.set()
                return

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()
    assert acted.is_set()


def written(folder: Path) -> Callable[[], bool]:
    return lambda: any((folder / "store").glob("texts/*/*.key.json"))


def busy_hand() -> int:
    """The process of a worker that works; Ray names them after what they do."""
    names = {
        int(place.parent.name): place.read_bytes()
        for place in Path("/proc").glob("[0-9]*/cmdline")
        if os.access(place, os.R_OK)
    }
    return next((n for n, name in names.items() if b"ray::Hand.do" in name), 0)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return audited(tmp_path_factory.mktemp("alone") / "run")


def same(folder: Path, alone: Path) -> None:
    assert texts(folder / "store") == texts(alone / "store")
    assert verdicts(folder) == verdicts(alone)


def small(hired: Hired, said: list[str], opening: Any = None) -> Crew:
    return Crew(hired, opening or partial(open_pair, tiny=True), said.append)


def test_a_cluster_that_is_not_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("ray", reason="an extra: specfair[ray]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", place)
    with pytest.raises(UsageError, match=f"Ray cluster at '{place}' cannot be reached"):
        print(small(Hired(), []).n)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'specfair\[ray\]'"):
        print(small(Hired(), []).n)


@pytest.mark.usefixtures("cluster")
def test_one_worker(alone: Path, tmp_path: Path) -> None:
    same(audited(tmp_path / "run", "--workers=ray:1"), alone)


@pytest.mark.usefixtures("cluster")
def test_two_workers_and_one_killed(
    alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it had begun begins again, and it comes back."""
    folder = tmp_path / "run"

    def ready() -> bool:
        return written(folder)() and busy_hand() > 0

    with once(ready, lambda: os.kill(busy_hand(), signal.SIGKILL)):
        audited(folder, "--workers=ray:2")
    same(folder, alone)
    assert "a worker was lost; what it had begun begins again" in capsys.readouterr()[1]


@pytest.mark.usefixtures("cluster")
def test_a_mistake_is_what_it_would_be_here() -> None:
    """Its own kind, in one line; and who made it goes on with something else."""
    workers = small(Hired(1), [])
    absent = replace(EMBEDDED, target="./absent", draft="./absent")
    with workers.opened(absent) as work, pytest.raises(ModelError) as here:
        work.cost_ratio()
    with pytest.raises(ModelError) as there, open_pair(absent, tiny=True):
        pass
    assert str(here.value) == str(there.value)


def suicide(_: Choice) -> AbstractContextManager[Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@pytest.mark.usefixtures("cluster")
def test_what_kills_every_worker_is_given_up() -> None:
    said: list[str] = []
    workers = small(Hired(2), said, suicide)
    with workers.at_work(), pytest.raises(ModelError, match="cost 3 workers"):
        workers.ask(EMBEDDED, "identity")
    assert len(said) == crew.LIVES


@pytest.mark.usefixtures("cluster")
def test_who_waits_for_a_worker_is_told_what_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No node here has the GPU that is asked for. Eight are sent home before they came,
    five times: Ray tells of each while the next is told, and neither waits for the other.
    """
    monkeypatch.setattr(crew, "REMIND", 0.01)

    def tired(line: str) -> None:
        raise TimeoutError(line)

    for _ in range(5):
        workers = Crew(Hired(8, 1.0), suicide, tired)
        with workers.at_work(), pytest.raises(TimeoutError, match="one of 8 workers"):
            workers.ask(EMBEDDED, "identity")


@pytest.mark.usefixtures("cluster")
def test_there_are_as_many_as_there_is_room_for() -> None:
    assert small(Hired(), []).n == 10


def test_seven_workers_and_a_node_that_dies(
    cluster: Any, alone: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with once(written(folder), cluster.lose):
        audited(folder, "--workers=ray:7")
    same(folder, alone)


def test_pairs_that_differ_between_workers_are_refused() -> None:
    workers, here = small(Hired(), []), SMALL
    workers.check(EMBEDDED, here)
    workers.check(EMBEDDED, here)
    with pytest.raises(UsageError, match=r"torch\.float32 on cpu .* on cuda with an"):
        workers.check(EMBEDDED, replace(here, device="cuda", dtype="torch.bfloat16"))


SMALL = Identity(
    *("target", "draft", "a", "b", "c"),
    truncate=False,
    eos=(0,),
    n_vocab=9,
    context=None,
    dtype="torch.float32",
    device="cpu",
)
