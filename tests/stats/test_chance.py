"""What chance makes of a gap, where it can be written down."""

import numpy as np
import pytest
from scipy.stats import norm

from specfair.stats.chance import chance_gap, corrected_gap, expected_gap


def test_two_groups_are_one_difference() -> None:
    """The range of two is the size of a normal difference."""
    errors = np.array([0.03, 0.04])
    assert chance_gap(errors, 0.95) == pytest.approx(0.05 * norm.isf(0.025), rel=2e-3)
    folded = 0.05 * np.sqrt(2 / np.pi)
    assert expected_gap(np.array([0.5, 0.5]), errors) == pytest.approx(folded, rel=2e-3)


def test_one_group_has_no_gap_by_chance() -> None:
    assert chance_gap(np.array([0.03, 0.0]), 0.95) == 0.0


def test_a_gap_is_corrected_for_its_noise() -> None:
    values = np.array([0.2, 0.5, 0.6])
    sure = corrected_gap(values, np.full(3, 1e-4))
    unsure = corrected_gap(values, np.full(3, 0.1))
    assert sure == pytest.approx(0.4, abs=1e-3)
    assert 0 < unsure < 0.4
    assert corrected_gap(values, np.full(3, 1.0)) == 0.0  # noise alone makes more
