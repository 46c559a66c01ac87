"""Ways of counting differ where they say they do; what cannot be counted is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from specfair.decoding import Lookahead
from specfair.errors import UsageError
from specfair.traces.counting import AS_DEPLOYED, CANONICAL, path
from tests.made_traces import DECODING, EOS, trace_of

TEXTS = [[1, 2, EOS], [1, 2, 3], []]
PROPOSALS = [[1, EOS, EOS], [1, 1, 3], []]


def test_only_a_text_that_ended_leaves_room_for_drafts_beyond_it() -> None:
    trace = trace_of(TEXTS, PROPOSALS, decoding=DECODING)
    canonical = path(trace, Lookahead(), CANONICAL, trace["accepted"])
    deployed = path(trace, Lookahead(), AS_DEPLOYED, trace["accepted"])
    assert canonical.limits.tolist() == [3, 3, 0]
    assert deployed.limits.tolist() == [DECODING.max_new_tokens, 3, 0]
    assert not canonical.stops.any()
    assert deployed.stops.tolist() == [False, True, True, False, False, False]


def test_ignoring_eos_nothing_ends_with_it() -> None:
    decoding = replace(DECODING, ignore_eos=True)
    trace = trace_of(TEXTS, PROPOSALS, decoding=decoding)
    found = path(trace, Lookahead(), AS_DEPLOYED, trace["accepted"])
    assert np.array_equal(found.limits, trace.lengths)
    assert not found.stops.any()


@pytest.mark.parametrize("change", [{"ends": "draft"}, {"carried": True}])
def test_no_expectation_over_what_only_realised_proposals_show(
    change: dict[str, Any],
) -> None:
    with pytest.raises(UsageError, match="counting 'mine' takes expectations"):
        replace(CANONICAL, name="mine", **change)
