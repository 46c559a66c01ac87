"""A measured trace answers for every metric, once drawn, under every lookahead, by
replay or live.
"""

from dataclasses import replace

import numpy as np
import pytest

from specfair.audit.audit import Audit
from specfair.decoding import Lookahead
from specfair.traces.causes import splits
from specfair.traces.measured import Measured
from specfair.traces.trace import concatenate
from tests.made_traces import noise


def test_groups_are_drawn_once(measured: Audit) -> None:
    base = measured.base
    assert base.groups("alpha") is base.alpha
    assert base.groups("acceptance_rate") is base.groups(
        "acceptance_rate", base.lookahead
    )
    assert base.groups("acceptance_rate", Lookahead(1)) is not base.groups(
        "acceptance_rate"
    )
    assert base.sample("alpha") is base.alpha.sample


def test_a_misspelt_metric_is_named(measured: Audit) -> None:
    with pytest.raises(AttributeError, match="Did you mean 'kl'"):
        _ = measured.base.kll


@pytest.mark.parametrize("scope", ["identities", "prompts"])
def test_texts_of_a_prompt_are_one_observation(scope: str) -> None:
    """Four texts each: counts are summed by prompt, so that prompts and clusters stay
    what they are. A text said four times is no more evidence than once.
    """
    one, others = noise(seed=0), [noise(seed=k) for k in (1, 2, 3)]
    nth = [
        tuple(replace(p, nth=k) for p in trace.prompts)
        for k, trace in enumerate([one, *others])
    ]
    four, same = (
        concatenate(
            [
                replace(trace, text=replace(trace.text, prompts=texts))
                for trace, texts in zip(traces, nth, strict=True)
            ]
        )
        for traces in ([one, *others], [one] * 4)
    )
    single, repeated, several = (
        Measured(trace, Lookahead(5), scope=scope) for trace in (one, same, four)
    )
    for name in ("alpha", "acceptance_rate", "confident_rejections"):
        before, after = single.groups(name), several.groups(name)
        assert after.sample.prompt.tolist() == [p.id for p in one.prompts]
        mine = [(e.n_prompts, e.n_clusters) for e in after.by_group.values()]
        assert mine == [(e.n_prompts, e.n_clusters) for e in before.by_group.values()]
        again = repeated.groups(name).difference()
        assert again.interval(0.95) == pytest.approx(before.difference().interval(0.95))
        width = [float(np.ptp(g.overall.interval(0.95))) for g in (before, after)]
        assert width[1] < 0.75 * width[0], name
    assert repeated.alpha.overall.value == pytest.approx(single.alpha.overall.value)
    parts = [next(splits(m.trace, m.labels, ("a",), "b")) for m in (single, repeated)]
    assert parts[1].total.interval(0.95) == pytest.approx(parts[0].total.interval(0.95))
