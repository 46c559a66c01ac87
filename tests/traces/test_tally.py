"""Tallies add up, and a rate is a ratio of sums: exact properties."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from specfair.traces.tally import RATES, Tally

counts = st.lists(st.tuples(*[st.integers(0, 50)] * 5), min_size=1, max_size=8)


def tally(rows: list[tuple[int, ...]]) -> Tally:
    return Tally(*np.array(rows, dtype=float).T)


@given(counts, counts)
def test_tallies_add_up_and_the_ratio_comes_last(
    a: list[tuple[int, ...]], b: list[tuple[int, ...]]
) -> None:
    whole, parts = tally(a + b).total(), tally(a).total() + tally(b).total()
    for name, (over, under) in RATES.items():
        assert float(getattr(whole, under)) == float(getattr(parts, under))
        assert np.array_equal(whole.rate(name), parts.rate(name), equal_nan=True)
        assert math.isnan(whole.rate(name)) == (getattr(whole, under) == 0), over


def test_a_tally_is_indexed_like_its_columns() -> None:
    some = tally([(5, 1, 5, 4, 3), (6, 2, 5, 5, 4)])
    assert len(some) == 2
    assert some[np.array([False, True])].n_new_tokens.tolist() == [6]
    assert some.rate("mean_acceptance_length").tolist() == [5, 3]
