"""What prompts would show that nobody has measured yet: how small a difference, fall or
widening each gate's own test finds in 8 of 10 measurements.

Measurements are made up from the prompts' labels and from components of variance, and
analysed as real ones are. A group is then moved until its test fails: each made-up
measurement has its own smallest move, and 8 of 10 find what 8 of 10 of these do not
exceed. Knows no formula of its own but the law of a group of equal identities, nor
where variances and bounds come from.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr

from specfair.stats.assumed import Assumed
from specfair.stats.between import compared, pairs_of
from specfair.stats.errors import CHANGE, Errors
from specfair.stats.estimate import EXPLORATORY, LEVEL, Estimate, Z
from specfair.stats.families import holm
from specfair.stats.groups import gather
from specfair.stats.inequalities import Lengths, p_values
from specfair.stats.lending import BORROWED
from specfair.stats.power import POWER
from specfair.stats.tally import Array, Flags, Sample, sums_by
from specfair.stats.units import layout_of
from specfair.stats.widening import FEW, questions, spread_of, widening_of

DRAWS = 200  # measurements made up
_FEWER = 80  # of them, for a test that costs as many times as there are pairs
MOST = 0.5  # the largest move that is tried
_STEPS = 9  # of the search for the smallest
_TAIL = (1 - LEVEL) / 2
_ROUNDS = 3  # of the search for a set


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Made-up measurements of a set of prompts, as the analysis sees them."""

    rate: float
    between: tuple[Errors, ...]  # as groups are compared
    alone: tuple[Errors, ...]  # as each is looked at by itself

    @property
    def errors(self) -> Array:
        """The standard error to be expected of each group's rate."""
        found = [e.covariances[:, 0, 0] for e in self.alone]
        return np.asarray(np.sqrt(np.mean(found, axis=0)))


def planned(sample: Sample, given: Assumed, *, seed: int = 0) -> Plan:
    """Measurements of prompts with these labels, in which groups do not differ and
    nothing changes.
    """
    rng = np.random.default_rng(seed)
    layout, n = layout_of(sample), len(sample)
    size = np.full(n, given.tokens)
    parts = given.components
    roots = [_root(m) for m in (parts.between, parts.within, given.templates)]
    shares = np.bincount(layout.group)[:, None]
    between, alone = [], []
    for _ in range(DRAWS):
        own = rng.standard_normal((len(layout.of_cell), 2)) @ roots[0].T
        common = rng.standard_normal((int(layout.template.max()) + 1, 2)) @ roots[2].T
        common = common[layout.template]
        # templates are given: what they do to a group on the whole is no error
        common -= (sums_by(layout.group, common) / shares)[layout.group]
        rates = given.rate + own[layout.cell] + common
        scatter = np.sqrt(given.tokens) * rng.standard_normal((n, 2)) @ roots[1].T
        counts = rates * given.tokens + scatter
        samples = [sample.with_counts(column, size) for column in counts.T]
        evidence = gather(*samples)
        errors = compared(evidence)
        assert not isinstance(errors, Estimate)
        assert evidence.alone is not None
        between.append(errors)
        alone.append(evidence.alone)
    return Plan(given.rate, tuple(between), tuple(alone))


def _root(covariance: Array) -> Array:
    """A square root, also where something does not vary."""
    values, axes = np.linalg.eigh(covariance)
    return np.asarray(axes * np.sqrt(np.maximum(values, 0.0)))


# values, and p-values of "no further than the bound", of every measurement
Tested = tuple[Array, Array]
Test = Callable[[Sequence[Errors], float], Tested]


def _gap(many: Sequence[Errors], bound: float) -> Tested:
    x = _stacked(many, "values")[:, :, 0]
    values, k = np.ptp(x, axis=1), len(x)
    if many[0].joint is not None:
        first, second = np.triu_indices(x.shape[1], 1)
        reach = np.array([pairs_of(e).corrected(Z[20:21])[0] for e in many])
        surely = (np.abs(x[:, second] - x[:, first]) - reach).max(axis=1) > bound
        return values, np.where(surely, 0.0, 1.0)
    nothing = np.zeros(x.shape)
    asked = Lengths(np.full(k, bound), nothing, nothing)
    variances = _stacked(many, "covariances")[:, :, 0, 0]
    return values, p_values(x, variances, _stacked(many, "df"), asked)


def _ratio(many: Sequence[Errors], bound: float) -> Tested:
    values, p = _gap([e.stage(0).logs() for e in many], float(-np.log(bound)))
    return np.exp(-values), p


def _widening(many: Sequence[Errors], bound: float) -> Tested:
    values = np.diff(np.ptp(_stacked(many, "values"), axis=1), axis=1)[:, 0]
    if many[0].joint is not None or len(many[0].names) > FEW:
        found = [widening_of(e).tails(bound)[0] for e in many]
        return values, np.array(found)
    asked = [questions(e, np.array([bound])) for e in many]
    n = np.array([len(a.values) for a in asked])  # more where values are tied
    every = Lengths(
        *(
            np.concatenate([getattr(a, name) for a in asked])
            for name in ("values", "shares", "pulls")
        )
    )
    after = np.repeat(_stacked(many, "values")[:, :, 1], n, axis=0)
    variances = np.repeat(_stacked(many, "covariances")[:, :, 1, 1], n, axis=0)
    df = np.repeat(_stacked(many, "df"), n, axis=0)
    p = p_values(after, variances, df, every)
    return values, np.maximum.reduceat(p, np.cumsum(n) - n)


def _spread(many: Sequence[Errors], bound: float) -> Tested:
    found = [spread_of(e) for e in many]
    p = [e.tails(bound)[0] for e in found]
    return np.array([e.value for e in found]), np.array(p)


def _stacked(many: Sequence[Errors], name: str) -> Array:
    return np.stack([getattr(e, name) for e in many])


# what is compared between groups: the test, and whether values below are wrong
TESTS: Mapping[str, tuple[Test, bool]] = {
    "gap": (_gap, False),
    "ratio": (_ratio, True),
    "widening": (_widening, False),
    "spread": (_spread, False),
}
PLANNED = (*TESTS, "gain")


def smallest(
    plan: Plan, kind: str, group: int, *, bound: float = 0.0, limit: float = 0.0
) -> float:
    """How far one group must lie behind all others, or fall behind what it was, for the
    gate to fail in 8 of 10 cases: evidence beyond the bound, a value beyond the limit,
    and both without exploratory groups. NaN if it never does.
    """
    many = plan.alone if kind == "gain" else plan.between
    if kind == "widening":
        many = many[:_FEWER]
    stage = 0 if kind in ("gap", "ratio") else 1
    low, high = np.zeros(len(many)), np.full(len(many), min(MOST, 0.95 * plan.rate))
    most = high[0]
    for _ in range(_STEPS):
        middle = (low + high) / 2
        tried = [
            _moved(e, (group, stage), by, rate=plan.rate)
            for e, by in zip(many, middle.tolist(), strict=True)
        ]
        if kind == "gain":
            fails = _falls(tried, group, bound, limit)
        else:
            fails = _fails(tried, kind, bound, limit)
        low, high = np.where(fails, low, middle), np.where(fails, middle, high)
    found = float(np.quantile(high, POWER, method="higher"))
    return found if found < most else np.nan


def _moved(errors: Errors, at: tuple[int, int], by: float, *, rate: float) -> Errors:
    """One group's ratio moved down from the common rate, with the error of coins that
    fall so: the nearer to a half the more.
    """
    lower = rate - by
    wider = np.sqrt(lower * (1 - lower) / (rate * (1 - rate)))
    scale = np.ones(errors.values.shape)
    scale[at] = wider
    values = errors.values.copy()
    values[at] = lower + (values[at] - rate) * wider
    joint = errors.joint
    if joint is not None:
        joint = joint * scale[:, :, None, None] * scale
    covariances = errors.covariances * scale[:, :, None] * scale[:, None, :]
    return replace(errors, values=values, covariances=covariances, joint=joint)


def _fails(many: Sequence[Errors], kind: str, bound: float, limit: float) -> Flags:
    test, below = TESTS[kind]
    firm = many[0].firm
    if len(firm) < 2:
        return np.zeros(len(many), dtype=np.bool_)
    failing = np.ones(len(many), dtype=np.bool_)
    families = [many]
    if len(firm) < len(many[0].names):
        families.append([e.of(firm) for e in many])
    for some in families:
        values, p = test(some, bound)
        beyond = values <= limit if below else values >= limit
        failing &= (p < _TAIL) & beyond
    return failing


def _falls(many: Sequence[Errors], group: int, bound: float, limit: float) -> Flags:
    """Whether this group's gain fails, Holm over all groups."""
    if many[0].parts[group].exploratory:
        return np.zeros(len(many), dtype=np.bool_)
    gains = _stacked(many, "values") @ CHANGE
    covariances = _stacked(many, "covariances")
    errors = np.sqrt(np.einsum("r,kgrs,s->kg", CHANGE, covariances, CHANGE))
    p = 2 * stdtr(_stacked(many, "df"), -np.abs(gains - bound) / errors)
    sure = np.array([holm(row)[group] for row in p.tolist()]) < 1 - LEVEL
    return np.asarray(sure & (gains[:, group] < bound) & (gains[:, group] <= limit))


def identities_needed(
    given: Assumed, kind: str, *, groups: int, prompts: int, wanted: float
) -> int:
    """How many identities of so many prompts each group needs so that one group so far
    behind, or fallen so far, is found: at least as many as a failure may rest on. 0 if
    nobody can be so far behind.
    """
    k = 2 * EXPLORATORY
    for _ in range(_ROUNDS):
        found = smallest(_equal(given, groups, k, prompts), kind, 0)
        if np.isnan(found):
            return 0
        k = max(int(np.ceil(k * (found / wanted) ** 2)), EXPLORATORY)
    return k


def _equal(given: Assumed, groups: int, k: int, prompts: int) -> Plan:
    """Measurements of equal groups of equal identities, whose errors need no labels."""
    rng = np.random.default_rng(0)
    parts = given.components
    covariance = (parts.between + parts.within / (prompts * given.tokens)) / k
    root, df = _root(covariance), np.full(groups, k - 1 + BORROWED)
    ones, names = np.ones(groups * k), np.arange(groups * k).astype(np.str_)
    of_group = np.repeat(np.arange(groups), k).astype(np.str_)
    sample = Sample(
        numerator=ones,
        denominator=ones,
        prompt=names,
        group=of_group,
        cluster=names,
        template=np.full(groups * k, ""),
    )
    like = gather(sample, sample).alone
    assert like is not None
    many = []
    for _ in range(DRAWS):
        known = rng.chisquare(df) / df
        made = replace(
            like,
            values=given.rate + rng.standard_normal((groups, 2)) @ root.T,
            covariances=known[:, None, None] * covariance,
            df=df,
        )
        many.append(made)
    return Plan(given.rate, tuple(many), tuple(many))
