"""Every option of the settings as argparse and pytest take it.

Knows how an option is written on a command line; its meaning is in config.
"""

import argparse
from collections.abc import Collection, Iterator
from typing import Any

from specfair.config import OPTIONS


class _Drafts(argparse.Action):
    """The first is the draft; further ones are compared with it."""

    def __call__(
        self, _: object, namespace: argparse.Namespace, values: Any, __: object = None
    ) -> None:
        if namespace.draft is None:
            namespace.draft = values
        else:
            others = getattr(namespace, "drafts", None) or []
            namespace.drafts = [*others, values]


def as_arguments(
    prefix: str = "", without: Collection[str] = ()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every option as argparse and pytest take it: its name and how it is read."""
    for option in OPTIONS:
        if option.name not in without:
            how: dict[str, Any] = {"metavar": "X"}
            if isinstance(option.default, bool):
                how = {"action": "store_const", "const": True}
            if option.name == "draft" and not prefix:
                how["action"] = _Drafts
            how["help"] = option.metadata["help"].replace("%", "%%")
            yield f"--{prefix}{option.name.replace('_', '-')}", how
