"""What was counted, by prompt: samples whose ratio of sums is a metric.

Knows that counts add up and that a ratio is taken last. Does not know what is counted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
Labels: TypeAlias = NDArray[np.str_]
Known = TypeVar("Known")
LABELS = ("prompt", "group", "cluster", "template")


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One entry per prompt; the metric of any set of entries is sum(numerator) /
    sum(denominator).

    The cluster is the unit of evidence; the template pairs prompts of different groups
    and is "" where there is none.
    """

    numerator: Array
    denominator: Array
    prompt: Labels
    group: Labels
    cluster: Labels
    template: Labels
    # what more evidence would be more of: "identities", "prompts", or nothing ("set")
    scope: str = field(default="identities", kw_only=True)
    # what follows from the labels
    known: dict[str, Any] = field(default_factory=dict, repr=False, kw_only=True)

    def __getitem__(self, keep: Any) -> "Sample":
        return Sample(
            *(getattr(self, name)[keep] for name in ("numerator", "denominator")),
            *(getattr(self, name)[keep] for name in LABELS),
            scope=self.scope,
        )

    def __len__(self) -> int:
        return len(self.prompt)

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups in order of first appearance."""
        return self.once("groups", lambda: tuple(dict.fromkeys(self.group.tolist())))

    def codes(self, name: str) -> Codes:
        """A number for each prompt's group, cluster, template or own name, in order of
        first appearance.
        """
        return self.once(name, lambda: codes_of(getattr(self, name)))

    def once(self, name: str, make: Callable[[], Known]) -> Known:
        """What follows from the labels alone: computed once for all samples made
        `with_counts` of one.
        """
        if name not in self.known:
            self.known[name] = make()
        found: Known = self.known[name]
        return found

    def with_counts(self, numerator: Array, denominator: Array) -> "Sample":
        """Another metric of the same prompts."""
        return replace(self, numerator=numerator, denominator=denominator)

    def by_prompt(self) -> "Sample":
        """One entry for each prompt, whose texts' counts are summed."""
        codes = self.codes("prompt")
        one = self.once("prompts", lambda: self[np.unique(codes, return_index=True)[1]])
        if len(one) == len(self):
            return self
        counts = np.stack([self.numerator, self.denominator], axis=-1)
        return one.with_counts(*sums_by(codes, counts).T)

    def within(self, scope: str) -> "Sample":
        """The same counts as evidence about something else: identities, prompts, or the
        set alone.
        """
        return replace(self, scope=scope, known={})

    @property
    def value(self) -> float:
        """The pooled ratio; NaN when empty, when nothing was counted or when anything
        is not finite.
        """
        return float(divide(self.numerator.sum(), self.denominator.sum()))

    def of(self, *groups: str) -> "Sample":
        """Only the prompts of these groups."""
        return self[np.isin(self.group, groups)]

    def macro(self) -> "Sample":
        """The same prompts weighing alike: per-prompt ratios over 1. A prompt with
        nothing counted has no weight.
        """
        counted = self.denominator != 0
        ratio = np.where(
            counted, divide(self.numerator, self.denominator), self.numerator
        )
        return self.with_counts(ratio, counted.astype(np.float64))


def divide(numerator: Array, denominator: Array) -> Array:
    """Elementwise ratio; NaN, and no warning, where the denominator is zero or anything
    is not finite.
    """
    good = (
        np.isfinite(numerator)
        & np.isfinite(denominator)
        & (np.asarray(denominator) != 0)
    )
    return np.asarray(
        np.where(good, numerator, np.nan) / np.where(good, denominator, 1.0),
        dtype=np.float64,
    )


def codes_of(labels: Labels) -> Codes:
    """A number for each label, in order of first appearance."""
    index: dict[str, int] = {}
    return np.array(
        [index.setdefault(label, len(index)) for label in labels.tolist()],
        dtype=np.int64,
    )


def renumbered(codes: Codes) -> Codes:
    """The same codes without gaps, in order of first appearance."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty_like(first)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def sums_by(codes: Codes, columns: Array) -> Array:
    """Sums of columns (rows, p) by code: (codes, p)."""
    return np.stack([np.bincount(codes, weights=c) for c in columns.T], axis=-1)
