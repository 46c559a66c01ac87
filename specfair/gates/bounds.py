"""Which bound holds for which case: rules from `[tool.specfair.gates]` and
`--specfair-gate`, the narrowest winning.

A rule is a path and a number: `gap`, `imdb.gap`, `imdb.queer.gain`, `alpha.gap`. The
last word is the kind of gate, the words before it name a dataset, a group or a metric
in any order. A word that could name two of them says which: `group:kl.gain`; a word
that holds a dot, or anything else that ends a word, stands in quotes: `"U.S.".gain`.
What a kind of gate means is known elsewhere.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from specfair.errors import UsageError, unknown
from specfair.gates import KINDS, OWN, Bound
from specfair.texts import corpora
from specfair.vocabulary import BASE, METRICS, TUNED, Stage

_NUMBER = r"[-+\w.]+?"
_PATH = r"""(?:"[^"]*"|'[^']*'|[^"'<>=])+?"""
_EXPRESSION = re.compile(
    rf"^\s*({_PATH})\s*(<=|>=|=)\s*({_NUMBER})\s*(?:(?:±|~)\s*({_NUMBER}))?\s*$",
    re.DOTALL,
)
_WORD = re.compile(
    r"""\s*(?:(\w+:)?(?:"([^"]*)"|'([^']*)')|([^."'\s][^."']*?))\s*(?:\.|$)"""
)
_NAMES = ("dataset", "group", "metric")
_BOUNDABLE = tuple(kind for kind in KINDS if kind not in OWN)


@dataclass(frozen=True, slots=True)
class Where:
    """What a case is about; an empty metric is the kind's own."""

    stage: Stage = BASE
    group: str = ""
    metric: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One bound and the cases it is for. No stage or group stands for all of them, an
    empty metric for the kind's.
    """

    kind: str
    value: float | None = None
    min_effect: float | None = None
    stage: Stage | None = None
    group: str = ""
    metric: str = ""
    off: bool = False
    typed: bool = False  # for this run only, on the command line
    # names that did not say what they name
    guessed: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        words = [_written(what, name) for what, name in self.names if name]
        value = "off" if self.off else "" if self.value is None else f"{self.value:g}"
        effect = "" if self.min_effect is None else f"~{self.min_effect:g}"
        return (
            ".".join([*words, self.kind])
            + ("=" if self.off else KINDS[self.kind].comparison)
            + value
            + effect
        )

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """What it names, by the words of a path; "" where it names none."""
        stage = "" if self.stage is None else str(self.stage)
        return ("dataset", stage), ("group", self.group), ("metric", self.metric)

    def covers(self, kind: str, case: Where) -> bool:
        """Whether a case of this kind is one of those the rule is for."""
        own = KINDS[kind].metric
        return (
            self.kind == kind
            and self.stage in (None, case.stage)
            and self.group in ("", case.group)
            and (self.metric or own) == (case.metric or own)
        )

    @property
    def narrowness(self) -> tuple[int, int, int]:
        """How much the rule names: a group is narrower than a dataset, a dataset than a
        metric.
        """
        return (bool(self.group), self.stage is not None, bool(self.metric))


def covering(rules: Iterable[Rule], kind: str, case: Where) -> tuple[Rule, ...]:
    """The rules for a case, the narrowest last and the later of two equals behind the
    other.
    """
    found = [rule for rule in rules if rule.covers(kind, case)]
    return tuple(sorted(found, key=lambda r: r.narrowness))


def bound_for(rules: Iterable[Rule], kind: str, case: Where) -> Bound | None:
    """The bound of the narrowest rule that covers the case, the later of two equals;
    None where the gate is off.

    The default of a kind is about its own metric: another one is bounded only by a rule
    that names it.
    """
    metric = case.metric or KINDS[kind].metric
    usual = metric == KINDS[kind].metric
    value, min_effect = KINDS[kind].bound if usual else None, KINDS[kind].min_effect
    for rule in covering(rules, kind, case):
        value = None if rule.off else value if rule.value is None else rule.value
        min_effect = min_effect if rule.min_effect is None else rule.min_effect
    return None if value is None else Bound(kind, value, min_effect, metric)


def metrics_bounded(rules: Iterable[Rule], kind: str) -> tuple[str, ...]:
    """The metrics that a kind of gate is asked about: its own, and those that rules
    name.
    """
    return tuple(
        dict.fromkeys(
            [
                KINDS[kind].metric,
                *(r.metric for r in rules if r.kind == kind and r.metric),
            ]
        )
    )


def rules_of(table: object, path: tuple[str, ...] = ()) -> tuple[Rule, ...]:
    """The rules in a TOML table: numbers are bounds, `{ bound, min_effect }` gives
    both, other tables narrow.
    """
    if not isinstance(table, Mapping):
        raise UsageError(
            f"gates = {table!r} is not a table. Write [tool.specfair.gates] "
            "and below it gap = 0.1, for example."
        )
    found: list[Rule] = []
    for name, value in table.items():
        here = (*path, name)
        if isinstance(value, Mapping) and not (
            value and set(value) <= {"bound", "min_effect"}
        ):
            found += rules_of(value, here)
        elif isinstance(value, Mapping):
            found.append(_rule(here, value.get("bound"), value.get("min_effect")))
        else:
            found.append(_rule(here, value, None))
    return tuple(found)


def parse_rule(text: str) -> Rule:
    """The rule in an expression such as `imdb.gap<=0.05` or `gain>=-0.01~0.02`, where ~
    gives the minimum effect.
    """
    match = _EXPRESSION.match(text)
    if not match:
        raise UsageError(
            f"gate {text!r} is not PATH<=NUMBER or PATH>=NUMBER. Write for "
            "example imdb.gap<=0.05."
        )
    path, sign, bound, effect = match.groups()
    rule = _rule(_words(path, text), bound, effect)
    if sign not in ("=", KINDS[rule.kind].comparison):
        raise UsageError(
            f"gate {text!r} has {sign}; {rule.kind} is bounded by "
            f"{KINDS[rule.kind].comparison}. Turn it."
        )
    return rule


def _words(path: str, text: str) -> tuple[str, ...]:
    """The words between dots; quotes keep a word together."""
    words, at = [], 0
    while at < len(path):
        match = _WORD.match(path, at)
        if not match:
            raise UsageError(
                f"gate {text!r} cannot be read from {path[at:]!r} on. Put dots "
                'between words: imdb."U.S.".gain>=0.'
            )
        prefix, double, single, plain = match.groups()
        quoted = double if double is not None else single
        words.append(plain if quoted is None else (prefix or "") + quoted)
        at = match.end()
    return tuple(words)


def _rule(path: tuple[str, ...], bound: Any, effect: Any) -> Rule:
    """The last word is the kind; what the others name is sorted out word by word."""
    *words, kind = path
    written = ".".join(path)
    if kind not in _BOUNDABLE:
        raise UsageError(unknown("gate", kind, _BOUNDABLE))
    names: dict[str, Any] = {}
    guessed = tuple(word for word in words if word.partition(":")[0] not in _NAMES)
    for word in words:
        what, name = _named(word, written)
        if what in names:
            raise UsageError(
                f"gate {written!r} names two {what}s, {names[what]!r} and "
                f"{name!r}. Keep one."
            )
        names[what] = name
    made = Rule(
        kind,
        _number(path, bound),
        _number(path, effect),
        off=bound == "off",
        guessed=guessed,
    )
    if "dataset" in names:
        names["stage"] = Stage.of(names.pop("dataset"))
    return replace(made, **names)


def _written(what: str, name: str) -> str:
    """A name as a word of a path, which is read as this kind of name again."""
    quote = "'" if '"' in name else '"'
    quoted = f"{quote}{name}{quote}" if re.search(r"""[.\s"'<>=~±]""", name) else name
    return quoted if _named(name, name) == (what, name) else f"{what}:{quoted}"


def _named(word: str, written: str) -> tuple[str, str]:
    """What a word names, and the name; one that names nothing known is a group, checked
    with the prompt set.
    """
    what, colon, name = word.partition(":")
    if colon and what in _NAMES:
        if not name:
            raise UsageError(
                f"gate {written!r} names no {what} behind {word!r}. Write {what}:NAME."
            )
        return what, name
    if word in METRICS:
        return "metric", word
    return (
        "dataset"
        if word in (*corpora.NAMES, str(BASE), TUNED) or word.startswith("file:")
        else "group"
    ), word


def _number(path: tuple[str, ...], value: Any) -> float | None:
    if value is None or value == "off":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        name = ".".join(path)
        raise UsageError(
            f"gate {name} = {value!r} is not a finite number. Give one such as "
            '0.05, or "off" to switch it off.'
        )
    return number


def check_groups(rules: Iterable[Rule], groups: Iterable[str]) -> None:
    """Refuse rules for groups that the prompt set does not have, and words that may be
    a group or something else.
    """
    known = list(groups)
    for rule in rules:
        if rule.group and rule.group not in known:
            raise UsageError(
                unknown(
                    "name in a gate", rule.group, (*known, *METRICS, *corpora.NAMES)
                )
            )
        for what, name in rule.names:
            if what != "group" and name in rule.guessed and name in known:
                raise UsageError(
                    f"gate {str(rule)!r}: {name!r} is a {what} and a group of these "
                    f"prompts. Write group:{name} or "
                    f"{what}:{name}."
                )
