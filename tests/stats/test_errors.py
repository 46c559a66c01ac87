"""How errors of groups add up, whether they are independent or go together."""

from dataclasses import replace

import numpy as np
import pytest

from specfair.stats import Part
from specfair.stats.errors import Errors

PARTS = (Part("a", 30, 10, 0.04), Part("b", 60, 4, 0.09))
TWO = Errors(
    names=("a", "b"),
    values=np.array([[0.5], [0.8]]),
    weights=np.array([[0.25], [0.75]]),
    covariances=np.array([[[0.04]], [[0.09]]]),
    df=np.array([10.0, 20.0]),
    skews=np.array([0.3, 0.0]),
    parts=PARTS,
)
APART = np.array([[-1.0], [1.0]])
SHARED = np.array([[0.04, 0.05], [0.05, 0.09]]).reshape(2, 1, 2, 1)


def test_independent_variances_add() -> None:
    """Degrees of freedom are Welch and Satterthwaite's."""
    error, df = TWO.error(APART)
    assert error == pytest.approx(0.13**0.5)
    assert df == pytest.approx(0.13**2 / (0.04**2 / 10 + 0.09**2 / 20))


def test_what_groups_have_in_common_cancels() -> None:
    together = replace(TWO, joint=SHARED)
    assert together.error(APART)[0] == pytest.approx(0.03**0.5)
    assert np.array_equal(together.whole(), SHARED.reshape(2, 2))
    assert np.array_equal(TWO.whole(), np.diag([0.04, 0.09]))


def test_the_skew_of_one_group_is_its_own_and_of_a_sum_less() -> None:
    assert TWO.skew(np.array([[1.0], [0.0]])) == pytest.approx(0.3)
    third = 0.3 * 0.04**1.5
    assert TWO.skew(np.array([[1.0], [1.0]])) == pytest.approx(third / 0.13**1.5)


def test_logarithms_have_relative_errors() -> None:
    logs = replace(TWO, joint=SHARED).logs()
    assert logs.values[:, 0] == pytest.approx(np.log([0.5, 0.8]))
    assert logs.covariances[:, 0, 0] == pytest.approx([0.16, 0.09 / 0.64])
    assert logs.parts[0].variance == pytest.approx(0.16)
    assert logs.joint is not None
    assert logs.joint[0, 0, 1, 0] == pytest.approx(0.05 / 0.4)


def test_some_groups_keep_what_is_theirs() -> None:
    one = replace(TWO, joint=SHARED).of(np.array([1]))
    assert (one.names, one.parts, one.df.tolist()) == (("b",), PARTS[1:], [20.0])
    assert one.whole().tolist() == [[0.09]]
    assert TWO.firm.tolist() == [0]  # four clusters are too few
    assert TWO.parts_of(["b"]) == PARTS[1:]


def test_a_stage_is_one_of_the_two_ratios() -> None:
    both = replace(
        TWO,
        values=np.array([[0.5, 0.6], [0.8, 0.7]]),
        covariances=np.array([[[4.0, 1.0], [1.0, 5.0]], [[9.0, 2.0], [2.0, 8.0]]]),
    )
    after = both.stage(1)
    assert after.values.tolist() == [[0.6], [0.7]]
    assert after.covariances.tolist() == [[[5.0]], [[8.0]]]
