"""The hub: reached or not, said in seconds and in one line; what it holds is fetched
once a process.
"""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from specfair.errors import DataError
from specfair.texts import hub
from tests.hub_stand_in import cache_in


@pytest.fixture(autouse=True)
def _asked_anew(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    cache_in(tmp_path_factory.mktemp("cache"), monkeypatch)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    hub.unreachable.cache_clear()
    yield
    hub.unreachable.cache_clear()


def nobody(*_: object, **__: object) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_hub_that_is_not_there_is_one_line_at_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The client itself takes 24 seconds and eleven lines."""
    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    start = time.monotonic()
    with pytest.raises(
        DataError,
        match=(
            r"dataset 'no/such', split 'train', cannot be loaded: huggingface.co "
            r"cannot be"
        ),
    ) as e:
        hub.load_split("no/such", None, "train", instead="use a folder")
    assert "(Name or service not known)" in str(e.value)
    assert time.monotonic() - start < hub.PATIENCE
    assert capfd.readouterr() == ("", "")


def test_a_resolver_that_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "PATIENCE", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(0.3) or [])
    assert hub.unreachable() == "huggingface.co gave no answer within 0.1 seconds"


def test_a_hub_that_is_there_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(
            "huggingface_hub.constants.ENDPOINT",
            f"http://127.0.0.1:{server.getsockname()[1]}",
        )
        assert hub.unreachable() == ""


def test_a_proxy_is_left_to_find_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert hub.unreachable() == ""


def test_what_was_read_once_is_not_read_again(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "a"}\n')
    first = hub.load_split(str(tmp_path), None, "train", instead="use another")
    assert hub.load_split(str(tmp_path), None, "train", instead="use another") is first


@pytest.mark.parametrize(
    ("offline", "words"), [("1", " while HF_HUB_OFFLINE is set"), ("0", "")]
)
def test_hub_errors_are_one_line_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: str, words: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", offline)
    with pytest.raises(
        DataError, match=f"split 'train', cannot be loaded{words}: .*or use another"
    ) as caught:
        hub.load_split(
            str(tmp_path / "nowhere" / "at" / "all"),
            None,
            "train",
            instead="use another",
        )
    assert "\n" not in str(caught.value)


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(DataError, match=r"cannot be loaded.*: Unknown split"):
        hub.load_split(str(tmp_path), None, "validation", instead="use another")


def test_scripts_are_not_run_but_read_from_the_conversion() -> None:
    """The loader is handed in, since a folder cannot have branches as the hub's
    repositories have.
    """
    asked: list[dict[str, Any]] = []

    def load(name: str, config: str | None = None, **options: Any) -> str:
        asked.append({"name": name, "config": config, **options})
        if "revision" not in options:
            raise RuntimeError(
                "Dataset scripts are no longer supported, but found set.py"
            )
        return "rows"

    assert hub._unscripted(load, "who/what", "en", split="test") == "rows"
    assert asked[1]["revision"] == "refs/convert/parquet"
    assert asked[1]["data_files"] == {"test": "en/test/*.parquet"}


def test_other_failures_of_the_loader_stay_what_they_are() -> None:
    def load(*_: Any, **__: Any) -> Callable[..., Any]:
        raise RuntimeError("no disk")

    with pytest.raises(RuntimeError, match="no disk"):
        hub._unscripted(load, "who/what", None, split="test")
