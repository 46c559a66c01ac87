"""Nothing stored is lost or half written: interrupted writes, damaged contents, two processes, no permission."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from specfair.errors import StoreError
from specfair.store import Store, digest, write_atomically, write_text_atomically

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
    assert store.has("things", KEY)
    assert not store.has("things", KEY | {"seed": 1})


def test_update_turns_the_old_into_the_new(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def update(change: Callable[[str | None], str]) -> str:
        return store.update("things", KEY, change=change, read=read, write=lambda text, path: path.write_text(text))

    assert update(lambda old: f"{old} a") == "None a"
    assert update(lambda old: f"{old} b") == "None a b"
    written = store.path("things", KEY).stat().st_mtime_ns
    assert update(lambda old: str(old) if old is None else old) == "None a b"
    assert store.path("things", KEY).stat().st_mtime_ns == written
    store.path("things", KEY).write_text("damaged")
    with pytest.warns(UserWarning, match="being recomputed"):
        assert update(lambda old: f"{old} c") == "None c"


def test_digest_depends_on_values_not_on_order() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_damaged_content_is_set_aside_recomputed_and_said(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.path("things", KEY)
    path.parent.mkdir(parents=True)
    path.write_text("damaged")
    with pytest.warns(UserWarning, match=r"cannot be read.*recomputed"):
        assert store.get_or_make("things", KEY, make=lambda p: p.write_text("new"), read=read) == "new"
    aside = list(path.parent.glob("*.damaged-*"))
    assert [p.read_text() for p in aside] == ["damaged"]


def test_an_interrupted_write_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def broken(draft: Path) -> None:
        draft.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, broken)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder"

    def make(name: str) -> None:
        write_atomically(path, lambda draft: (draft.mkdir(), (draft / name).write_text(name)))

    make("a")
    make("b")
    assert [p.name for p in path.iterdir()] == ["b"]
    with pytest.raises(RuntimeError):
        write_atomically(path, lambda draft: (draft.mkdir(), _fail()))
    assert [p.name for p in path.iterdir()] == ["b"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def _fail() -> None:
    raise RuntimeError


def test_a_killed_process_leaves_nothing_behind_that_counts(tmp_path: Path) -> None:
    """SIGKILL in the middle of a write: the next process finds no content and makes it."""
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
    assert not store.has("things", {"k": 1})
    assert store.get_or_make("things", {"k": 1}, make=lambda p: p.write_text("whole"), read=Path.read_text) == "whole"


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
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) for _ in range(2)]
    assert [p.communicate()[0].strip() for p in running] == [b"whole"] * 2
    assert (tmp_path / "calls").read_text() == "x"


def test_a_store_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(StoreError, match=r"cannot be written .*--specfair-store"):
        Store(blocker).get_or_make("things", KEY, make=lambda p: p.write_text(""), read=read)


def test_the_key_lies_beside_the_content(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.get_or_make("things", KEY, make=lambda p: p.write_text("x"), read=read)
    assert '"model": "a"' in store.path("things", KEY).with_name(f"{digest(KEY)}.key.json").read_text()


def test_text_is_utf8_whatever_the_locale(tmp_path: Path) -> None:
    write_text_atomically(tmp_path / "t", "é\u202e")
    assert (tmp_path / "t").read_bytes().decode() == "é\u202e"
    assert os.listdir(tmp_path) == ["t"]
