"""A threshold of confidence that moves within a prompt, as transformers moves it where
scikit-learn is installed.

Knows the rule and follows one outcome of the coins; the rule rests on all that was
tested before, so there is no expectation over outcomes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from specfair.decoding import Lookahead
from specfair.traces.counting import Path
from specfair.traces.trace import Trace

FEW = 5  # tested tokens that do not move the threshold yet
MISSED = 3.0  # what a good token not proposed costs, in bad ones proposed


def adapted(way: Path, trace: Trace, lookahead: Lookahead) -> NDArray[np.int64]:
    """How many tokens each round proposes at most, where one starts."""
    confidence, most = trace["proposal_draft_prob"].astype(float), way.most.copy()
    limits = way.offsets[:-1] + way.limits
    for begin, end, limit in zip(way.offsets, way.offsets[1:], limits, strict=False):
        here, threshold = begin + way.first, lookahead.threshold
        sure: list[float] = []
        good: list[bool] = []
        while here < end:
            room = max(min(lookahead.n, limit - here - 1), 0)
            doubtful = np.flatnonzero(confidence[here : here + room] < threshold)
            most[here] = doubtful[0] + 1 if len(doubtful) else room
            matched = int(min(way.runs[here], most[here]))
            rejected = int(matched < most[here])
            sure += confidence[here : here + matched + rejected].tolist()
            good += [True] * matched + [False] * rejected
            if len(sure) > FEW and len(set(good)) == 2:
                threshold = best_threshold(sure, good)
            here += matched + 1
    return most


def best_threshold(sure: Sequence[float], good: Sequence[bool]) -> float:
    """The point of the receiver's operating curve that costs least; the first, if many
    do.
    """
    values, labels = np.array(sure), np.array(good)
    thresholds = np.array([np.inf, *np.unique(values)[::-1]])
    passed = values >= thresholds[:, None]
    false = (passed & ~labels).sum(1) / (~labels).sum()
    true = (passed & labels).sum(1) / labels.sum()
    return float(thresholds[np.argmin(false + MISSED * (1 - true))])
