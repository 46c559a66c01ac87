"""Which bound holds for which case: rules from `[tool.specfair.gates]` and `--specfair-gate`, the narrowest winning.

A rule is a path and a number: `gap`, `imdb.gap`, `imdb.queer.gain`, `alpha.gap`. The words of a path may stand in any
order, since datasets, groups, metrics and kinds of gate have different names. What a kind means is in gates.py.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from specfair import corpora
from specfair.config import BASE, TUNED
from specfair.errors import UsageError, unknown
from specfair.gates import KINDS, Bound
from specfair.metrics import METRICS

_EXPRESSION = re.compile(r"^\s*([\w.\-]+?)\s*(<=|>=|=)\s*([-+\w.]+?)\s*(?:(?:±|~)\s*([\w.]+))?\s*$")


@dataclass(frozen=True, slots=True)
class Rule:
    """One bound and the cases it is for; an empty name stands for all. `off` is written as NaN."""

    kind: str
    value: float | None = None
    min_effect: float | None = None
    dataset: str = ""
    group: str = ""
    metric: str = ""

    def covers(self, kind: str, dataset: str, group: str, metric: str) -> bool:
        asked = ((self.dataset, dataset), (self.group, group), (self.metric, metric))
        return self.kind == kind and all(own in ("", given) for own, given in asked)

    @property
    def narrowness(self) -> tuple[int, int, int]:
        """How much the rule names: a group is narrower than a dataset, a dataset than a metric."""
        return (bool(self.group), bool(self.dataset), bool(self.metric))


def bound_for(
    rules: Iterable[Rule], kind: str, *, dataset: str = "", group: str = "", metric: str = ""
) -> Bound | None:
    """The bound of the narrowest rule that covers the case, the later of two equals; None where the gate is off."""
    covering = [r for r in rules if r.covers(kind, dataset or BASE, group, metric)]
    value, min_effect = KINDS[kind].bound, KINDS[kind].min_effect
    for rule in sorted(covering, key=lambda r: r.narrowness):
        value = rule.value if rule.value is not None else value
        min_effect = rule.min_effect if rule.min_effect is not None else min_effect
    return None if value is None or math.isnan(value) else Bound(kind, value, min_effect, metric or KINDS[kind].metric)


def rules_of(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> tuple[Rule, ...]:
    """The rules in a TOML table: numbers are bounds, `{ bound, min_effect }` gives both, other tables narrow."""
    found: list[Rule] = []
    for name, value in table.items():
        here = (*path, *name.split("."))
        if isinstance(value, Mapping) and not set(value) <= {"bound", "min_effect"}:
            found += rules_of(value, here)
        else:
            bound, effect = (
                (value.get("bound"), value.get("min_effect")) if isinstance(value, Mapping) else (value, None)
            )
            found.append(_rule(here, bound, effect))
    return tuple(found)


def parse_rule(text: str) -> Rule:
    """The rule in an expression such as `imdb.gap<=0.05` or `gain>=-0.01~0.02`, where ~ gives the minimum effect."""
    match = _EXPRESSION.match(text)
    if not match:
        raise UsageError(f"gate {text!r} is not PATH<=NUMBER or PATH>=NUMBER. Write for example imdb.gap<=0.05.")
    path, sign, bound, effect = match.groups()
    rule = _rule(tuple(path.split(".")), bound, effect)
    if sign not in ("=", KINDS[rule.kind].comparison):
        raise UsageError(f"gate {text!r} has {sign}; {rule.kind} is bounded by {KINDS[rule.kind].comparison}. Turn it.")
    return rule


def _rule(path: tuple[str, ...], bound: Any, effect: Any) -> Rule:
    """Sort the words of a path by what they name; a word that names nothing known is a group, checked with the set."""
    names: dict[str, str] = {}
    for word in path:
        kind = _kind_of(word)
        if kind in names:
            raise UsageError(f"gate {'.'.join(path)!r} names two {kind}s, {names[kind]!r} and {word!r}. Keep one.")
        names[kind] = word
    if "kind" not in names:
        raise UsageError(unknown("gate", path[-1], KINDS))
    return Rule(value=_number(path, bound), min_effect=_number(path, effect), **names)


def _kind_of(word: str) -> str:
    if word in KINDS:
        return "kind"
    if word in METRICS:
        return "metric"
    return "dataset" if word in (*corpora.NAMES, BASE, TUNED) else "group"


def _number(path: tuple[str, ...], value: Any) -> float | None:
    if value is None:
        return None
    if value == "off" or value is False:  # 0.0 is a bound, though it equals False
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        name = ".".join(path)
        raise UsageError(f'gate {name} = {value!r} is not a number. Give one, or "off" to switch it off.') from error


def check_groups(rules: Iterable[Rule], groups: Iterable[str]) -> None:
    """Refuse rules for groups that the prompt set does not have: a bound nobody is held to is a mistake."""
    known = list(groups)
    for rule in rules:
        if rule.group and rule.group not in known:
            words = (*known, *KINDS, *METRICS, *corpora.NAMES)
            raise UsageError(unknown("name in a gate", rule.group, words))
