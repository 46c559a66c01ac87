"""The one lazy import of the doors: what is heavy is loaded when it is first asked for.

Knows how a place is written, "room.module:name". Does not know what lies there.
"""

from importlib import import_module
from typing import Any


def resolve(place: str) -> Any:
    """What a place names, such as "audit.session:Session"."""
    module, _, name = place.partition(":")
    return getattr(import_module(f"specfair.{module}"), name)
