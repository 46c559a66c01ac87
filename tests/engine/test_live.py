"""Live decoding counts in place of the replay: the same where it is greedy, and once
for each lookahead.
"""

import numpy as np
import pytest

from specfair.audit.audit import Audit
from specfair.decoding import Decoding, Lookahead
from specfair.engine import speculate
from specfair.engine.live import live_engine
from specfair.models.pair import Pair
from specfair.texts.prompts import Prompt
from specfair.traces.measured import Measured


def test_live_decoding_answers_like_the_replay_when_greedy(measured: Audit) -> None:
    base = measured.base
    live = Measured(base.trace, base.lookahead, live_engine(lambda: measured.pair))
    for metric in ("acceptance_rate", "mean_acceptance_length"):
        assert np.array_equal(
            live.sample(metric).numerator, base.sample(metric).numerator
        )
        assert np.array_equal(
            live.sample(metric).denominator, base.sample(metric).denominator
        )


def test_live_decoding_runs_once_for_each_lookahead(
    measured: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Lookahead] = []
    count = speculate.count

    def watched(
        pair: Pair,
        prompts: tuple[Prompt, ...],
        decoding: Decoding,
        lookahead: Lookahead,
    ) -> object:
        runs.append(lookahead)
        return count(pair, prompts, decoding, lookahead)

    monkeypatch.setattr(speculate, "count", watched)
    live = Measured(
        measured.base.trace, Lookahead(3), live_engine(lambda: measured.pair)
    )
    for metric in ("acceptance_rate", "mean_acceptance_length", "assisted_share"):
        _ = live.sample(metric), live.groups(metric, Lookahead(1))
    assert sorted(map(str, runs)) == ["constant-1", "constant-3"]
