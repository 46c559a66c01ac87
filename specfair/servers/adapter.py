"""What is known of a kind of server: how it is asked, how its replies are read, what it
says of itself.

Knows the shape that all kinds share; each kind has a module of its own.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from specfair.decoding import Decoding
from specfair.servers.client import Client, Event
from specfair.servers.reply import Reply, Rounds


@dataclass(frozen=True, slots=True)
class Asked:
    """One prompt as a server is asked to go on from it."""

    text: str
    seed: int
    model: str  # as the server calls it
    salt: str  # of this request alone, so that nothing is read from a prefix cache


@dataclass(frozen=True, slots=True)
class About:
    """What a server says of itself; two that say the same are taken for one."""

    engine: str
    model: str
    facts: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """sha256 over all of it."""
        said = json.dumps([self.engine, self.model, self.facts], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def name(self) -> str:
        """The model, without the folders of the server's machine."""
        path = PurePath(self.model)
        return path.name if path.is_absolute() else self.model


@dataclass(frozen=True, slots=True)
class Adapter:
    """One kind of server."""

    path: str  # where prompts are sent
    body: Callable[[Asked, Decoding], dict[str, Any]]
    # a ValueError or KeyError says that a reply is not whole
    read: Callable[[Sequence[Event]], Reply]
    # a BrokenError says that its figures cannot be
    rounds: Callable[[Reply], Rounds]
    # what it says of itself beside its models
    facts: Callable[[Client], Mapping[str, Any]]
    owner: str  # what it calls itself where it lists its models
    lacking: str  # what to switch on where replies say nothing of drafts
    # where counters of the whole server are read: one request at a time
    alone: Callable[[Client, Mapping[str, Any], str], Reply] | None = None
