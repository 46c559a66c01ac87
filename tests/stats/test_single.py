"""Groups one by one, and two samples lined up by prompt."""

import math

import numpy as np
import pytest

from specfair import stats
from specfair.errors import DataError
from specfair.stats.single import align
from tests.stats.made import made

ROWS = [(n, 10, g, f"{g}{n}") for g in "ab" for n in (3, 5, 7, 8)]
BEFORE = made(*ROWS)
AFTER = BEFORE.with_counts(BEFORE.numerator + 1, BEFORE.denominator)


def test_a_change_is_of_the_same_prompts_in_whatever_order() -> None:
    mixed = AFTER[np.array([5, 3, 1, 0, 2, 4, 7, 6])]
    assert align(BEFORE, mixed)[1].prompt.tolist() == BEFORE.prompt.tolist()
    assert stats.change(BEFORE, mixed) == stats.change(BEFORE, AFTER)
    found = stats.changes(BEFORE, AFTER)
    assert [e.value for e in found.values()] == pytest.approx([0.1, 0.1])
    with pytest.raises(DataError, match="after has 7, of which 7 are"):
        align(BEFORE, mixed[:7])


def test_a_group_that_cannot_be_measured_spoils_no_other() -> None:
    broken = made(*ROWS, (math.nan, 10, "c", "c1"), (0, 0, "d", "d1"))
    found, whole = stats.by_group(broken), stats.by_group(BEFORE)
    assert [found[g] for g in "ab"] == [whole[g] for g in "ab"]
    assert "not finite" in found["c"].method
    assert found["d"].nothing
    assert not stats.estimate(broken).valid


def test_pooled_is_the_ratio_of_sums() -> None:
    found = stats.estimate(BEFORE)
    assert found.value == pytest.approx(46 / 80)
    assert found.groups == ("a", "b")
    assert found.low < found.value < found.high
