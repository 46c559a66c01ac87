"""A measured trace answers for every metric, once drawn, under every lookahead, by replay or live."""

import numpy as np
import pytest

from specfair import speculate
from specfair.audit import Audit
from specfair.measured import Measured, live_engine
from specfair.pairs import Pair
from specfair.prompts import Prompt
from specfair.replay import Lookahead
from specfair.trace import Decoding


def test_groups_are_drawn_once(measured: Audit) -> None:
    base = measured.base
    assert base.groups("alpha") is base.alpha
    assert base.groups("acceptance_rate") is base.groups("acceptance_rate", base.lookahead)
    assert base.groups("acceptance_rate", Lookahead(1)) is not base.groups("acceptance_rate")
    assert base.sample("alpha") is base.alpha.sample


def test_a_misspelt_metric_is_named(measured: Audit) -> None:
    with pytest.raises(AttributeError, match="Did you mean 'kl'"):
        _ = measured.base.kll


def test_live_decoding_answers_like_the_replay_when_greedy(measured: Audit) -> None:
    base = measured.base
    live = Measured(base.trace, base.lookahead, live_engine(lambda: measured.pair))
    for metric in ("acceptance_rate", "mean_acceptance_length"):
        assert np.array_equal(live.sample(metric).numerator, base.sample(metric).numerator)
        assert np.array_equal(live.sample(metric).denominator, base.sample(metric).denominator)


def test_live_decoding_runs_once_for_each_lookahead(measured: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Lookahead] = []
    count = speculate.count

    def watched(pair: Pair, prompts: tuple[Prompt, ...], decoding: Decoding, lookahead: Lookahead) -> object:
        runs.append(lookahead)
        return count(pair, prompts, decoding, lookahead)

    monkeypatch.setattr(speculate, "count", watched)
    live = Measured(measured.base.trace, Lookahead(3), live_engine(lambda: measured.pair))
    for metric in ("acceptance_rate", "mean_acceptance_length", "assisted_share"):
        _ = live.sample(metric), live.groups(metric, Lookahead(1))
    assert sorted(map(str, runs)) == ["constant-1", "constant-3"]
