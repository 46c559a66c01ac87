"""Every option of the settings as argparse and pytest take it.

Knows how an option is written on a command line; its meaning is in config.
"""

from collections.abc import Collection, Iterator
from typing import Any

from specfair.config import OPTIONS


def as_arguments(
    prefix: str = "", without: Collection[str] = ()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every option as argparse and pytest take it: its name and how it is read."""
    for option in OPTIONS:
        if option.name not in without:
            how: dict[str, Any] = {"metavar": "X"}
            if isinstance(option.default, bool):
                how = {"action": "store_const", "const": True}
            how["help"] = option.metadata["help"].replace("%", "%%")
            yield f"--{prefix}{option.name.replace('_', '-')}", how
