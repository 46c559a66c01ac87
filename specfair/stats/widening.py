"""Whether groups have drifted apart, on the same prompts: the gap between the outermost
(`widening`), and how far they lie from each other on the whole (`spread`).

Both gaps are maxima of noisy differences, so their difference is biased whenever the
noise has changed. What holds: the gap has widened by more than w if all groups after
cannot fit into any pair's distance before, plus w. That is tested for every pair before
and counts only if all reject it (an intersection-union test: the pair that was truly
widest is one of them). The upper limit is the same question asked backwards, and asked
of each pair's own growth as well, which decides where hardly anything has changed.

The lower limit is held to 5% by itself, not to 2.5%: all pairs before agree by mistake
hardly ever, and never in more than 5%. Does not know bounds.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import numpy as np
from scipy.special import ndtr, ndtri, stdtr

from specfair.stats.between import compared, gap_of, inverted
from specfair.stats.errors import CHANGE, EXACT, Errors
from specfair.stats.estimate import (
    BELOW,
    Estimate,
    Z,
    from_curve,
    from_t,
    t_at,
)
from specfair.stats.groups import gather
from specfair.stats.inequalities import Lengths, p_values
from specfair.stats.single import align
from specfair.stats.tally import Array, Codes, Sample

FEW = 16  # groups, up to which every pair before is tested
# of the upper limit's error, spent on the growth of one pair by itself
OWN_GROWTH = 0.75
_LENGTHS = 18  # at which limits are looked for, in each of two rounds
_REACH = 6.0  # standard errors that limits may lie from the value


def widening(before: Sample, after: Sample) -> Estimate:
    """The gap after minus the gap before; groups are those furthest apart after, lowest
    first.
    """
    return _asked(before, after, widening_of)


def _asked(before: Sample, after: Sample, of: Callable[[Errors], Estimate]) -> Estimate:
    """Of all groups, and of those that are not exploratory where some are."""
    errors = compared(gather(*align(before, after)))
    if isinstance(errors, Estimate):
        return errors
    found, firm = of(errors), errors.firm
    if 1 < len(firm) < len(errors.names):
        found = replace(found, firm=of(errors.of(firm)))
    return found


def widening_of(errors: Errors) -> Estimate:
    """The widening of these groups."""
    now = errors.values[:, 1]
    value = float(np.ptp(now) - np.ptp(errors.values[:, 0]))
    if len(now) > FEW or errors.scope == "set":
        low, high = _apart(errors)
    elif errors.joint is not None:
        low, high = _together(errors)
    else:
        low = _lower(errors, value, share=0.0, sides=1)
        high = -_lower(_backwards(errors), -value, share=OWN_GROWTH, sides=2)[::-1]
    curve = np.concatenate([low, [value], high])
    named = errors.names[now.argmin()], errors.names[now.argmax()]
    found = from_curve(value, np.maximum.accumulate(curve), errors.parts, groups=named)
    return replace(found, scope=errors.scope)


def _backwards(errors: Errors) -> Errors:
    """After first, before second."""
    return replace(
        errors,
        values=errors.values[:, ::-1],
        covariances=errors.covariances[:, ::-1, ::-1],
    )


def _lower(errors: Errors, value: float, *, share: float, sides: int) -> Array:
    """Lower limits of the widening at all deviates below zero: first roughly, then
    where it matters. With one side all of the error is spent below.
    """
    spread = errors.covariances.trace(axis1=1, axis2=2).max()
    reach = _REACH * np.sqrt(2 * max(float(spread), 1e-30))
    grid = np.linspace(value - reach, value, _LENGTHS)
    p = _no_wider(errors, grid, share)
    first = int(np.searchsorted(np.maximum.accumulate(p), 1e-3))
    last = int(np.searchsorted(np.maximum.accumulate(p), 0.4))
    ends = grid[max(first - 1, 0)], grid[min(last, _LENGTHS - 1)]
    finer = np.linspace(*ends, _LENGTHS)
    both = np.concatenate([grid, finer])
    order = np.argsort(both, kind="stable")
    p = np.concatenate([p, _no_wider(errors, finer, share)])
    p = p[order] * sides / 2
    return np.minimum(inverted(p, both[order]), value)


def _no_wider(errors: Errors, grid: Array, share: float) -> Array:
    """P-values of "wider by no more than this", the worst over the pair that was truly
    widest before. `share` of the error is spent on the pair's own growth, which alone
    decides where hardly anything has changed.
    """
    after, asked = errors.values[:, 1], questions(errors, grid)
    p = p_values(after, errors.covariances[:, 1, 1], errors.df, asked)
    p = p.reshape(-1, len(grid))
    if share:
        own = _own(errors, _ordered(errors.values[:, 0]), grid)
        p = np.minimum(p / (1 - share), own / share)
    return np.asarray(np.minimum(p.max(axis=0), 1.0))


def _ordered(before: Array) -> tuple[Codes, Codes]:
    """All pairs, the lower of both first."""
    pairs = permutations(range(len(before)), 2)
    first, second = np.array([p for p in pairs if before[p[1]] >= before[p[0]]]).T
    return first, second


def questions(errors: Errors, grid: Array) -> Lengths:
    """What the groups after must fit into: every pair's distance before, plus each
    widening, pair by pair.
    """
    before = errors.values[:, 0]
    first, second = _ordered(before)
    rows = np.arange(len(first))
    shares, pulls = np.zeros((2, len(first), len(before)))
    known, common = errors.covariances[:, 0, 0], errors.covariances[:, 0, 1]
    shares[rows, first], shares[rows, second] = known[first], known[second]
    pulls[rows, first], pulls[rows, second] = -common[first], common[second]
    lengths = (before[second] - before[first])[:, None] + grid
    n = len(grid)
    return Lengths(
        lengths.ravel(), np.repeat(shares, n, axis=0), np.repeat(pulls, n, axis=0)
    )


def _own(errors: Errors, pairs: tuple[Codes, Codes], grid: Array) -> Array:
    """P-values of "this pair has grown by no more than this", pair by pair."""
    first, second = pairs
    moved = errors.values @ CHANGE
    variance = np.einsum("r,grs,s->g", CHANGE, errors.covariances, CHANGE)
    both = np.maximum(variance[first] + variance[second], 1e-30)
    shares = variance**2 / errors.df
    df = both**2 / np.maximum(shares[first] + shares[second], 1e-300)
    beyond = (moved[second] - moved[first])[:, None] - grid
    t = beyond / np.sqrt(both)[:, None]
    return np.asarray(stdtr(np.clip(df, 1.0, EXACT)[:, None], -t))


def _together(errors: Errors) -> tuple[Array, Array]:
    """The same for groups whose errors go together: limits of all pairs at once
    (Bonferroni), before and after as they are correlated.
    """
    n, joint = len(errors.names), errors.joint
    assert joint is not None
    pairs = np.array(list(permutations(range(n), 2)))
    signs = np.zeros((len(pairs), n))
    rows = np.arange(len(pairs))
    signs[rows, pairs[:, 0]], signs[rows, pairs[:, 1]] = -1.0, 1.0
    of_stage = [[signs @ joint[:, i, :, j] @ signs.T for j in (0, 1)] for i in (0, 1)]
    before, after = signs @ errors.values[:, 0], signs @ errors.values[:, 1]
    variance = np.diag(of_stage[1][1])[:, None] + np.diag(of_stage[0][0])
    error = np.sqrt(np.maximum(variance - 2 * of_stage[1][0], 0.0))  # [after, before]
    apart = after[:, None] - before
    df = np.array([errors.df.min()])
    reach = t_at(ndtri(ndtr(BELOW) / len(pairs)), df)[:, :, None] * error
    low = (apart + reach).max(axis=1)[:, before >= 0].min(axis=1)
    high = (apart - reach).min(axis=2)[:, after >= 0].max(axis=1)
    return low, high[::-1]


def _apart(errors: Errors) -> tuple[Array, Array]:
    """The same where there are too many pairs of pairs: one gap's limit less the
    other's, each at half the error. It errs on the side of silence.
    """
    before, after = (gap_of(errors.stage(i)).curve for i in (0, 1))
    assert before is not None
    assert after is not None
    z = ndtri(ndtr(BELOW) / 2)
    low = np.interp(z, Z, after) - np.interp(-z, Z, before)
    high = np.interp(-z, Z, after) - np.interp(z, Z, before)
    return low, high[::-1]


def spread(before: Sample, after: Sample) -> Estimate:
    """How much further groups lie apart on the whole: their variance after less that
    before, without what noise adds to either.
    """
    return _asked(before, after, spread_of)


def spread_of(errors: Errors) -> Estimate:
    """A square form of all values, after's variance less before's, of which noise has
    its part. Its error follows from how steep the form is where the values lie, and
    from how well the noise is known.
    """
    n = len(errors.names)
    centring = (np.eye(n) - 1 / n) / (n - 1)
    signs = np.array([-1.0, 1.0])
    form = np.kron(centring, np.diag(signs))
    x, noise = errors.values.ravel(), form @ errors.whole()
    steep = (form @ x).reshape(n, 2)
    by_values, df = errors.error(2 * steep)
    by_noise = 2 * float((noise * noise.T).sum())
    own = errors.covariances * signs
    squares = np.einsum("gij,gji->g", own, own) * centring.diagonal() ** 2
    unknown = 2 * float((squares / errors.df).sum())
    variance = max(by_values**2 - by_noise, by_noise) + unknown
    value = round(float(x @ form @ x - np.trace(noise)), 15)  # of rounding alone, none
    error = float(np.sqrt(max(variance, 0.0)))
    found = from_t(value, error, df, parts=errors.parts, groups=errors.names)
    return replace(found, scope=errors.scope)
