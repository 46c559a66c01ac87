"""What a prompt and a set of prompts are: groups, clusters, templates, and how a set is
narrowed or refused.

Knows nothing of where prompts come from. The cluster is the unit of evidence (an
identity term, an article, a problem); the template pairs prompts across groups.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

from specfair.errors import DataError, UsageError, counted, unknown


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt of one group. The cluster is the unit of evidence; the template pairs
    prompts across groups.
    """

    id: str
    group: str
    cluster: str
    template: str  # "" where the set has none
    text: str
    nth: int = 0  # which of the texts that are written after it

    @property
    def stream(self) -> str:
        """The name of its own random numbers, which no other text shares."""
        return f"{self.id}\0{self.nth}" if self.nth else self.id

    @property
    def plain(self) -> dict[str, Any]:
        """Its fields by name; asdict would copy every text, and there are many."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class PromptSet(Sequence[Prompt]):
    """Prompts by group, with what a report has to say about them.

    >>> from specfair.texts import prompts
    >>> few = prompts.load("embedded").only(["female", "queer"]).limit(12)
    >>> few.groups, few.sizes, len(few)
    (('female', 'queer'), {'female': 12, 'queer': 12}, 24)
    """

    name: str
    prompts: tuple[Prompt, ...]
    # the groups share their templates, so they can be compared within template
    crossed: bool
    synthetic: bool
    licence: str
    sentence: str  # what it is, with the counts of what is in it
    notes: tuple[str, ...] = ()  # what was dropped, kept twice or sampled, in words
    # group -> identity terms
    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    # of further groupings: name -> prompt's id -> value. No part of what is written
    attributes: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict, hash=False
    )
    whole: str = ""  # the sentence before prompts were left out, if any were

    def __post_init__(self) -> None:
        if not self.prompts:
            raise DataError(
                f"prompt set {self.name!r} has 0 prompts; at least 1 is "
                "needed. Name a set that has some."
            )
        times = Counter(p.stream for p in self.prompts)
        twice = [name for name, n in times.items() if n > 1]
        if twice:
            raise DataError(
                f"prompt id {twice[0]!r} of {self.name!r} stands more than once "
                f"({len(twice)} ids do); ids must be unique. Rename them, or leave the "
                "id column out."
            )

    def __len__(self) -> int:
        return len(self.prompts)

    def __iter__(self) -> Iterator[Prompt]:
        return iter(self.prompts)

    @overload
    def __getitem__(self, index: int) -> Prompt: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Prompt, ...]: ...
    def __getitem__(self, index: int | slice) -> Prompt | tuple[Prompt, ...]:
        return self.prompts[index]

    @property
    def groups(self) -> tuple[str, ...]:
        """In order of first appearance.

        >>> prompts = (Prompt("1", "b", "x", "", "t"), Prompt("2", "a", "y", "", "t"))
        >>> PromptSet("p", prompts, False, True, "none", "two").groups
        ('b', 'a')
        """
        return tuple(dict.fromkeys(p.group for p in self.prompts))

    @property
    def sizes(self) -> dict[str, int]:
        """Prompts per group, in the groups' order."""
        return dict(Counter(p.group for p in self.prompts))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over every field of every prompt, in order."""
        digest = hashlib.sha256()
        for p in self.prompts:
            nth = str(p.nth or "")
            line = (p.id, p.group, p.cluster, p.template, p.text, nth)
            digest.update("\0".join(line).encode())
        return digest.hexdigest()

    def only(self, groups: Iterable[str]) -> "PromptSet":
        """The named groups and no others."""
        wanted = tuple(groups)
        for name in wanted:
            if name not in self.groups:
                raise UsageError(unknown("group", name, self.groups))
        kept = tuple(p for p in self.prompts if p.group in wanted)
        if len(kept) == len(self):
            return self
        note = (
            f"only {len(set(wanted))} of {len(self.groups)} groups were asked for: "
            f"{', '.join(dict.fromkeys(wanted))}"
        )
        terms = {group: t for group, t in self.terms.items() if group in wanted}
        return replace(self._narrowed(kept, note), terms=terms)

    def limit(self, n_per_group: int, *, seed: int = 0) -> "PromptSet":
        """At most so many prompts per group: a deterministic sample that nests, so that
        a larger one contains it.

        >>> prompts = [Prompt(str(i), "a", f"term {i % 2}", "", "x") for i in range(6)]
        >>> few = PromptSet("p", tuple(prompts), False, True, "none", "six").limit(2)
        >>> sorted(prompt.cluster for prompt in few), few.sentence
        (['term 0', 'term 1'], '2 prompts of 1 group, out of six')

        Clusters take turns, in one shuffled order for all groups, and each starts at
        another template: no cluster is lost before another has given two prompts, and
        groups keep templates in common.
        """
        if n_per_group < 1:
            raise UsageError(
                f"limit {n_per_group} per group is too small; it must be at "
                "least 1. Leave it out for all."
            )
        by_group: dict[str, list[Prompt]] = defaultdict(list)
        for prompt in self.prompts:
            by_group[prompt.group].append(prompt)
        kept: set[str] = set()
        for members in by_group.values():
            kept.update(p.id for p in in_turn(members, seed)[:n_per_group])
        if len(kept) == len(self):
            return self
        note = f"limited to {n_per_group} prompts a group, a sample by seed {seed}"
        return self._narrowed(tuple(p for p in self.prompts if p.id in kept), note)

    def _narrowed(self, kept: tuple[Prompt, ...], note: str) -> "PromptSet":
        """These prompts only; the sentence counts what is left and says what of."""
        whole, n_groups = self.whole or self.sentence, len({p.group for p in kept})
        left = f"{counted(len(kept), 'prompt')} of {counted(n_groups, 'group')}"
        sentence, notes = f"{left}, out of {whole}", (*self.notes, note)
        return replace(self, prompts=kept, sentence=sentence, whole=whole, notes=notes)

    def written(self, times: int) -> "PromptSet":
        """The same prompts with so many texts after each, the first ones first."""
        some = (replace(p, nth=nth) for nth in range(times) for p in self.prompts)
        return replace(self, prompts=tuple(some))

    def require(self, min_prompts: int = 10) -> "PromptSet":
        """The set itself, or a DataError naming the first group that is too small."""
        for group, n in self.sizes.items():
            if n < min_prompts:
                raise DataError(
                    f"group {group!r} has {counted(n, 'prompt')}; intervals need at "
                    f"least {min_prompts}. Add prompts or set min_prompts = {n}."
                )
        return self


def share_templates(prompts: Iterable[Prompt]) -> bool:
    """Whether all groups have the same templates."""
    templates: dict[str, set[str]] = defaultdict(set)
    for prompt in prompts:
        templates[prompt.group].add(prompt.template)
    first, *others = templates.values()
    return bool(others) and "" not in first and all(names == first for names in others)


def shuffled(seed: int, *parts: str) -> str:
    """A sort key that shuffles: the same on every machine and in every Python."""
    return hashlib.sha256("\0".join((str(seed), *parts)).encode()).hexdigest()


def in_turn(members: Sequence[Prompt], seed: int) -> list[Prompt]:
    """Members so that every cluster gives its first before any its second, each
    starting at another template.
    """
    ranks = _ranks({p.cluster for p in members}, seed)
    places = _ranks({p.template for p in members}, seed)

    def stride(p: Prompt) -> tuple[int, int, int, str]:
        n = (places[p.template] - ranks[p.cluster]) % len(places)
        return p.nth, n % len(ranks), n, p.id

    turns: Counter[str] = Counter()
    ranked = []
    for p in sorted(members, key=stride):
        ranked.append((turns[p.cluster], ranks[p.cluster], p))
        turns[p.cluster] += 1
    return [p for _, _, p in sorted(ranked, key=lambda entry: entry[:2])]


def _ranks(names: Iterable[str], seed: int) -> dict[str, int]:
    order = sorted(names, key=lambda name: shuffled(seed, name))
    return {name: rank for rank, name in enumerate(order)}
