"""Text files that readers see whole: reports, runs and baselines are never half
written, and never cost a folder.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from filelock import FileLock

from specfair.errors import StoreError, UsageError
from specfair.run.files import write_text_atomically


def test_text_is_utf8_whatever_the_locale(tmp_path: Path) -> None:
    write_text_atomically(tmp_path / "t", "é\u202e")
    assert (tmp_path / "t").read_bytes().decode() == "é\u202e"
    assert os.listdir(tmp_path) == ["t"]


@pytest.mark.parametrize("name", ["runs", "runs/", ".", ""])
def test_a_text_never_replaces_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "main.json").write_text("kept")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="is a folder"):
        write_text_atomically(Path(name), "text")
    assert (tmp_path / "runs" / "main.json").read_text() == "kept"
    assert os.listdir(tmp_path) == ["runs"]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file/t", "File exists|Not a directory"),
        ("/proc/t", "No such file|denied"),
        ("n" * 300, "too long"),
    ],
)
def test_a_text_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    with pytest.raises(
        StoreError,
        match=rf"{place}' cannot be written \(.*({reason}).*choose another place",
    ) as error:
        write_text_atomically(Path(place), "text")
    assert "\n" not in str(error.value)


def test_what_a_killed_writer_left_is_removed_and_a_live_one_is_let_be(
    tmp_path: Path,
) -> None:
    for draft in (".t[1].0123abcd.part", ".t[1].89abcdef.part", ".t1.89abcdef.part"):
        (tmp_path / draft).write_text("half")
    with FileLock(tmp_path / ".t[1].89abcdef.part"):
        write_text_atomically(tmp_path / "t[1]", "whole")
    assert sorted(os.listdir(tmp_path)) == [
        ".t1.89abcdef.part",
        ".t[1].89abcdef.part",
        "t[1]",
    ]


def test_many_writers_of_one_text(tmp_path: Path) -> None:
    """Whatever they do to each other's drafts, the text is one of theirs, whole, and no
    draft stays.
    """
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from specfair.run.files import write_text_atomically
        for _ in range(100):
            write_text_atomically(Path(sys.argv[1]), sys.argv[2] * 10_000)
    """)
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "t"), c])
        for c in "abc"
    ]
    assert [p.wait() for p in running] == [0, 0, 0]
    assert (tmp_path / "t").read_text() in {c * 10_000 for c in "abc"}
    assert os.listdir(tmp_path) == ["t"]
