"""What a pair is, told from files and kept: the same as the opened pair says of
itself, and another key for whatever would open otherwise.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from specfair.errors import StoreError
from specfair.models import identity, load
from specfair.models.identity import Choice, Identity, Loading
from specfair.store import digest
from specfair.texts.prompts import fixtures

NAMES = ("embedded", "embedded")


def chosen(folder: Path, names: tuple[str, str]) -> Choice:
    return Choice(str(folder / "target"), str(folder / "draft"), names)


@pytest.fixture
def copied(tmp_path: Path) -> Choice:
    shutil.copytree(fixtures() / "pair", tmp_path / "pair")
    return chosen(tmp_path / "pair", NAMES)


def test_what_is_kept_is_what_the_opened_pair_says() -> None:
    opened = load.load(*NAMES, device="cpu").identity
    kept = json.loads(json.dumps(opened.kept))
    assert Identity.of(kept, NAMES) == opened
    renamed = Identity.of(kept, ("a", "b"))
    assert renamed == replace(opened, target_name="a", draft_name="b")


def _edit(file: str, **values: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        old = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps(old | values))

    return edit


@pytest.mark.parametrize(
    "change",
    [
        _edit("generation_config.json", eos_token_id=5),
        _edit("config.json", max_position_embeddings=64),
        _edit("tokenizer_config.json", add_bos_token=True),
        lambda folder: (folder / "chat_template.jinja").write_text("x"),
        lambda folder: (folder / "special_tokens_map.json").write_text("{}"),
    ],
)
def test_every_file_that_is_read_is_in_the_key(
    copied: Choice, change: Callable[[Path], object]
) -> None:
    before = digest(copied.key)
    assert digest(copied.key) == before
    change(Path(copied.target))
    assert digest(copied.key) != before


def test_how_it_is_opened_is_in_the_key_and_where_it_lies_is_not(
    copied: Choice, tmp_path: Path
) -> None:
    others = [
        replace(copied, device="cpu"),
        replace(copied, dtype="bfloat16"),
        replace(copied, loading=Loading(truncate=True)),
        replace(copied, loading=Loading(device_map="cpu")),
        replace(copied, target=copied.draft),
    ]
    names = [digest(choice.key) for choice in (copied, *others)]
    assert len(set(names)) == len(names)
    shutil.move(tmp_path / "pair", tmp_path / "moved")
    moved = chosen(tmp_path / "moved", ("other", "names"))
    assert digest(moved.key) == names[0]


def test_another_machine_resolves_auto_anew(
    copied: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(copied.key)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert digest(copied.key) != before
    monkeypatch.undo()
    monkeypatch.setattr(identity, "_DRIVERS", ("dev/null",))
    assert digest(copied.key) != before


def test_a_pair_that_is_not_what_was_remembered_is_refused(tmp_path: Path) -> None:
    one = Identity(*NAMES, "t", "d", "k", False, (0,), 300, 64, "torch.float32", "cpu")
    identity.refuse_another(one, replace(one), tmp_path)
    with pytest.raises(StoreError, match=r"has device 'cuda'; the store remembers"):
        identity.refuse_another(one, replace(one, device="cuda"), tmp_path)


def test_asking_who_a_pair_is_loads_no_library() -> None:
    code = (
        "import sys; from specfair.models.identity import Choice; "
        "Choice('embedded', 'embedded', ('a', 'b')).key; import specfair.models.tokens;"
        "import specfair.models.pair; print({'torch', 'transformers'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=True,
    )
    assert done.stdout.strip() == "set()"
