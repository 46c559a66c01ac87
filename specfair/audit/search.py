"""The search for the worst identity swap: hypothesis draws contexts, towards those that
set identities furthest apart; identities are halved from round to round.

Knows a space of swaps and what texts cost, by asking. What is found is the best guess
of a search among thousands, and noise too is found that way: nothing here is evidence,
and what judges a finding never saw these texts.

Why halve: of a hundred identities most are neither slowest nor fastest. Those that a
fit puts amid the others are dropped, and what is left is looked at in twice as many
contexts. Costs are drawn towards each other as far as they are noise before anybody is
dropped or named.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from specfair.stats.ranks import shrunken
from specfair.stats.tally import Array, codes_of
from specfair.strategies import contexts, hypothesis
from specfair.texts.swaps import Context, Space, Swap

# target calls for 100 tokens of each text
Cost: TypeAlias = Callable[[Sequence[str]], Array]
LEFT = 4  # identities at either end, at which nobody more is dropped
CONTEXTS = 6  # of the first round; twice as many in each that follows
AT_ONCE = 2  # contexts to an example, about all identities that are left
TRIES = 200  # of the search for the smallest pair


@dataclass(slots=True)
class Answers:
    """What was measured so far, and what follows of each identity."""

    where: Space
    cost: Cost
    known: dict[tuple[Context, str], float] = field(default_factory=dict)

    def look(self, some: Iterable[Context], names: Sequence[str]) -> float:
        """Measure these identities in these contexts together; by how much they differ
        at most in one of them.
        """
        asked = [
            (context, name)
            for context in dict.fromkeys(some)
            for name in names
            if name in self.where.texts[context.template]
        ]
        if not asked:
            return 0.0
        texts = [self.where.text(*each) for each in asked]
        found = dict(zip(asked, self.cost(texts).tolist(), strict=True))
        self.known |= found
        by: dict[Context, list[float]] = {}
        for (context, _), value in found.items():
            by.setdefault(context, []).append(value)
        return max(max(values) - min(values) for values in by.values())

    def effects(self) -> dict[str, tuple[float, float]]:
        """Of each identity the cost over that of others in the same contexts, drawn
        towards theirs as far as it is noise; and its standard error.
        """
        places, names = zip(*self.known, strict=True)
        y = np.array(list(self.known.values()))
        of = [codes_of(np.array(list(map(repr, each)))) for each in (places, names)]
        size = [np.bincount(codes) for codes in of]
        means = [np.zeros(len(n)) for n in size]
        for _ in range(50):  # each given the other, until neither moves
            for i, other in ((0, 1), (1, 0)):
                rest = np.bincount(of[i], y - means[other][of[other]])
                means[i] = rest / size[i]
        left = y - means[0][of[0]] - means[1][of[1]]
        spent = max(len(y) - len(size[0]) - len(size[1]) + 1, 1)
        effect = means[1] - means[1].mean()
        better, spread = shrunken(effect, left @ left / spent / size[1])
        rows = zip(better.tolist(), np.sqrt(spread).tolist(), strict=True)
        return dict(zip(dict.fromkeys(names), rows, strict=True))


@dataclass(frozen=True, slots=True)
class Finding:
    """The best guess."""

    fast: str
    slow: str
    expected: float  # extra target calls for 100 tokens, by the fit
    smallest: Swap  # the simplest context seen that shows as much
    shown: float
    n_texts: int


def search(
    where: Space, cost: Cost, *, seed: int, kept: Sequence[str] = (), store: str = ""
) -> Finding:
    """The two identities that cost most apart. Those `kept` from an earlier time are
    never dropped; `store` is a folder for hypothesis's examples.
    """
    seen = Answers(where, cost)
    names = where.identities
    slow = fast = names
    n = CONTEXTS
    while True:
        _explore(seen, tuple(dict.fromkeys((*slow, *fast))), n, seed)
        effects = seen.effects()
        if len(slow) <= LEFT:
            break
        half = max(len(slow) // 2, LEFT)
        slow = _ends(slow, kept, half, key=lambda x: -effects[x][0] - effects[x][1])
        fast = _ends(fast, kept, half, key=lambda x: effects[x][0] - effects[x][1])
        n *= 2
    worst = max(slow, key=lambda x: effects[x][0])
    beside = where.beside(worst)
    some = [x for x in fast if x in beside] or beside
    best = min(some, key=lambda x: effects[x][0])
    expected = effects[worst][0] - effects[best][0]
    n_texts = len(seen.known)
    smallest, shown = _smallest(seen, (best, worst), expected, store)
    return Finding(best, worst, expected, smallest, shown=shown, n_texts=n_texts)


def _ends(
    names: Sequence[str],
    kept: Sequence[str],
    n: int,
    *,
    key: Callable[[str], float],
) -> tuple[str, ...]:
    """The first n by the key, and those that are kept."""
    first = sorted(names, key=key)[:n]
    return tuple(dict.fromkeys((*first, *(name for name in kept if name in names))))


def _explore(seen: Answers, names: Sequence[str], n: int, seed: int) -> None:
    """Let hypothesis draw n contexts for these identities; who stands in none of those
    drawn is looked at where they do stand.
    """
    given = hypothesis()

    def explore(some: list[Context]) -> None:
        given.target(seen.look(some, names))

    drawn = given.strategies.lists(
        contexts(seen.where), min_size=AT_ONCE, max_size=AT_ONCE, unique=True
    )
    how = _settings(given, max_examples=max(n // AT_ONCE, 1))
    given.seed(seed)(how(given.given(drawn)(explore)))()
    for name in names:
        if not any(name == who for _, who in seen.known):
            seen.look([Context(seen.where.of(name)[0])], names)


def _settings(given: Any, *, store: str = "", **more: Any) -> Any:
    """By the run's own seed, so the same in every run and in CI."""
    database = given.database.DirectoryBasedExampleDatabase(store) if store else None
    return given.settings(
        database=database,
        deadline=None,
        suppress_health_check=list(given.HealthCheck),
        **more,
    )


def _smallest(
    seen: Answers, pair: tuple[str, str], wanted: float, store: str
) -> tuple[Swap, float]:
    """The simplest context in which the second costs as much more as wanted, or else
    the one of those seen in which it does most.
    """
    given, where = hypothesis(), seen.where

    def extra(context: Context) -> float:
        for name in pair:
            if (context, name) not in seen.known:
                seen.look([context], pair)
        first, second = (seen.known[context, name] for name in pair)
        return second - first

    def both() -> list[Context]:
        known = seen.known
        return [c for c, name in known if name == pair[1] and (c, pair[0]) in known]

    before = both()
    try:
        found = given.find(
            contexts(replace(where, templates=where.of(*pair))),
            lambda context: extra(context) >= wanted,
            settings=_settings(given, store=store, max_examples=TRIES),
            database_key=repr(pair).encode(),
        )
    except given.errors.NoSuchExample:
        found = max(before or both(), key=extra)
    return where.swap(found, *pair), extra(found)
