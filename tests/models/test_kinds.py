"""What is written as a draft is one kind, or one line."""

from pathlib import Path

import pytest

from specfair.errors import UsageError
from specfair.models.kinds import DraftKind, kind_of


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("prompt-lookup:10", ("prompt-lookup", (10,))),
        ("prompt-lookup:10/3", ("prompt-lookup", (10, 3))),
        ("ngram:5,2-4", ("ngram", (5, 2, 4))),
        ("early-exit:2", ("early-exit", (2,))),
        ("distilgpt2", ("model", ())),
        ("org/model@v1", ("model", ())),
        ("./my-draft", ("model", ())),
        ("/at/a:b", ("model", ())),
        (r"C:\models\draft", ("model", ())),
        ("embedded", ("model", ())),
    ],
)
def test_a_kind_is_read(written: str, kind: tuple[str, tuple[int, ...]]) -> None:
    found = kind_of(written)
    assert (found.name, found.numbers) == kind
    assert found.written == written
    assert found.of_files == (kind[0] == "model")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("prompt-lokup:10", "Did you mean 'prompt-lookup'"),
        ("prompt-lookup", "Write prompt-lookup:10"),
        ("prompt-lookup:", "Write prompt-lookup:10"),
        ("prompt-lookup:0", "whole numbers from 1 on"),
        ("prompt-lookup:5/0", "whole numbers from 1 on"),
        ("ngram:5", "Write ngram:5,2-4"),
        ("ngram:5,4-2", "Write ngram:5,2-4"),
        ("early-exit:two", "Write early-exit:2"),
    ],
)
def test_what_is_none_is_one_line(written: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        kind_of(written)


def test_a_folder_is_a_model_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ngram:5").mkdir()
    monkeypatch.chdir(tmp_path)
    assert kind_of("ngram:5").of_files


def test_only_an_early_exit_is_another_draft_for_another_target() -> None:
    lookup, early = (DraftKind(n, n, (1,)) for n in ("ngram", "early-exit"))
    assert lookup.fingerprint("a") == lookup.fingerprint("b")
    assert early.fingerprint("a") != early.fingerprint("b")
