"""The moving threshold against the library that transformers asks for it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specfair.traces.adaptive import best_threshold

tested = st.tuples(
    st.sampled_from([0.1, 0.25, 0.4, 0.4000001, 0.9, 1.0]), st.booleans()
)


@given(
    st.lists(tested, min_size=6, max_size=40).filter(
        lambda t: len({g for _, g in t}) == 2
    )
)
def test_the_threshold_is_the_one_of_scikit_learns_curve(
    drawn: list[tuple[float, bool]],
) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="transformers' own choice")
    sure, good = zip(*drawn, strict=True)
    false, true, thresholds = metrics.roc_curve([int(g) for g in good], sure)
    expected = thresholds[np.argmin(false + 3 * (1 - true))]
    assert best_threshold(sure, good) == expected
