"""Several processes on one store: whoever does what, and whoever is killed, the files
and the verdicts are those of one process.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from specfair import workers
from specfair.workers import Worker

ROOT = Path(__file__).parents[1]
AUDIT = [
    *("audit", "--max-new-tokens", "8", "--prompts-per-group", "24"),
    *("--groups", "female,male,queer", "--datasets", "imdb,sst2"),
    *("--recipe", "clm,max_steps=4", "--cost-ratio", "0.16", "--out", "run.json"),
]
# portions small enough that there are many
CODE = (
    "import sys; from specfair.audit import tracing; tracing.PORTION = 9; "
    "from specfair.cli import main; sys.exit(main(sys.argv[1:]))"
)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, Worker()),
        ({"RANK": "0", "WORLD_SIZE": "1"}, Worker()),
        ({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}, Worker(3, 4, 1)),
        (
            {
                "SLURM_ARRAY_TASK_ID": "2",
                "SLURM_ARRAY_TASK_MIN": "1",
                "SLURM_ARRAY_TASK_COUNT": "3",
            },
            Worker(1, 3),
        ),
        (
            {"SLURM_PROCID": "5", "SLURM_NTASKS": "8", "SLURM_LOCALID": "1"},
            Worker(5, 8, 1),
        ),
        (
            {"PYTEST_XDIST_WORKER": "gw1", "PYTEST_XDIST_WORKER_COUNT": "2"},
            Worker(1, 2, 1),
        ),
    ],
)
def test_launchers_say_which_worker_this_is(
    environ: dict[str, str], expected: Worker
) -> None:
    assert workers.here(environ) == expected


def test_the_first_of_a_launch_speaks() -> None:
    ranks = {"RANK": "1", "WORLD_SIZE": "2"}
    assert not workers.leads(ranks)
    assert workers.leads(ranks | {"RANK": "0"})
    assert workers.leads(
        {"PYTEST_XDIST_WORKER": "gw1", "PYTEST_XDIST_WORKER_COUNT": "2"}
    )


def test_only_accelerate_trains_together(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}
    assert workers.together(ranks | {"ACCELERATE_MIXED_PRECISION": "no"})
    assert not workers.together(ranks)
    for name, value in ranks.items():
        monkeypatch.setenv(name, value)
    with workers.by_itself():
        assert not set(ranks) & set(os.environ)
    assert workers.here() == Worker(1, 2, 1)


def start(folder: Path, *launcher: str, **environ: str) -> subprocess.Popen[str]:
    """`specfair audit` on a store that all share, in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    store = f"--store={folder.parent / 'store'}"
    python = [sys.executable, *launcher] if launcher else [sys.executable, "-c", CODE]
    return subprocess.Popen(
        [*python, *AUDIT, store],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def rank(n: int, of: int) -> dict[str, str]:
    return {"RANK": str(n), "WORLD_SIZE": str(of), "LOCAL_RANK": str(n)}


def texts(store: Path) -> dict[str, bytes]:
    """What was written, read along and tuned, without what took how long."""
    return {
        str(file.relative_to(store)): file.read_bytes()
        for kind in ("texts", "readings", "tuned", "checks")
        for file in sorted((store / kind).rglob("*"))
        if file.is_file() and file.suffix != ".lock"
    }


def verdicts(folder: Path) -> Any:
    """The run, without when and by which command it was made."""
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for verdict in run["verdicts"]:
        del verdict["reproduce"]
    return {k: v for k, v in run.items() if k not in ("created", "command")}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process leaves."""
    folder = tmp_path_factory.mktemp("alone")
    done = start(folder / "run")
    said, _ = done.communicate()
    assert done.returncode in (0, 1, 3), said
    return folder


def test_two_workers_and_one_killed_in_the_middle(alone: Path, tmp_path: Path) -> None:
    """The killed one's claim is nobody's; what it had begun is done by the other."""
    first = start(tmp_path / "a", **rank(0, 2))
    second = start(tmp_path / "b", **rank(1, 2))
    patience = time.monotonic() + 60
    while not list((tmp_path / "store").glob("texts/*/*.key.json")):
        assert time.monotonic() < patience
        time.sleep(0.05)
    second.send_signal(signal.SIGKILL)
    second.communicate()
    said, _ = first.communicate()
    assert first.returncode in (0, 1, 3), said
    assert texts(tmp_path / "store") == texts(alone / "store")
    assert verdicts(tmp_path / "a") == verdicts(alone / "run")


def test_torchrun_s_ranks_share_the_work(alone: Path, tmp_path: Path) -> None:
    """Both begin at once, each elsewhere; trainings are of one rank each."""
    (tmp_path / "audit.py").write_text(CODE, encoding="utf-8")
    done = start(
        tmp_path / "run",
        *("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"),
        str(tmp_path / "audit.py"),
    )
    said, _ = done.communicate()
    assert (tmp_path / "run" / "run.json").is_file(), said
    assert texts(tmp_path / "store") == texts(alone / "store")
    assert verdicts(tmp_path / "run") == verdicts(alone / "run")
    assert said.count("base: gap of acceptance_rate") == 1  # one rank speaks


def evals(folder: Path, store: Path, *more: str) -> str:
    """`pytest evals` on the same, in portions as small."""
    folder.mkdir()
    small = "from specfair.audit import tracing\ntracing.PORTION = 9\n"
    (folder / "small_portions.py").write_text(small, encoding="utf-8")
    to = [f"--specfair-store={store}", f"--specfair-report={folder / 'run.html'}"]
    asked = [word.replace("--", "--specfair-") for word in AUDIT[1:-2]]
    away = ["-p", "no:cacheprovider", "-p", "small_portions", "-q"]
    paths = os.pathsep.join(map(str, (ROOT, folder)))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", ROOT / "evals", *away, *asked, *to, *more],
        check=False,  # what it judges is not asked here
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "SOURCE_DATE_EPOCH": "0"},
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def test_two_workers_of_xdist_share_the_work(alone: Path, tmp_path: Path) -> None:
    """They store what `specfair audit` stores, and report what one of them would."""
    said = evals(tmp_path / "two", tmp_path / "store", "-n", "2")
    assert (tmp_path / "two" / "run.json").is_file(), said
    assert texts(tmp_path / "store") == texts(alone / "store")
    evals(tmp_path / "one", alone / "store")
    two, one = verdicts(tmp_path / "two"), verdicts(tmp_path / "one")
    assert {name for name in one if two[name] != one[name]} == set()
