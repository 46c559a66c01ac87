"""Kinds of gate, and bounds that say which side of them is right."""

import pytest

from specfair.errors import UsageError
from specfair.gates.kinds import KINDS, OWN, Bound
from specfair.vocabulary import METRICS


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_side_and_a_metric_that_is_known(kind: str) -> None:
    found = KINDS[kind]
    assert found.comparison in ("<=", ">=")
    assert found.metric in (*METRICS, "speedup_measured", "target_calls", "")
    assert (found.metric == "") == (kind in OWN)
    assert found.min_effect >= 0


def test_the_minimum_effect_lies_on_the_wrong_side() -> None:
    gap, ratio = Bound("gap", 0.1, min_effect=0.02), Bound.at_least(0.8, min_effect=0.1)
    assert (gap.sign, ratio.sign) == (1.0, -1.0)
    assert (gap.limit, ratio.limit) == pytest.approx((0.12, 0.7))
    assert Bound.at_most(0.1).limit == 0.1


def test_a_bound_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(UsageError, match="Did you mean 'gap'"):
        Bound("gpa", 0.1)
    for value, effect in ((float("nan"), 0.0), (0.1, -0.1), (0.1, float("inf"))):
        with pytest.raises(UsageError, match="both are finite numbers"):
            Bound("gap", value, min_effect=effect)
