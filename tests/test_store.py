"""Nothing stored is lost or half written: interrupted writes, damaged contents, two
processes, no permission.
"""

import os
import signal
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock

from specfair import store as stored
from specfair.errors import StoreError
from specfair.store import Store, digest

KEY = {"model": "a", "seed": 0}


def read(path: Path) -> str:
    text = path.read_text()
    if text == "damaged":
        raise StoreError("thing cannot be read.")
    return text


def test_makes_once_and_reads_afterwards(tmp_path: Path) -> None:
    store, calls = Store(tmp_path), []

    def make(path: Path) -> None:
        calls.append(1)
        path.write_text("content")

    for _ in range(3):
        assert store.get_or_make("things", KEY, make=make, read=read) == "content"
    assert len(calls) == 1
    assert store.path("things", KEY).exists()
    assert not store.path("things", KEY | {"seed": 1}).exists()


def test_update_turns_the_old_into_the_new(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def update(change: Callable[[str | None], str]) -> str:
        return store.update(
            "things",
            KEY,
            change=change,
            read=read,
            write=lambda text, path: path.write_text(text),
        )

    assert update(lambda old: f"{old} a") == "None a"
    assert update(lambda old: f"{old} b") == "None a b"
    written = store.path("things", KEY).stat().st_mtime_ns
    assert update(lambda old: str(old) if old is None else old) == "None a b"
    assert store.path("things", KEY).stat().st_mtime_ns == written
    store.path("things", KEY).write_text("damaged")
    with pytest.warns(UserWarning, match="is made again"):
        assert update(lambda old: f"{old} c") == "None c"


def test_each_whole_content_of_a_kind_is_found_by_name(tmp_path: Path) -> None:
    """However it came: one is damaged, one lost its manifest, of one a killed process
    left the manifest unmoved.
    """
    store, keys = Store(tmp_path), [{"k": n} for n in range(5)]
    assert store.each("things/a", read=read) == []
    for key in keys:
        store.get_or_make(
            "things/a", key, make=partial(_write, text=str(key)), read=read
        )
    store.path("things/a", keys[0]).write_text("harmed")
    manifest(store.path("things/a", keys[1])).unlink()
    left = store.path("things/a", keys[2])
    manifest(left).rename(left.with_name(f".{left.name}.next"))
    with pytest.warns(UserWarning, match=r"^things/a/.* is damaged.*is made") as said:
        found = store.each("things/a", read=read)
    assert len(said) == 2
    names = sorted(str(key) for key in keys[2:])
    assert sorted(found) == names
    assert found == store.each("things/a", read=read)
    assert found == [str(k) for k in sorted(keys[2:], key=digest)]


def test_digest_depends_on_values_not_on_order() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


@pytest.mark.parametrize("key", [{"a": {1, 2}}, {"a": Path("x")}, {"a": object()}])
def test_a_key_of_words_for_people_is_refused(key: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        digest(key)


def _write(path: Path, text: str = "content") -> None:
    path.write_text(text)


def _folder(path: Path) -> None:
    (path / "a").mkdir(parents=True)
    (path / "a" / "one").write_text("one")
    (path / "two").write_text("two")


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def manifest(path: Path) -> Path:
    return path.with_name(f"{path.name}.key.json")


FILES: list[Callable[[Path], object]] = [
    _flip,
    _to_folder,
    lambda p: p.write_bytes(b""),
    lambda p: p.write_text("content and more"),
    lambda p: (p.unlink(), p.symlink_to("nowhere")),
    lambda p: _flip(manifest(p)),
    lambda p: manifest(p).unlink(),
    lambda p: manifest(p).write_bytes(b""),
    lambda p: manifest(p).write_bytes(manifest(p).read_bytes() + b" "),
    lambda p: _to_folder(manifest(p)),
]


@pytest.mark.parametrize("damage", FILES)
def test_a_damaged_file_is_set_aside_made_again_and_said_once(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    store = Store(tmp_path)
    path = store.path("things", KEY)
    for turn in (1, 2):  # the second time its name is taken
        assert (
            store.get_or_make("things", KEY, make=_write, read=Path.read_text)
            == "content"
        )
        damage(path)
        with pytest.warns(
            UserWarning, match=r"checksum does not hold.*is made again"
        ) as said:
            assert (
                store.get_or_make("things", KEY, make=_write, read=Path.read_text)
                == "content"
            )
        assert len(said) == 1
        name = f"{path.name}.corrupt" if turn == 1 else f"{path.name}.2.corrupt"
        assert os.path.lexists(path.with_name(name))
        assert repr(name) in str(said[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.get_or_make("things", KEY, make=_write, read=Path.read_text)


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: _flip(p / "a" / "one"),
        lambda p: (p / "a" / "one").unlink(),
        lambda p: (p / "a" / "more").write_text(""),
        lambda p: (p / "a" / "one").rename(p / "one"),
        lambda p: _to_folder(p / "two"),
        lambda p: ((p / "two").unlink(), os.mkfifo(p / "two")),
        lambda p: p.rename(p.with_name("elsewhere")) and p.write_text("two"),
        lambda p: p.rename(p.with_name("elsewhere")) and p.mkdir(),
    ],
)
def test_a_damaged_folder_too(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    def read(path: Path) -> list[str]:
        return sorted(f.name for f in path.rglob("*"))

    store = Store(tmp_path)
    assert store.get_or_make("things", KEY, make=_folder, read=read) == [
        "a",
        "one",
        "two",
    ]
    damage(store.path("things", KEY))
    with pytest.warns(UserWarning, match="checksum does not hold"):
        assert store.get_or_make("things", KEY, make=_folder, read=read) == [
            "a",
            "one",
            "two",
        ]


def test_what_is_whole_but_of_another_kind_is_set_aside_too(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.get_or_make(
        "things", KEY, make=lambda p: p.write_text("damaged"), read=Path.read_text
    )
    with pytest.warns(UserWarning, match=r"cannot be read.*is made again"):
        assert store.get_or_make("things", KEY, make=_write, read=read) == "content"


def test_an_interrupted_write_leaves_the_old_content(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.get_or_make("things", KEY, make=_write, read=read)
    before = sorted(tmp_path.rglob("*"))

    def broken(_: str, draft: Path) -> None:
        draft.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.update("things", KEY, change=lambda _: "new", read=read, write=broken)
    assert sorted(tmp_path.rglob("*")) == before
    assert store.get_or_make("things", KEY, make=_write, read=read) == "content"


@pytest.mark.parametrize("moment", range(1, 10))
def test_killed_between_any_two_steps_of_a_write(tmp_path: Path, moment: int) -> None:
    """SIGKILL before the nth change of a name: what is found is the old or the new,
    whole, and nothing half done.
    """
    code = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from specfair.store import Store
        left = int(sys.argv[2])
        def counted(work):
            def call(*args, **kwargs):
                global left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return work(*args, **kwargs)
            return call
        os.replace = counted(os.replace)
        Path.write_bytes = counted(Path.write_bytes)
        Path.write_text = counted(Path.write_text)
        for text in ("old", "new"):
            Store(Path(sys.argv[1]) / "store").update(
                "things", {"k": 1}, change=lambda _: text, read=Path.read_text, write=lambda t, p: p.write_text(t))
    """)
    killed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(moment)], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    kept: list[str | None] = []

    def change(old: str | None) -> str:
        kept.append(old)
        return old or "made"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Store(tmp_path / "store").update(
            "things",
            {"k": 1},
            change=change,
            read=Path.read_text,
            write=lambda text, path: _write(path, text),
        )
    assert kept == [
        {
            1: None,
            2: None,
            3: None,
            4: None,
            5: "old",
            6: "old",
            7: "old",
            8: "old",
            9: "new",
        }[moment]
    ]
    name = digest({"k": 1})
    assert sorted(os.listdir(tmp_path / "store" / "things")) == [
        f".{name}.lock",
        name,
        f"{name}.key.json",
    ]
    assert "*" in (tmp_path / "store" / ".gitignore").read_text().splitlines()


def test_what_others_left_is_removed_unless_they_live(tmp_path: Path) -> None:
    things = tmp_path / "things"
    things.mkdir()
    dead, old, alive, foreign = (f".{c * 24}.part" for c in "abcd")
    old = old.replace(".part", ".x1y2z3w4.part")
    foreign = ".notes.part"
    for name in (dead, old, alive):
        _folder(things / name)
    (things / foreign).write_text("mine")
    with FileLock(things / f".{'c' * 24}.lock"):
        Store(tmp_path).get_or_make("things", KEY, make=_write, read=read)
    assert sorted(p.name for p in things.glob("*.part")) == sorted([alive, foreign])


def test_a_killed_process_leaves_nothing_behind_that_counts(tmp_path: Path) -> None:
    """SIGKILL in the middle of a write: the next process finds no content and
    makes it.
    """
    code = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from specfair.store import Store
        def make(path):
            path.write_text("half"); os.kill(os.getpid(), signal.SIGKILL)
        Store(Path(sys.argv[1])).get_or_make("things", {"k": 1}, make=make, read=Path.read_text)
    """)
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == -9
    store = Store(tmp_path)
    assert not store.path("things", {"k": 1}).exists()
    assert (
        store.get_or_make(
            "things",
            {"k": 1},
            make=lambda p: p.write_text("whole"),
            read=Path.read_text,
        )
        == "whole"
    )


def test_two_processes_make_it_once(tmp_path: Path) -> None:
    code = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from specfair.store import Store
        root = Path(sys.argv[1])
        def make(path):
            with open(root / "calls", "a") as calls:
                calls.write("x")
            time.sleep(0.3); path.write_text("whole")
        print(Store(root).get_or_make("things", {"k": 1}, make=make, read=Path.read_text))
    """)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    assert [p.communicate()[0].strip() for p in running] == [b"whole"] * 2
    assert (tmp_path / "calls").read_text() == "x"


def test_who_waits_is_told_for_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "PATIENCE", 0.1)
    monkeypatch.setattr(stored, "REMIND", 0.2)
    said: list[str] = []
    store = Store(tmp_path, said.append)
    store.get_or_make("things", KEY, make=_write, read=read)
    lock = FileLock(
        tmp_path / "things" / f".{digest(KEY)}.lock",
        is_singleton=False,
        thread_local=False,
    )
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from filelock import FileLock\n"
            "with FileLock(sys.argv[1]): print('held', flush=True); time.sleep(1)",
            lock.lock_file,
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    assert store.get_or_make("things", KEY, make=_write, read=read) == "content"
    assert holder.wait() == 0
    assert len(said) > 1
    assert said[0].startswith(
        f"waiting for another process that works on things/{digest(KEY)} in "
        f"store '{tmp_path}'"
    )
    assert "0 s so far" in said[0]


def test_a_lock_that_nobody_holds_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "things").mkdir()
    (tmp_path / "things" / f".{digest(KEY)}.lock").write_text("4711")
    assert (
        Store(tmp_path).get_or_make("things", KEY, make=_write, read=read) == "content"
    )


def test_a_new_store_keeps_itself_out_of_git_and_an_old_place_is_left_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine").write_text("")
    for name in ("new", "used"):
        Store(tmp_path / name).get_or_make("things", KEY, make=_write, read=read)
    assert "*" in (tmp_path / "new" / ".gitignore").read_text().splitlines()
    assert not (tmp_path / "used" / ".gitignore").exists()


def test_a_store_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(
        StoreError, match=r"store .* cannot be used \(.*--specfair-store"
    ):
        Store(blocker).get_or_make(
            "things", KEY, make=lambda p: p.write_text(""), read=read
        )


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.get_or_make("things", KEY, make=_write, read=read)

    def full(_: str, draft: Path) -> None:
        draft.write_text("half")
        Path("/dev/full").write_text("x" * 10_000)

    with pytest.raises(StoreError, match=r"cannot be used \(No space left on device\)"):
        store.update("things", KEY, change=lambda _: "new", read=read, write=full)
    assert store.get_or_make("things", KEY, make=_write, read=read) == "content"
    assert not list(tmp_path.rglob("*.part"))


def test_what_fails_elsewhere_is_not_the_stores_fault(tmp_path: Path) -> None:
    def change(_: str | None) -> str:
        raise FileNotFoundError(2, "no model", "weights")

    with pytest.raises(FileNotFoundError):
        Store(tmp_path).update(
            "things",
            KEY,
            change=change,
            read=read,
            write=lambda text, path: _write(path, text),
        )


def test_the_key_lies_beside_the_content(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.get_or_make("things", KEY, make=lambda p: p.write_text("x"), read=read)
    assert (
        '"model": "a"'
        in store.path("things", KEY).with_name(f"{digest(KEY)}.key.json").read_text()
    )
