"""Killed at any moment, interrupted, without room or rights, two at once: the next run
ends as if nothing had been.

The undisturbed run is made once; every disturbed one is repeated and must leave the
same files with the same bytes, and must not have made again what was finished before.
"""

import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from specfair.traces.stored import load_text
from tests.chaos.conftest import Chaos
from tests.chaos.forks import Forks, Run

SMALL = (
    "--groups female,male --prompts-per-group 10 --max-new-tokens 4 --cost-ratio "
    "0.2 --store store --out run.json"
)
N_PROMPTS = 20
AUDIT = ["audit", *SMALL.split()]
TUNE = ["audit", "--datasets", "imdb", *SMALL.split()]
REPORT = ["report", "run.json", "--out", "page.html"]
FINISHED = (0, 1, 3)  # a verdict, whichever


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What a run leaves when nothing happens to it."""

    command: list[str]
    files: dict[str, bytes]
    seconds: float


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as running:
        yield running


def _files(folder: Path) -> dict[str, bytes]:
    """All but what was said, by name; hidden ones too."""
    return {
        str(f.relative_to(folder)): f.read_bytes()
        for f in sorted(folder.rglob("*"))
        if f.is_file() and not f.name.startswith("said-")
    }


def _undisturbed(forks: Forks, folder: Path, command: list[str]) -> Undisturbed:
    done = forks.run(folder, command)
    assert done.code in FINISHED, done.said
    return Undisturbed(command, _files(folder), done.seconds)


@pytest.fixture(scope="module")
def audit(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return _undisturbed(forks, tmp_path_factory.mktemp("audit"), AUDIT)


@pytest.fixture(scope="module")
def tuning(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return _undisturbed(forks, tmp_path_factory.mktemp("tuning"), TUNE)


@pytest.fixture
def either(request: pytest.FixtureRequest, chaos: Chaos) -> Undisturbed:
    """With fine-tuning where there is time for it."""
    found: Undisturbed = request.getfixturevalue("tuning" if chaos.full else "audit")
    return found


@pytest.fixture(scope="module")
def report(
    forks: Forks, tmp_path_factory: pytest.TempPathFactory, audit: Undisturbed
) -> Undisturbed:
    folder = tmp_path_factory.mktemp("report")
    (folder / "run.json").write_bytes(audit.files["run.json"])
    return _undisturbed(forks, folder, REPORT)


def _contents(folder: Path, kind: str) -> list[Path]:
    found = (folder / "store").glob(f"{kind}/*")
    return [p for p in found if "." not in p.name]


def _made(said: str) -> dict[str, int]:
    """What a run made, by what it said: prompts traced, models tuned, samples
    checked.
    """
    traced: dict[str, int] = {}
    for stage, n in re.findall(r"tracing (\w+): (\d+) of", said):
        traced.setdefault(stage, int(n))
    tuned = set(re.findall(r"fine-tuning the (\w+)", said))
    return {
        "prompts": sum(traced.values()),
        "models": len(tuned),
        "checks": said.count("checking "),
    }


def _kept(folder: Path) -> dict[str, int]:
    return {
        "prompts": sum(len(load_text(p).prompts) for p in _contents(folder, "texts/*")),
        "models": len(_contents(folder, "tuned")),
        "checks": len(_contents(folder, "checks")),
    }


def _stamps(folder: Path) -> dict[Path, tuple[int, int]]:
    weights = [p / "model" / "model.safetensors" for p in _contents(folder, "tuned")]
    return {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in weights}


def _again(forks: Forks, folder: Path, wanted: Undisturbed) -> Run:
    """The same command: the same files, and only what was missing made."""
    kept, stamps = _kept(folder), _stamps(folder)
    done = forks.run(folder, wanted.command)
    assert done.code in FINISHED, done.said
    assert "Traceback" not in done.said
    assert "damaged" not in done.said
    found = _files(folder)
    assert sorted(found) == sorted(wanted.files)
    assert [name for name in found if found[name] != wanted.files[name]] == []
    n_stages = 1 + ("--datasets" in wanted.command)
    every = {
        "prompts": N_PROMPTS * n_stages,
        "models": 2 * (n_stages - 1),
        "checks": n_stages,
    }
    if wanted.command[0] == "audit":
        made = _made(done.said)
        assert {name: kept[name] + made[name] for name in every} == every
    assert {p: s for p, s in _stamps(folder).items() if p in stamps} == stamps
    return done


SCENARIOS = {
    "audit": "an audit killed by SIGKILL",
    "tuning": "an audit with fine-tuning killed by SIGKILL",
    "report": "the rendering of a report killed by SIGKILL",
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_at_any_moment(
    chaos: Chaos,
    forks: Forks,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    name: str,
) -> None:
    wanted: Undisturbed = request.getfixturevalue(name)
    rng = random.Random(name)
    sentence = (
        f"{SCENARIOS[name]} and run again leaves the same bytes, makes nothing "
        "twice and leaves no other file"
    )
    with chaos.promise("kill and resume", sentence) as tried:
        while tried.promise.tried < chaos.n(
            full=50, reduced=2 if name == "audit" else 1
        ):
            folder = _start(tmp_path, wanted)
            killed = forks.run(
                folder, wanted.command, after=rng.uniform(0.0, wanted.seconds)
            )
            if killed.code != -signal.SIGKILL:
                continue  # it was faster than the undisturbed run
            _again(forks, folder, wanted)
            tried.case()
            shutil.rmtree(folder)


def _start(parent: Path, wanted: Undisturbed) -> Path:
    folder = parent / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if wanted.command[0] == "report":
        (folder / "run.json").write_bytes(wanted.files["run.json"])
    return folder


def test_killed_again_and_again(
    chaos: Chaos, forks: Forks, tmp_path: Path, either: Undisturbed
) -> None:
    """One run, killed many times at random moments and always run again, gets to its
    end.
    """
    rng = random.Random(0)
    with chaos.promise(
        "kill and resume", "one audit killed over and over ends with the same bytes"
    ) as tried:
        folder = _start(tmp_path, either)
        for _ in range(chaos.n(full=10, reduced=1)):
            before = _kept(folder)
            forks.run(
                folder, either.command, after=rng.uniform(0.2, 0.5) * either.seconds
            )
            assert all(_kept(folder)[name] >= n for name, n in before.items())
            tried.case()
        _again(forks, folder, either)


def test_interrupted(
    chaos: Chaos, forks: Forks, tmp_path: Path, audit: Undisturbed
) -> None:
    rng = random.Random(1)
    with chaos.promise(
        "kill and resume",
        "an audit interrupted by SIGINT ends in one line, exit code 130",
    ) as tried:
        while tried.promise.tried < chaos.n(full=20, reduced=1):
            folder = _start(tmp_path, audit)
            ended = forks.run(
                folder,
                audit.command,
                after=rng.uniform(0.2, 0.9) * audit.seconds,
                send=signal.SIGINT,
            )
            if ended.code in FINISHED:
                continue
            assert ended.code == 130, ended.said
            assert ended.said.splitlines()[-1].startswith(
                "specfair: interrupted; what was finished is kept"
            )
            assert "Traceback" not in ended.said
            assert not [f for f in _files(folder) if f.endswith((".part", ".next"))]
            _again(forks, folder, audit)
            tried.case()


def test_two_at_once(
    chaos: Chaos, forks: Forks, tmp_path: Path, either: Undisturbed
) -> None:
    with chaos.promise(
        "kill and resume",
        "two audits at once share the work and end with the same bytes",
    ) as tried:
        for _ in range(chaos.n(full=5, reduced=1)):
            folder = _start(tmp_path, either)
            done = forks.run_all(folder, [either.command] * 2)
            assert {d.code for d in done} <= set(FINISHED), done
            assert _files(folder) == either.files
            said = "\n".join(d.said for d in done)
            assert "Traceback" not in said
            n_stages = 1 + ("--datasets" in either.command)
            # one that finds all written has nothing to say
            assert 1 <= len(re.findall(r"tracing \w+: \d+ of ", said)) <= 2 * n_stages
            assert said.count("step 3 of 3") == 2 * (n_stages - 1)
            tried.case()


def _mount(place: Path, options: str) -> bool:
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", str(place)],
        check=False,
        capture_output=True,
    )
    return done.returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder to run in whose store is a file system of its own, of no size to speak
    of.
    """
    place = tmp_path / "run" / "store"
    place.mkdir(parents=True)
    if not _mount(place, "size=16k"):
        pytest.skip(
            "only root can mount a small file system; tests/test_store.py "
            "writes to /dev/full instead"
        )
    yield place
    subprocess.run(["umount", str(place)], check=True)


# full in the first trace ... in the tuned draft
SIZES = ("8k", "16k", "32k", "100k", "1m", "5m", "6600k")


def test_a_full_disk(
    chaos: Chaos, forks: Forks, disk: Path, either: Undisturbed
) -> None:
    with chaos.promise(
        "kill and resume", "a store on a full disk is one line, and loses nothing"
    ) as tried:
        for size in SIZES if chaos.full else SIZES[1:2]:
            subprocess.run(
                ["mount", "-o", f"remount,size={size}", str(disk)], check=True
            )
            kept = _kept(disk.parent)
            ended = forks.run(disk.parent, either.command)
            said = [line for line in ended.said.splitlines() if "No space left" in line]
            assert (ended.code, len(said)) == (2, 1), ended.said
            assert re.fullmatch(
                r"specfair: store '.*' cannot be used \(.*No space.*Make room.*",
                said[0],
            )
            assert "Traceback" not in ended.said
            assert all(_kept(disk.parent)[name] >= n for name, n in kept.items())
            tried.case()
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        _again(forks, disk.parent, either)


def test_a_store_that_may_only_be_read(
    chaos: Chaos, forks: Forks, disk: Path, audit: Undisturbed
) -> None:
    with chaos.promise(
        "kill and resume",
        "a store that cannot be written is one line, and works afterwards",
    ) as tried:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        ended = forks.run(disk.parent, audit.command)
        assert ended.code == 2
        assert re.fullmatch(
            r"specfair: store .* cannot be used \(Read-only file system\).*\n",
            ended.said,
        )
        subprocess.run(["mount", "-o", "remount,rw,size=64m", str(disk)], check=True)
        _again(forks, disk.parent, audit)
        tried.case()


def test_a_lock_left_behind(
    chaos: Chaos, forks: Forks, tmp_path: Path, audit: Undisturbed
) -> None:
    with chaos.promise(
        "kill and resume", "locks that a dead process left do not make anybody wait"
    ) as tried:
        folder = _start(tmp_path, audit)
        for name in audit.files:
            if name.endswith((".lock", ".gitignore")):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(audit.files[name])
        start = time.monotonic()
        done = _again(forks, folder, audit)
        assert "waiting" not in done.said
        assert time.monotonic() - start < 3 * audit.seconds + 5
        tried.case()
