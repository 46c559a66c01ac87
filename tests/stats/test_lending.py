"""Two components of variance, and what is made of them at other cluster sizes."""

import numpy as np
import pytest

from specfair.stats.lending import BORROWED, Components, components_of, prior_df
from specfair.stats.units import counts_of, layout_of, own_errors
from tests.stats.made import made


def test_what_is_lent_is_at_ones_own_sizes() -> None:
    """Clusters of 10 and 30 tokens: identities weigh by their squares, prompts by their
    number.
    """
    rows = [(1, n, "a", c) for n, c in ((4, "x"), (6, "x"), (10, "y"), (20, "y"))]
    sample = made(*rows)
    both = Components(np.array([[0.04]]), np.array([[0.5]]))
    lent = both.lent(layout_of(sample), counts_of(sample))
    assert lent[0, 0, 0] == pytest.approx(0.04 * (10**2 + 30**2) / 40**2 + 0.5 / 40)


def test_prompts_of_one_rate_have_nothing_within_and_all_between() -> None:
    rates = (0.2, 0.4, 0.6, 0.8)
    rows = [(10 * r, 10, "a", f"{r}") for r in rates for _ in range(3)]
    sample = made(*rows)
    found = components_of(layout_of(sample), counts_of(sample))
    assert found.within[0, 0] == pytest.approx(0, abs=1e-12)
    assert found.between[0, 0] == pytest.approx(np.var(rates, ddof=1), rel=0.2)


def test_identities_that_differ_by_noise_alone_differ_by_nothing() -> None:
    """Every identity has the same two prompts, which differ."""
    sample = made(*[(n, 10, "a", c) for c in "uvwxyz" for n in (2, 8)])
    found = components_of(layout_of(sample), counts_of(sample))
    assert found.between[0, 0] == pytest.approx(0, abs=1e-12)
    assert found.within[0, 0] > 0


def test_one_lender_says_nothing_of_how_groups_differ() -> None:
    sample = made(*[(n, 10, "a", f"{n}") for n in (2, 5, 8)])
    own = own_errors(layout_of(sample), counts_of(sample))
    assert prior_df(own, own.covariance, np.array([True])) == BORROWED
