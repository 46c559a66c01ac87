"""What a gap looks like when groups do not differ, and how much of a gap chance adds.

Knows the law of the range of normal errors, by integrals on a grid. Does not decide
anything: both numbers are printed beside the raw gap, decisions rest on intervals.
"""

from collections.abc import Callable

import numpy as np
from scipy.integrate import trapezoid
from scipy.special import ndtr

from specfair.stats.tally import Array

_POINTS = 401  # of the grid that integrals are taken on
_HALVINGS = 14  # of the search for a gap


def chance_gap(errors: Array, level: float) -> float:
    """The gap that groups with these standard errors and equal values show with this
    probability at most.
    """
    errors = errors[errors > 0]
    if len(errors) < 2:
        return 0.0
    low, high = 0.0, 12.0 * float(errors.max())
    within = _within(errors)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) < level else (low, middle)
    return (low + high) / 2


def _within(errors: Array) -> Callable[[float], float]:
    """The probability that all errors lie within a length of each other: that one is
    the lowest and the others no further up, summed over which one and where.
    """
    # dense where the smallest errors are
    at = np.sinh(np.linspace(-5.0, 5.0, _POINTS)) / np.sinh(5.0) * 6 * errors.max()
    below = ndtr(at[:, None] / errors)
    density = np.exp(-((at[:, None] / errors) ** 2) / 2) / errors / np.sqrt(2 * np.pi)

    def probability(length: float) -> float:
        room = np.maximum(ndtr((at[:, None] + length) / errors) - below, 1e-300)
        together = np.exp(np.log(room).sum(axis=1)) * (density / room).sum(axis=1)
        return float(trapezoid(together, at))

    return probability


def corrected_gap(values: Array, errors: Array) -> float:
    """The true gap that would on average show the observed one: groups drawn together
    until noise makes up the rest.
    """
    gap, centred = float(np.ptp(values)), values - values.mean()
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        enough = expected_gap(middle * centred, errors) > gap
        low, high = (low, middle) if enough else (middle, high)
    return low * gap


def expected_gap(values: Array, errors: Array) -> float:
    """The mean gap of values with normal errors: the highest less the lowest."""
    errors = np.maximum(errors, 1e-12 + 1e-6 * float(errors.max(initial=0.0)))
    reach = 6.0 * float(errors.max())
    at = np.linspace(values.min() - reach, values.max() + reach, _POINTS)
    below = ndtr((at[:, None] - values) / errors)
    none_or_all = below.prod(axis=1) + (1 - below).prod(axis=1)
    return float(trapezoid(1 - none_or_all, at))
