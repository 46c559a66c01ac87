"""Made-up measurements whose truth is known: accepted and tested tokens of prompts in
clusters and templates.

Tokens of a prompt share its own rate (beta-binomial), prompts of an identity share the
identity's, and templates move the rate of every group alike. Identities are a sample,
templates are given: the truth is the mean over identities on these templates. Knows
nothing of the tests it is used to check.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specfair.stats import Sample

Shape = Sequence[tuple[int, int]]  # identities and templates of each group
_SPREAD = 10.0  # of prompts around their identity: Beta(p * spread, (1 - p) * spread)


@dataclass(frozen=True, slots=True)
class World:
    """What is true. `effects` are added to `base` group by group, `changes` to what
    comes after.
    """

    shape: Shape
    base: float = 0.8
    identity: float = 0.03  # standard deviation between identities
    template: float = 0.05  # and between templates
    drift: float = 0.02  # between identities, of the change from before to after
    tokens: int = 20  # tested tokens of a prompt, at most; at least half of it
    effects: tuple[float, ...] = ()
    changes: tuple[float, ...] = ()

    @property
    def truth(self) -> NDArray[np.float64]:
        """The rate of each group, before."""
        return self.base + np.array(self.effects or (0.0,) * len(self.shape))


def draw(world: World, seed: int) -> tuple[Sample, Sample]:
    """One measurement before and one after, of the same prompts."""
    rng = np.random.default_rng(seed)
    templates = _centred(
        rng.normal(0.0, world.template, max(t for _, t in world.shape))
    )
    changes = world.changes or (0.0,) * len(world.shape)
    groups = [
        _group(world, rate, change, templates[:n_templates], n_identities, rng)
        for (n_identities, n_templates), rate, change in zip(
            world.shape, world.truth, changes, strict=True
        )
    ]
    before, after, tested = (
        np.concatenate(parts).astype(np.float64) for parts in zip(*groups, strict=True)
    )
    labels = _labels(world.shape)
    return Sample(before, tested, *labels), Sample(after, tested, *labels)


def _group(
    world: World,
    rate: float,
    change: float,
    templates: NDArray[np.float64],
    n: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    identities = (
        _beta(np.full(n, rate), rate * (1 - rate) / world.identity**2 - 1, rng)
        if world.identity
        else rate
    )
    mean = np.clip(
        np.reshape(identities, (-1, 1)) + np.zeros((n, 1)) + _centred(templates),
        0.005,
        0.995,
    )
    prompt = _beta(mean, _SPREAD, rng)  # (identities, templates)
    later = np.clip(prompt + change + rng.normal(0.0, world.drift, (n, 1)), 0.0, 1.0)
    tested = rng.integers(world.tokens // 2, world.tokens + 1, size=prompt.shape)
    return (
        rng.binomial(tested, prompt).ravel(),
        rng.binomial(tested, later).ravel(),
        tested.ravel(),
    )


def _beta(
    mean: NDArray[np.float64], spread: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    return np.asarray(rng.beta(mean * spread, (1 - mean) * spread))


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values - values.mean())


def _labels(shape: Shape) -> list[NDArray[np.str_]]:
    """Prompt, group, cluster and template of every prompt."""
    rows = [
        (f"{g}-{i}-{t}", f"g{g}", f"g{g}i{i}", f"t{t}")
        for g, (n, m) in enumerate(shape)
        for i in range(n)
        for t in range(m)
    ]
    return [np.array(column) for column in zip(*rows, strict=True)]
