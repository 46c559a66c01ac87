"""A value in the type its field declares: what was stored, or what a user wrote.

Stored values may come from anybody; what they are instead is a ValueError or KeyError,
what a user cannot have meant a UsageError. Knows types, not what they are for.
"""

import csv
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import Field, fields, is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin

from specfair.errors import UsageError

MAX_DEPTH = 50  # lists and objects within one another
MOST = 2**63  # no count is larger, and no seed
LARGEST = 1e100  # beyond it a figure is no figure of a run, and charts run over


def typed(kind: Any, value: Any) -> Any:
    """The value as `kind`; numbers that are none are NaN, or None where the kind allows
    that.
    """
    if kind is Any:
        return value
    if kind is float:
        return math.nan if value is None else _number(value)
    if kind is int:
        return _count(value)
    if isinstance(kind, type) and is_dataclass(kind):
        kinds = {f.name: f.type for f in fields(kind)}
        given = _same(dict, value).items()
        return kind(**{name: typed(kinds[name], entry) for name, entry in given})
    if isinstance(kind, type):
        return _same(kind, value)
    inner = get_args(kind)
    if isinstance(kind, UnionType):
        some = next(k for k in inner if k is not type(None))
        return None if value is None else typed(some, value)
    if get_origin(kind) is tuple:
        return tuple(typed(inner[0], entry) for entry in _same(list, value))
    if get_origin(kind) is Mapping:
        return {k: typed(inner[1], entry) for k, entry in _same(dict, value).items()}
    raise TypeError(kind)


def _same(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(
            f"{_shown(value)} is {type(value).__name__}, not {kind.__name__}"
        )
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{_shown(value)} is {type(value).__name__}, not a number")
    if value != value or value in (math.inf, -math.inf):
        return math.nan
    if abs(value) > LARGEST:
        raise ValueError(
            f"{_shown(value)} is larger than {LARGEST:g}, the most a figure may be"
        )
    return float(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MOST:
        raise ValueError(f"{_shown(value)} is not a whole number")
    return int(value)


def _shown(value: Any) -> str:
    return repr(value)[:60]


def read_option(option: Field[Any], value: Any) -> Any:
    """An option as it was meant: TOML has types, the command line has words; a truth is
    not a number, nor a number or a word a truth.
    """
    kind = type(option.default)
    if kind is tuple and isinstance(value, str):
        return _listed(option.name, value)
    if kind is tuple and isinstance(value, list | tuple):
        if all(isinstance(v, str) for v in value):
            return tuple(value)
    elif kind is not int and isinstance(value, kind):
        return value
    elif kind in (int, float) and (isinstance(value, str) or type(value) is int):
        with suppress(ValueError, OverflowError):
            return kind(value)
    such, example = {
        bool: ("true or false", "true"),
        int: ("a whole number", option.default),
        float: ("a number", option.default),
        str: ("a text", repr(option.default or "NAME")),
        tuple: ("a list of names", '["imdb", "sst2"]'),
    }[kind]
    raise UsageError(
        f"{option.name} = {value!r} is not {such}. Give one, such as {example}."
    )


def _listed(name: str, text: str) -> tuple[str, ...]:
    """Names by commas; one that holds a comma stands in double quotes."""
    try:
        rows = list(csv.reader([text], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise UsageError(
            f"{name} = {text!r} cannot be read ({error}). Put commas between names, "
            "quotes around a name with a comma."
        ) from error
    return tuple(filter(None, map(str.strip, rows[0] if rows else ())))


def broken_rule(option: Field[Any], value: Any) -> str:
    """What the option declares and the value breaks: `least`, `choices`, not empty."""
    least, choices = (option.metadata.get(name) for name in ("least", "choices"))
    if isinstance(value, str) and option.default and not value.strip():
        return "it names something; leave the key out for the default"
    if choices and value not in choices:
        return " or ".join(filter(None, choices))
    if least is not None and not least <= value < math.inf:
        return f"it is at least {least} ({option.metadata['help']})"
    return ""


def json_of(text: str | bytes) -> Any:
    """JSON from a stranger: a ValueError for what is none or is nested too deeply."""
    too_deep = f"it is nested deeper than {MAX_DEPTH} levels"
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError(too_deep) from error
    level = _nested([found])
    for _ in range(MAX_DEPTH):
        level = [v for x in level for v in _nested(x)]
    if level:
        raise ValueError(too_deep)
    return found


def _nested(found: Any) -> list[Any]:
    """The lists and objects right within a list or an object."""
    values = found.values() if isinstance(found, dict) else found
    return [v for v in values if isinstance(v, dict | list)]
