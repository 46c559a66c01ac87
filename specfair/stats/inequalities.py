"""Is a range no longer than a length, both unknown? The conditional chi-squared test of
moment inequalities (Cox and Shi 2023), for ranges of independent groups.

Why it works: the values are moved as little as possible, in standard errors, until none
lies outside an interval of the length allowed. How far they had to be moved, squared,
is a chi-squared with as many degrees of freedom as inequalities then hold exactly, and
that stays true given which ones they are. So nothing has to be simulated, and pairs far
from the bound cost no power. With one inequality the law is cut on one side where the
next one begins, which buys back what looking both ways cost.

Small samples: variances are estimated, so Welch's correction (Johansen 1980) turns the
chi-squared into F. Knows nothing of what the groups are, nor which length is asked for.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc, ndtr

from specfair.stats.tally import Array, Flags

_STEPS = 18  # of the search for the force, halving and secants in turn
_DOUBLINGS = 30  # of the greatest force, at most
_FEW = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Lengths:
    """The length that each question allows, itself a difference of two estimates whose
    errors go together with those of the values.
    """

    values: Array  # (questions,)
    # variance of the length through each group: (questions, groups); 0 where it is
    # given
    shares: Array
    # covariance of each group's value with the length, signed: (questions, groups)
    pulls: Array


@dataclass(frozen=True, slots=True, eq=False)
class _Moved:
    """Where the values must move to, and with what force."""

    low: Array  # (questions,): both ends of the interval
    high: Array
    force: Array  # (questions,): with which the interval is stretched
    unmoved: Array  # (questions, groups): the values, as far as the length pulls them


def p_values(x: Array, variances: Array, df: Array, lengths: Lengths) -> Array:
    """Of "the range of these groups is no longer than this", for each length; of the
    same groups in every question, or of groups of each its own: (questions, groups).
    """
    shape = len(lengths.values), x.shape[-1]
    x, variances, df = (np.broadcast_to(a, shape) for a in (x, variances, df))
    outside = np.ptp(x, axis=1) > lengths.values
    found = np.ones(len(outside))
    if not outside.any():
        return found
    some = Lengths(
        *(a[outside] for a in (lengths.values, lengths.shares, lengths.pulls))
    )
    x, variances, df = x[outside], variances[outside], df[outside]
    largest = np.maximum(variances.max(axis=1, keepdims=True), _FEW)
    variances = np.maximum(variances, _FEW * largest)
    found[outside] = _p_values(x, variances, df, some)
    return found


def _p_values(x: Array, variances: Array, df: Array, lengths: Lengths) -> Array:
    moved = _nearest(x, variances, lengths)
    at, low, high = moved.unmoved, moved.low[:, None], moved.high[:, None]
    held = np.where(at < low, low - at, np.minimum(high - at, 0.0)) / variances
    slack_free = lengths.shares.sum(axis=1)
    distance = (variances * held**2).sum(axis=1) + slack_free * moved.force**2
    distance += 2 * moved.force * (lengths.pulls * held).sum(axis=1)
    bottom, top = held > 0, held < 0
    rank = np.maximum(bottom.sum(axis=1) + top.sum(axis=1) - 1, 1)
    # no range is below zero: there the length itself must move
    short = np.minimum(lengths.values, 0.0) ** 2 / np.maximum(slack_free, 1e-300)
    rank = np.where(short > 0, x.shape[1], rank)
    distance = np.maximum(distance, short)
    scale, df_error = _welch(variances, df, lengths, (bottom, top), rank)
    p = fdtrc(rank, df_error, np.maximum(distance, 0.0) / scale)
    single = rank == 1
    if single.any():
        p[single] /= 2 * ndtr(_room(variances, lengths, moved, (bottom, top), single))
    return np.minimum(p, 1.0)


def _nearest(x: Array, variances: Array, lengths: Lengths) -> _Moved:
    """Values below the interval pull its lower end with the same force as those above
    pull the upper end, and as the length gives way to.
    """
    weights = 1 / variances
    stretch = lengths.shares.sum(axis=1)
    least = np.zeros(len(lengths.values))
    most = np.ptp(x, axis=1) * weights.sum(axis=1)

    def excess(force: Array) -> tuple[Array, _Moved]:
        moved = _pressed(x, weights, lengths, force)
        at, low, high = moved.unmoved, moved.low[:, None], moved.high[:, None]
        held = np.where(at < low, low - at, np.minimum(high - at, 0.0)) * weights
        allowed = lengths.values + stretch * force + (lengths.pulls * held).sum(axis=1)
        room = moved.high - moved.low
        return np.minimum(room - allowed, room), moved

    over, under = excess(least)[0], excess(most)[0]
    for _ in range(_DOUBLINGS):
        if (under <= 0).all():
            break
        # a length that goes along with the values gives way for long
        most = np.where(under > 0, 4 * most, most)
        under = excess(most)[0]
    for step in range(_STEPS):
        share = np.clip(over / np.maximum(over - under, 1e-300), 0.0, 1.0)
        force = least + (most - least) * (share if step % 2 else 0.5)
        found = excess(force)[0]
        up = found > 0
        least, over = np.where(up, force, least), np.where(up, found, over)
        most, under = np.where(up, most, force), np.where(up, under, found)
    share = np.clip(over / np.maximum(over - under, 1e-300), 0.0, 1.0)
    return excess(least + (most - least) * share)[1]


def _pressed(x: Array, weights: Array, lengths: Lengths, force: Array) -> _Moved:
    """Both ends where the values outside add up to this force: water poured on a
    sorted floor, from below and from above.
    """
    at = x + lengths.pulls * force[:, None]
    order = np.argsort(at, axis=1)
    sorted_at, sorted_weights = (
        np.take_along_axis(a, order, axis=1) for a in (at, weights)
    )
    pushes = sorted_weights * sorted_at
    sums, masses = pushes.cumsum(axis=1), sorted_weights.cumsum(axis=1)
    low = ((force[:, None] + sums) / masses).min(axis=1)
    above = masses[:, -1:] - masses + sorted_weights
    pushed = sums[:, -1:] - sums + pushes
    high = ((pushed - force[:, None]) / above).max(axis=1)
    return _Moved(low, high, force, at)


def _welch(
    variances: Array,
    df: Array,
    lengths: Lengths,
    ends: tuple[Flags, Flags],
    rank: Array,
) -> tuple[Array, Array]:
    """What the distance is divided by, and the degrees of freedom below the line: the
    less a group's variance is known and the more hangs on it, the fewer.
    """
    weights = 1 / variances
    bottom, top = (np.where(end, weights, 0.0) for end in ends)
    low, high = bottom.sum(axis=1)[:, None], top.sum(axis=1)[:, None]
    stretch = lengths.shares.sum(axis=1)[:, None]
    whole = np.maximum(stretch * low * high + low + high, 1e-300)
    leverage = (bottom * (stretch * high + 1) + top * (stretch * low + 1)) / whole
    hanging = np.where(ends[0] | ends[1], 1 - leverage, 0.0)
    hanging += (1 - (low + high) / whole) * lengths.shares / np.maximum(stretch, 1e-300)
    spent = np.maximum((hanging**2 / df).sum(axis=1), 1e-9)
    scale = rank + 2 * spent - 6 * spent / (rank + 2)
    return scale, rank * (rank + 2) / (3 * spent)


def _room(
    variances: Array,
    lengths: Lengths,
    moved: _Moved,
    ends: tuple[Flags, Flags],
    single: Flags,
) -> Array:
    """How far the next inequality is, in standard errors, from the one that holds."""
    pulls, stretch = lengths.pulls[single], lengths.shares[single].sum(axis=1)
    variances = variances[single]
    slope = ends[1][single].astype(np.float64) - ends[0][single]
    low, high = moved.low[single], moved.high[single]
    at = np.clip(moved.unmoved[single], low[:, None], high[:, None])
    shadow = variances * slope - pulls
    along = shadow[:, None, :] - shadow[:, :, None]  # [question, lower, upper group]
    along += (stretch - (pulls * slope).sum(axis=1))[:, None, None]
    own = (shadow * slope).sum(axis=1) + stretch - (pulls * slope).sum(axis=1)
    size = variances[:, :, None] + variances[:, None, :] + stretch[:, None, None]
    size = size + 2 * (pulls[:, :, None] - pulls[:, None, :])
    slack = (high - low)[:, None, None] - (at[:, None, :] - at[:, :, None])
    norm = np.sqrt(np.maximum(own, 0.0))[:, None, None]
    gap = norm * np.sqrt(np.maximum(size, 0.0)) - along
    same = np.eye(variances.shape[1], dtype=np.bool_) | (gap <= 1e-9 * norm**2)
    room = np.where(same, np.inf, norm * slack / np.where(same, 1.0, gap))
    return np.asarray(np.maximum(room.min(axis=(1, 2)), 0.0))
