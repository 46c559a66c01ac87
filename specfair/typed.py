"""A stored value in the type its field declares, or a ValueError or KeyError that says
what it is instead.

What is stored may come from anybody. Knows types, not what they are for.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin

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
        return kind(
            **{
                name: typed(kinds[name], entry)
                for name, entry in _same(dict, value).items()
            }
        )
    if isinstance(kind, type):
        return _same(kind, value)
    return _composed(kind, value)


def _composed(kind: Any, value: Any) -> Any:
    """Of a union, a tuple or a mapping."""
    inner = get_args(kind)
    if isinstance(kind, UnionType):
        return (
            None
            if value is None
            else typed(next(k for k in inner if k is not type(None)), value)
        )
    if get_origin(kind) is tuple:
        return tuple(typed(inner[0], entry) for entry in _same(list, value))
    if get_origin(kind) is Mapping:
        return {
            key: typed(inner[1], entry) for key, entry in _same(dict, value).items()
        }
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


def json_of(text: str | bytes) -> Any:
    """JSON from a stranger: a ValueError, in one line, for what is not JSON or is
    nested too deeply.
    """
    too_deep = f"it is nested deeper than {MAX_DEPTH} levels"
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError(too_deep) from error
    level, depth = [found], 0
    while level := [x for x in level if isinstance(x, dict | list)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(too_deep)
        level = [v for x in level for v in (x.values() if isinstance(x, dict) else x)]
    return found
