"""Made-up measurements whose truth is known: accepted and tested tokens of prompts in
clusters and templates.

Tokens of a prompt share its own rate (beta-binomial), prompts of an identity share the
identity's, and templates move the rate of every group, alike or by loadings of their
own. Identities are a sample, templates are given: the truth is the mean over identities
on these templates. Knows nothing of the tests it is used to check.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from specfair.stats import Sample

Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.int64]
# of each group: identities and templates, each identity with every template; or the
# number of prompts of each identity, as "43 9 8 7*2", without templates
Shape: TypeAlias = Sequence[tuple[int, int] | str]
_OUTLIER = 0.17  # by which one identity in ten is slower, where tails are "outlier"


@dataclass(frozen=True, slots=True)
class World:
    """What is true. `effects` are added to `base` group by group, `changes` to what
    comes after; one number for all groups, or one for each.
    """

    shape: Shape
    base: float = 0.8
    identity: float | tuple[float, ...] = 0.03  # standard deviation between identities
    tails: Literal["normal", "t", "exponential", "outlier"] = "normal"
    template: float = 0.05  # and between templates
    # of the templates' effect on each group, evenly spaced; 1 is alike
    loadings: tuple[float, float] = (1.0, 1.0)
    interaction: float = 0.0  # of template and group
    # between identities, of the change from before to after
    drift: float | tuple[float, ...] = 0.02
    # of prompts around their identity: Beta(p * alike, (1 - p) * alike), so that tokens
    # of a prompt correlate by 1 / (alike + 1)
    alike: float = 10.0
    tokens: int = 20  # tested tokens of a prompt, at most; at least half of it
    effects: tuple[float, ...] = ()
    changes: tuple[float, ...] = ()
    kept: float = 0.0  # share of the tokens whose coins are the same after
    noisier: float = 0.0  # prompts after scatter by this many tokens' worth; 0: not
    # whether one problem stands in every group, as in MGSM: templates are the clusters
    parallel: bool = False

    @property
    def truth(self) -> Floats:
        """The rate of each group, before."""
        return self.base + of_groups(self.effects or 0.0, len(self.shape))


def of_groups(value: float | tuple[float, ...], n: int) -> Floats:
    """One number for each group."""
    return np.array(value) if isinstance(value, tuple) else np.full(n, value)


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Where each prompt belongs."""

    group: Codes
    identity: Codes
    template: Codes  # -1 where there is none
    of_identity: Codes  # the group of each
    named: tuple[NDArray[np.str_], ...]


@cache
def labels_of(shape: tuple[tuple[int, int] | str, ...], *, parallel: bool) -> Labels:
    """The labels of a world, which are the same in every draw."""
    group: list[int] = []
    identity: list[int] = []
    template: list[int] = []
    of_identity: list[int] = []
    for g, each in enumerate(shape):
        sizes = [each[1]] * each[0] if isinstance(each, tuple) else _sizes(each)
        for size in sizes:
            group += [g] * size
            identity += [len(of_identity)] * size
            template += range(size) if isinstance(each, tuple) else [-1] * size
            of_identity.append(g)
    names = [f"g{g}" for g in group]
    clusters = [f"i{i}" for i in (template if parallel else identity)]
    templates = ["" if t < 0 or parallel else f"t{t}" for t in template]
    ids = [f"p{i}" for i in range(len(group))]
    named = tuple(np.array(x) for x in (ids, names, clusters, templates))
    return Labels(
        group=np.array(group),
        identity=np.array(identity),
        template=np.array(template),
        of_identity=np.array(of_identity),
        named=named,
    )


def _sizes(text: str) -> list[int]:
    found: list[int] = []
    for run in text.split():
        size, _, n = run.partition("*")
        found += [int(size)] * int(n or 1)
    return found


def draw(world: World, seed: int) -> tuple[Sample, Sample]:
    """One measurement before and one after, of the same prompts."""
    rng = np.random.default_rng(seed)
    labels = labels_of(tuple(world.shape), parallel=world.parallel)
    mean = _means(world, labels, rng)
    rate = rng.beta(mean * world.alike, (1 - mean) * world.alike)
    n = len(world.shape)
    drift = of_groups(world.drift, n)[labels.of_identity]
    drift = (drift * rng.standard_normal(len(drift)))[labels.identity]
    # near 0 and 1 rates move less, so that their mean stays
    drift *= np.minimum(np.minimum(rate, 1 - rate) / (1 - world.base) / world.base, 1)
    later = rate + drift + of_groups(world.changes or 0.0, n)[labels.group]
    later = np.clip(later, 0.0, 1.0)
    if world.noisier:
        later = np.clip(later, 0.001, 0.999)
        later = rng.beta(later * world.noisier, (1 - later) * world.noisier)
    tested = rng.integers(world.tokens // 2, world.tokens + 1, size=len(rate))
    before = rng.binomial(tested, rate)
    same = np.rint(world.kept * tested).astype(np.int64)
    after = rng.binomial(tested - same, later)
    if world.kept:
        after = after + rng.hypergeometric(before, tested - before, same)
    first, second, count = (x.astype(np.float64) for x in (before, after, tested))
    known: dict[str, object] = {}
    return (
        Sample(first, count, *labels.named, known=known),
        Sample(second, count, *labels.named, known=known),
    )


def _means(world: World, labels: Labels, rng: np.random.Generator) -> Floats:
    """The rate that each prompt's own scatters around."""
    n = len(world.shape)
    spread = of_groups(world.identity, n)[labels.of_identity]
    rate = world.truth[labels.of_identity]
    mean = _identities(world.tails, rate, spread, rng)[labels.identity]
    if labels.template.max(initial=-1) < 0:
        return np.asarray(np.clip(mean, 0.005, 0.995))
    templates = world.template * rng.normal(0.0, 1.0, int(labels.template.max()) + 1)
    loads = np.linspace(*world.loadings, n)[:, None] * templates
    if world.interaction:
        loads = loads + rng.normal(0.0, world.interaction, loads.shape)
    moves = np.where(labels.template >= 0, loads[labels.group, labels.template], 0.0)
    # templates are given: what they do to a group on the whole is no part of its truth
    sums = np.bincount(labels.group, moves) / np.bincount(labels.group)
    mean = mean + moves
    if not world.parallel:  # problems are a sample
        mean = mean - sums[labels.group]
    return np.asarray(np.clip(mean, 0.005, 0.995))


def _identities(
    tails: str, rate: Floats, spread: Floats, rng: np.random.Generator
) -> Floats:
    """Each identity's own rate, of this mean and standard deviation."""
    n = len(rate)
    if tails == "t":
        return np.asarray(rate + spread * rng.standard_t(3, n) / np.sqrt(3))
    if tails == "exponential":
        return np.asarray(rate + spread * (1 - rng.exponential(size=n)))
    if tails == "outlier":
        slow = rng.random(n) < 0.1
        return np.asarray(rate - _OUTLIER * (slow - 0.1))
    some = spread > 0
    known = np.where(some, rate * (1 - rate) / np.maximum(spread, 1e-9) ** 2 - 1, 1.0)
    return np.where(some, rng.beta(rate * known, (1 - rate) * known), rate)
