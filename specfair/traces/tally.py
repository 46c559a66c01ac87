"""What speculative decoding counts, by prompt and by place in the draft, and the rates
that are ratios of it.

Knows that counts add up and that a ratio is taken last; not how they were come by.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from specfair.stats import divide
from specfair.stats.tally import Array

RATES: Mapping[str, tuple[str, str]] = {
    "acceptance_rate": ("n_accepted", "n_tested"),
    "draft_acceptance_rate": ("n_accepted", "n_drafted"),
    "mean_acceptance_length": ("n_new_tokens", "n_rounds"),
    "assisted_share": ("n_accepted", "n_new_tokens"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Counts per prompt, or their totals. Tested = accepted plus the first rejected
    token of each round.
    """

    n_new_tokens: Array
    n_rounds: Array
    n_drafted: Array
    n_tested: Array
    n_accepted: Array

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            *(getattr(self, f.name) + getattr(other, f.name) for f in fields(self))
        )

    def __getitem__(self, keep: Any) -> "Tally":
        return Tally(*(getattr(self, f.name)[keep] for f in fields(self)))

    def __len__(self) -> int:
        return len(self.n_new_tokens)

    def total(self) -> "Tally":
        """The sums over prompts."""
        return Tally(*(np.asarray(getattr(self, f.name).sum()) for f in fields(self)))

    def rate(self, name: str) -> Array:
        """One of RATES, for each entry; NaN where its denominator is zero."""
        numerator, denominator = (getattr(self, part) for part in RATES[name])
        return divide(numerator, denominator)


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts by prompt and by place in the draft: column j is a round's (j + 1)-th
    drafted token.
    """

    n_new_tokens: Array  # (n_prompts,)
    n_rounds: Array  # (n_prompts,)
    n_drafted: Array  # (n_prompts, n_places)
    n_tested: Array  # (n_prompts, n_places)
    n_accepted: Array  # (n_prompts, n_places)

    @property
    def tally(self) -> Tally:
        """The same counts, summed over places."""
        by_place = (self.n_drafted, self.n_tested, self.n_accepted)
        return Tally(
            self.n_new_tokens, self.n_rounds, *(counts.sum(1) for counts in by_place)
        )


Counts = TypeVar("Counts", Tally, Profile)


def veiled(counts: Counts, unknown: NDArray[np.bool_]) -> Counts:
    """NaN in every count but the tokens, for the prompts where a decision rested on
    something that is no number.
    """
    parts = {}
    for name in (f.name for f in fields(counts) if f.name != "n_new_tokens"):
        parts[name] = getattr(counts, name).copy()
        parts[name][unknown] = np.nan
    return replace(counts, **parts)
