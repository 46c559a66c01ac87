"""The hub: whether it can be reached, and one split of a dataset from it or from its
cache.

Knows the hub's client and its loader, not what the rows mean. Whether there is a
network is found out once, in seconds: the client itself would try for half a minute,
and say so, for every file it asks for.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from specfair.errors import DataError
from specfair.texts import tables

PATIENCE = 5.0  # seconds for a name to be resolved and a connection to be made
MAX_CORPUS = 1 << 35  # bytes of a Parquet file's texts, unpacked: 32 GiB


@cache
def unreachable() -> str:
    """Why the hub cannot be reached from here; "" where it can, or where a proxy is in
    between. Asked once a process.

    The asking is left to a thread of its own: a resolver that does not answer cannot be
    interrupted.
    """
    from huggingface_hub import constants

    place = urlsplit(constants.ENDPOINT)
    usual = 80 if place.scheme == "http" else 443
    host, port = place.hostname or "", place.port or usual
    if {place.scheme, "all"} & getproxies().keys() and not proxy_bypass(host):
        return ""
    answer: SimpleQueue[str] = SimpleQueue()
    Thread(target=lambda: answer.put(_refusal(host, port)), daemon=True).start()
    try:
        return answer.get(timeout=PATIENCE)
    except Empty:
        return f"{host} gave no answer within {PATIENCE:g} seconds"


def _refusal(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return f"{host} cannot be reached ({reason})"
    return ""


@cache
def load_split(name: str, config: str | None, part: str, *, instead: str) -> Any:
    """One split of a dataset, memory-mapped, fetched once; `instead` is the way out."""
    why = "" if Path(name).exists() else unreachable()
    with _from_cache_only(why):
        return _loaded(
            f"dataset {name!r}, split {part!r},",
            lambda load: _unscripted(load, name, config, split=part),
            instead=instead,
            why=why,
        )


def mapped(path: Path, columns: Sequence[str]) -> Any:
    """Columns of a Parquet file, memory-mapped: their texts are not held in memory."""
    for _ in tables.batches(path, columns, limit=MAX_CORPUS):
        pass  # what they would unpack to is known before anything is unpacked
    files = {"train": str(path)}
    return _loaded(
        repr(path.name),
        lambda load: load(
            "parquet", data_files=files, columns=list(columns), split="train"
        ),
        instead="write the file again",
    )


@contextmanager
def _from_cache_only(why: str) -> Iterator[None]:
    """Without the hub, the libraries' own switch: they look into their cache only."""
    if not why:
        yield
        return
    import datasets
    import huggingface_hub

    switches: list[Any] = [datasets.config, huggingface_hub.constants]
    before = [switch.HF_HUB_OFFLINE for switch in switches]
    try:
        for switch in switches:
            switch.HF_HUB_OFFLINE = True
        yield
    finally:
        for switch, was in zip(switches, before, strict=True):
            switch.HF_HUB_OFFLINE = was


def _loaded(
    what: str, load: Callable[[Callable[..., Any]], Any], *, instead: str, why: str = ""
) -> Any:
    """What `load` makes of datasets.load_dataset; whatever goes wrong becomes one
    line.
    """
    from datasets import load_dataset

    try:
        return load(load_dataset)
    # whatever a damaged file or a missing network makes the libraries beneath raise
    except Exception as error:
        offline = ""
        if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
            offline = " while HF_HUB_OFFLINE is set"
        said = str(error).strip() or type(error).__name__
        reason = why or said.splitlines()[0].rstrip(".")
        way = "Connect" if why or offline else "Check the name"
        raise DataError(
            f"{what} cannot be loaded{offline}: {reason}. {way}, or {instead}."
        ) from error


def _unscripted(
    load_dataset: Callable[..., Any], name: str, config: str | None, *, split: str
) -> Any:
    """What is published as a script is read from the hub's own conversion to Parquet,
    so that no code of it runs.
    """
    try:
        return load_dataset(name, config, split=split)
    except RuntimeError as error:
        if "script" not in str(error):
            raise
        files: Mapping[str, str] = {split: f"{config or 'default'}/{split}/*.parquet"}
        return load_dataset(
            name, data_files=files, split=split, revision="refs/convert/parquet"
        )
