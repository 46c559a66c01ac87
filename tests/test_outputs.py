"""A name stands for three files beside one another, or is refused in one line; nothing
is written or removed here.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specfair import outputs
from specfair.errors import UsageError


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("r.html", "r"),
        ("r.json", "r"),
        ("r.md", "r"),
        ("run-v1.2", "run-v1.2"),
        ("llama-3.1", "llama-3.1"),
        ("a/b.html.html", "a/b.html"),
        ("..hidden", "..hidden"),
    ],
)
def test_an_ending_is_appended_never_replaced(name: str, stem: str) -> None:
    assert outputs.of(name) == outputs.Outputs(
        Path(f"{stem}.html"), Path(f"{stem}.json"), Path(f"{stem}.md")
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        "runs/",
        "a/.",
        "a/..",
        "a/../",
        ".html",
        "a/.json",
        "/",
        "a\0b",
    ],
)
def test_what_names_no_file_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="does not name a file"):
        outputs.of(name, option="--out")


@pytest.mark.parametrize("ending", outputs.ENDINGS)
def test_a_folder_is_refused_and_kept(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"r{ending}").mkdir()
    with pytest.raises(
        UsageError,
        match=f"r{ending}' is a folder; specfair writes files and removes nothing",
    ):
        outputs.of("r", root=tmp_path)
    with pytest.raises(UsageError, match="is a folder"):
        outputs.file(f"r{ending}", option="--out", root=tmp_path)
    assert (tmp_path / f"r{ending}").is_dir()


def test_a_part_stands_beside_the_whole() -> None:
    assert outputs.appended(outputs.of("reports/run-1.2"), "-part") == outputs.of(
        "reports/run-1.2-part"
    )


@given(st.text(max_size=20))
def test_a_word_never_leaves_its_folder(name: str) -> None:
    """Whatever is accepted as a word is one entry of the folder it is put into."""
    try:
        word = outputs.word(name, option="baseline")
    except UsageError:
        return
    assert (Path("folder") / word).parent == Path("folder")
    assert word not in ("", ".", "..")
