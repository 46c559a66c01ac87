"""Settings that cannot be meant: one line for the first of them.

Knows the rules between options; what one option may be by itself is declared with it.
"""

import re
from collections.abc import Collection
from dataclasses import Field
from typing import Any

from specfair.config.settings import Settings
from specfair.errors import UsageError, unknown
from specfair.models.kinds import kind_of
from specfair.typed import broken_rule
from specfair.vocabulary import (
    BASE,
    DATASETS,
    EMBEDDED,
    SERVER_KEY,
    SERVERS,
    TUNED,
    dataset_name,
    steps_of,
)
from specfair.workers import Hired

_URL = re.compile(r"https?://[^/@?#\s]+(/[^@?#\s]*)?")


def refuse(settings: Settings, options: Collection[Field[Any]]) -> None:
    """The first option that breaks a rule, if any does."""
    broken = {f.name: broken_rule(f, getattr(settings, f.name)) for f in options}
    kinds = [kind_of(d) for d in (settings.located.draft, *settings.drafts)]
    embedded = (settings.target == EMBEDDED, settings.draft == EMBEDDED)
    if kinds[0].of_files and len(set(embedded)) == 2:
        broken["draft"] = (
            "target and draft are both embedded or neither; give --specfair-target and "
            "--specfair-draft together"
        )
    of_server = ("auto", *SERVERS) if settings.server else ("live",)
    if settings.engine not in ("replay", *of_server):
        broken["engine"] = (
            "of a pair it is replay or live, of a server auto or its kind"
        )
    if settings.counting != "canonical" and (
        settings.server or settings.engine == "live"
    ):
        broken["counting"] = "live decoding and servers count in their own way"
    if settings.server and settings.drafts:
        broken["drafts"] = "a server decodes with its own; audit each server by itself"
    if not settings.server and (settings.server_plain or settings.order_check):
        broken["server"] = "server_plain and order_check go with a server"
    if settings.scope == "set" and settings.temperature > 0:
        broken["scope"] = "sampled texts are others next time; take prompts"
    if settings.continuations > 1 and (settings.server or settings.temperature == 0):
        broken["continuations"] = (
            "greedy decoding and servers write one text a prompt; take 1, or sample"
        )
    certain = settings.first_choice or settings.temperature == 0
    if settings.lookahead.startswith(("pmin", "adaptive")) > certain:
        broken["lookahead"] = "its proposals must be greedy, or confidence-N@X"
    if settings.device_map.startswith("tp"):
        broken["device_map"] = (
            "ranks that split tensors must keep step, and here each takes portions; "
            "take auto, or audit a server that splits them (--specfair-server)"
        )
    if settings.workers and not Hired.of(settings.workers):
        broken["workers"] = "ray, ray:4 or ray:4x2 (four workers, two GPUs each)"
    for url in (settings.server, settings.server_plain):
        _check_address(url)
    if settings.lookahead.startswith("adaptive") and settings.engine == "live":
        broken["lookahead"] = "its threshold moves in the replay alone"
    for name, rule in broken.items():
        if rule:
            value = getattr(settings, name)
            raise UsageError(f"{name} = {value!r} does not fit: {rule}.")
    _check_names(settings.datasets)


def _check_address(url: str) -> None:
    """A key in it would be printed, here as well as anywhere."""
    if url and not _URL.fullmatch(url):
        shown = re.sub(r"//[^/]*@", "//***@", url).partition("?")[0]
        raise UsageError(
            f"server {shown!r} is no address such as http://HOST:PORT or https://HOST. "
            f"Mend it; a key goes into {SERVER_KEY}, in the environment."
        )


def _check_names(datasets: Collection[str]) -> None:
    """Every dataset is known or a file, and goes by a name of its own."""
    named: dict[str, str] = {}
    for text in datasets:
        name = dataset_name(text)
        for part in steps_of(text):
            if dataset_name(part) == part and part not in DATASETS:
                known = (*DATASETS, "NAME=file:PATH")
                raise UsageError(unknown("dataset", part, known))
        why = f"as {named[name]!r} does" if name in named else ""
        if not name.strip(". ") or "@" in name or name in (str(BASE), TUNED):
            why = "which is no name for it"
        if why:
            raise UsageError(
                f"dataset {text!r} goes by {name!r}, {why}. Name it otherwise: "
                "NAME=file:PATH."
            )
        named[name] = text
