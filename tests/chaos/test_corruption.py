"""Whatever is stored and then changes on disk, by a bit or altogether: noticed, kept
aside, made again, said once.
"""

import json
import os
import random
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specfair import store as stored
from specfair.audit import values
from specfair.engine.agreement import Agreement
from specfair.engine.timing import Times
from specfair.store import Store
from specfair.traces.stored import load_reading, load_text
from specfair.training.tuned import Tuned
from tests.chaos.conftest import Chaos
from tests.chaos.forks import Forks
from tests.chaos.test_resume import FINISHED, TUNE

READERS: dict[str, Callable[[Path], object]] = {
    "texts/*": load_text,
    "readings/*": load_reading,
    "checks": values.reader(lambda plain: Agreement(**plain)),
    "times": values.reader(Times.of),
    "tuned": Tuned.read,
}


@dataclass(frozen=True, slots=True)
class Content:
    """One content of a real store, and a copy of it that nobody harms."""

    store: Store
    kind: str
    key: dict[str, Any]
    kept: Path

    @property
    def read(self) -> Callable[[Path], object]:
        kind, nested, _ = self.kind.partition("/")
        return READERS[f"{kind}/*" if nested else kind]

    @property
    def path(self) -> Path:
        return self.store.path(self.kind, self.key)

    @property
    def manifest(self) -> Path:
        return self.path.with_name(f"{self.path.name}.key.json")

    @property
    def files(self) -> list[Path]:
        return (
            [p for p in sorted(self.path.rglob("*")) if p.is_file()]
            if self.path.is_dir()
            else [self.path]
        )

    def make(self, path: Path) -> None:
        if self.kept.is_dir():
            shutil.copytree(self.kept, path)
        else:
            shutil.copyfile(self.kept, path)


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as running:
        yield running


@pytest.fixture(scope="module")
def folder(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with fine-tuning, and times beside it."""
    place = tmp_path_factory.mktemp("corruption")
    done = forks.run(place, TUNE)
    assert done.code in FINISHED, done.said
    times = Times(
        ("a", "b"), np.full((9, 2), 10), np.full((9, 2), 2.0), np.full((9, 2), 1.0)
    )
    store = Store(place / "store")
    store.get_or_make(
        "times",
        {"of": "a machine"},
        make=lambda path: values.keep(times, path),
        read=values.reader(Times.of),
    )
    return place


@pytest.fixture(scope="module")
def contents(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Content]:
    """The smallest of each kind."""
    found, kept = {}, tmp_path_factory.mktemp("kept")
    for kind in READERS:
        manifests = (folder / "store").glob(f"{kind}/*.key.json")
        by_size = {m.with_name(m.name.removesuffix(".key.json")): m for m in manifests}
        path = min(
            by_size, key=lambda p: sum(f.stat().st_size for f in (p, *p.rglob("*")))
        )
        key = json.loads(by_size[path].read_text())["key"]
        place = path.parent.relative_to(folder / "store").as_posix()
        copy = kept / place.replace("/", "-")
        found[kind] = Content(Store(folder / "store"), place, key, copy)
        assert found[kind].path == path
        (shutil.copytree if path.is_dir() else shutil.copyfile)(path, copy)
    return found


def _bytes(path: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(path)): p.read_bytes()
        for p in (path, *sorted(path.rglob("*")))
        if p.is_file()
    }


def _read(content: Content) -> list[str]:
    """What a process that starts now says when it reads the content."""
    stored._checksum.cache_clear()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        content.store.get_or_make(
            content.kind, content.key, make=content.make, read=content.read
        )
    return [str(w.message) for w in said]


def _noticed(content: Content, damage: str) -> None:
    """Said once, the damaged one kept aside as it is, the content as it was; then
    nothing more is said.
    """
    harmed = _bytes(content.path) if os.path.lexists(content.path) else {}
    said = _read(content)
    assert len(said) == 1, (damage, said)
    name = re.search(r"It was kept as '(.*\.corrupt)' and is made again", said[0])
    assert name is not None
    assert _bytes(content.path.with_name(name[1])) == harmed
    assert _bytes(content.path) == _bytes(content.kept)
    assert _read(content) == []
    for aside in content.path.parent.glob("*.corrupt"):
        shutil.rmtree(aside) if aside.is_dir() else aside.unlink()


def _flip(file: Path, rng: random.Random) -> str:
    data = bytearray(file.read_bytes())
    place, bit = rng.randrange(len(data)), rng.randrange(8)
    data[place] ^= 1 << bit
    file.write_bytes(data)
    return f"bit {bit} of byte {place} of {file.name}"


def test_one_bit_of_a_text(chaos: Chaos, contents: dict[str, Content]) -> None:
    rng, content = random.Random(0), contents["texts/*"]
    with chaos.promise(
        "corruption", "one flipped bit anywhere in a stored text is noticed"
    ) as tried:
        for _ in range(chaos.n(full=300, reduced=30)):
            _noticed(content, _flip(content.path, rng))
            tried.case()


@pytest.mark.parametrize("kind", READERS)
def test_one_bit_anywhere(
    chaos: Chaos, contents: dict[str, Content], kind: str
) -> None:
    rng, content = random.Random(kind), contents[kind]
    with chaos.promise(
        "corruption",
        f"one flipped bit in {kind}, in any file or the manifest, is noticed",
    ) as tried:
        for turn in range(chaos.n(full=100, reduced=6)):
            files = [content.manifest] if turn % 3 == 0 else content.files
            _noticed(content, _flip(rng.choice(files), rng))
            tried.case()


def _cut(file: Path, rng: random.Random) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: rng.randrange(len(data))])


def _grow(file: Path, rng: random.Random) -> None:
    file.write_bytes(file.read_bytes() + rng.randbytes(rng.randint(1, 9)))


def _empty(file: Path, _: random.Random) -> None:
    file.write_bytes(b"")


def _gone(file: Path, _: random.Random) -> None:
    file.unlink()


def _folder(file: Path, _: random.Random) -> None:
    file.unlink()
    file.mkdir()


def _noise(file: Path, rng: random.Random) -> None:
    file.write_bytes(rng.randbytes(file.stat().st_size))


def _swap(file: Path, rng: random.Random) -> None:
    """Two parts change places: nothing is lost, only its order."""
    data = file.read_bytes()
    middle = rng.randrange(1, len(data))
    swapped = data[middle:] + data[:middle]
    file.write_bytes(swapped if swapped != data else data + b"x")


DAMAGES = (_cut, _grow, _empty, _gone, _folder, _noise, _swap)


@pytest.mark.parametrize("kind", READERS)
def test_any_other_damage(
    chaos: Chaos, contents: dict[str, Content], kind: str
) -> None:
    rng, content = random.Random(kind), contents[kind]
    sentence = (
        f"{kind} cut, grown, emptied, missing, shuffled or replaced by a folder or "
        "noise are noticed"
    )
    with chaos.promise("corruption", sentence) as tried:
        for turn in range(chaos.n(full=70, reduced=7)):
            damage = DAMAGES[turn % len(DAMAGES)]
            file = rng.choice([*content.files, content.manifest])
            if file == content.path and damage is _gone:
                file = content.manifest  # a content that is not there is simply made
            damage(file, rng)
            _noticed(content, f"{damage.__name__} of {file.name}")
            tried.case()


def test_folders_of_a_tuned_model(chaos: Chaos, contents: dict[str, Content]) -> None:
    content = contents["tuned"]
    damages: list[Callable[[Path], object]] = [
        lambda p: shutil.rmtree(p / "model"),
        lambda p: (p / "model" / "extra.json").write_text("{}"),
        lambda p: (shutil.rmtree(p / "model"), (p / "model").write_text("")),
        lambda p: (shutil.rmtree(p), p.mkdir()),
        lambda p: (shutil.rmtree(p), p.write_text("")),
        lambda p: (p / "model").rename(p / "other"),
    ]
    with chaos.promise(
        "corruption",
        "a tuned model's folder missing, replaced, renamed or added to is noticed",
    ) as tried:
        for damage in damages:
            damage(content.path)
            _noticed(content, "folder")
            tried.case()


def test_the_next_run_mends_all_of_it(chaos: Chaos, folder: Path, forks: Forks) -> None:
    """End to end: each content in turn damaged, the same run again, the same result,
    one line about it.
    """
    wanted = (folder / "run.json").read_bytes()
    found = [
        p
        for kind in ("checks", "texts/*", "readings/*", "tuned")
        for p in (folder / "store").glob(f"{kind}/*")
    ]
    paths = [p for p in sorted(found) if "." not in p.name]
    rng = random.Random(0)
    with chaos.promise(
        "corruption",
        "a run over a damaged store gives the same result, and says it once",
    ) as tried:
        for path in paths[:: -chaos.n(full=1, reduced=6)]:
            files = [p for p in (path, *sorted(path.rglob("*"))) if p.is_file()]
            damage = _flip(rng.choice(files), rng)
            done = forks.run(folder, TUNE)
            assert done.code in FINISHED, done.said
            assert (
                done.said.count("is made again") == done.said.count("damaged") == 1
            ), (damage, done.said)
            assert (folder / "run.json").read_bytes() == wanted
            tried.case()
