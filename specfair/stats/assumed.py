"""What a measurement to come is assumed to be like: by figures that are usual, or by
what a pilot showed.

Knows rates, components of variance, and how a pilot's counts give them. Does not know
what is planned with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from specfair.stats.errors import CHANGE
from specfair.stats.lending import Components, components_of
from specfair.stats.tally import Array, Sample
from specfair.stats.units import Counts, Layout, counts_of, layout_of, without_common


@dataclass(frozen=True, slots=True)
class Figures:
    """How measurements vary, in words that people use."""

    rate: float
    tokens: float  # tested, of a prompt
    # standard deviations of rates: between identities, of their changes, of templates
    identity: float
    drift: float
    template: float
    # of prompts of one identity, in multiples of what single tokens' coins would make
    scatter: float


@dataclass(frozen=True, slots=True, eq=False)
class Assumed:
    """What a measurement is made up from."""

    rate: float
    tokens: float
    components: Components  # before and after, less what templates do to all groups
    templates: Array  # variance of that: (2, 2)

    @classmethod
    def of(cls, figures: Figures) -> "Assumed":
        """Before any measurement: prompts before and after have nothing in common but
        their identity and template.
        """
        between = np.full((2, 2), figures.identity**2)
        between += np.diag([0.0, figures.drift**2])
        coins = figures.rate * (1 - figures.rate)
        parts = Components(between, np.eye(2) * figures.scatter * coins)
        templates = np.full((2, 2), figures.template**2)
        return cls(figures.rate, figures.tokens, parts, templates)

    @property
    def fixed(self) -> "Assumed":
        """The same about identities that are given: they do not vary."""
        nothing = np.zeros((2, 2))
        return replace(self, components=Components(nothing, self.components.within))

    @property
    def figures(self) -> Figures:
        """What it comes to, for readers."""
        between = self.components.between
        moved = CHANGE @ between @ CHANGE
        coins = max(self.rate * (1 - self.rate), 1e-9)
        return Figures(
            rate=self.rate,
            tokens=self.tokens,
            identity=float(np.sqrt(between[0, 0])),
            drift=float(np.sqrt(max(moved, 0.0))),
            template=float(np.sqrt(self.templates[0, 0])),
            scatter=float(self.components.within[0, 0]) / coins,
        )


def learnt(before: Sample, later: Sequence[Sample], usual: Assumed) -> Assumed:
    """From a pilot: the mean over all that was measured afterwards; where nothing was,
    changes vary as usual, in proportion. One identity a group tells nothing of how they
    differ.
    """
    layout, known = layout_of(before), usual.components
    tokens = float(before.denominator.mean())
    stages = [counts_of(before, after) for after in later or [before]]
    found = np.mean([_variances(layout, c, tokens) for c in stages], axis=0)
    between, within, templates = (np.asarray(matrix) for matrix in found)
    if not later:
        between = known.between / known.between[0, 0] * between[0, 0]
        within = known.within / known.within[0, 0] * within[0, 0]
    if not {"clusters", "shared"} & set(layout.kinds):
        between = known.between
    return Assumed(before.value, tokens, Components(between, within), templates)


def _variances(layout: Layout, counts: Counts, tokens: float) -> Array:
    """Between identities, within them, and of templates: (3, 2, 2). A prompt is part
    of the mean that is taken off it, so it scatters less by its share in that.
    """
    whole = components_of(layout, counts)
    if np.ptp(layout.template) == 0:
        return np.array([whole.between, whole.within, np.zeros((2, 2))])
    rest = components_of(layout, without_common(layout, counts)[0])
    kept = 1 - len(np.unique(layout.template)) / len(layout.template)
    between, within = rest.between, rest.within / max(kept, 0.1)
    common = np.maximum(np.diag(whole.within - within), 0.0) / tokens
    return np.array([between, within, np.sqrt(np.outer(common, common))])
