"""The clock: what it times and how it sums up; never how long anything took."""

import numpy as np
import pytest
import torch

from specfair import clock as module
from specfair.clock import Times, clock, cost_ratio
from specfair.errors import UsageError
from specfair.trace import Decoding
from tests import tiny_models


def test_times_by_group_and_repeat() -> None:
    pair, prompts = tiny_models.pair(), tiny_models.prompts(6)
    times = clock(pair, prompts, Decoding(4, ignore_eos=True), 2, n_repeats=3)
    assert times.groups == ("a", "b")
    assert times.n_tokens.tolist() == [12, 12]
    assert times.alone.shape == times.speculative.shape == (3, 2)
    assert (times.alone > 0).all()
    assert all(low <= value <= high for value, low, high in times.speedup().values())


def test_speedup_is_a_ratio_with_an_interval_over_repeats() -> None:
    """Three repeats of ratios 1, 2 and 4: the geometric mean is 2, and t(2) at 97.5% is 4.303."""
    times = Times(("g",), np.array([10]), alone=np.array([[1.0], [2.0], [4.0]]), speculative=np.ones((3, 1)))
    value, low, high = times.speedup()["g"]
    assert value == pytest.approx(2.0)
    assert np.log(high / value) == pytest.approx(4.303 * np.log(2) / 3**0.5, rel=1e-3)
    assert high / value == pytest.approx(value / low)


def test_one_repeat_has_no_interval() -> None:
    with pytest.raises(UsageError, match="n_repeats is 1; an interval needs at least 2"):
        clock(tiny_models.pair(), tiny_models.prompts(2), Decoding(2), 2, n_repeats=1)


def test_a_draft_much_smaller_than_its_target_costs_less() -> None:
    """Twelve layers against two of the same width: true by a factor of six, asserted without one."""
    from specfair import pairs

    pair = pairs.assemble(tiny_models.model(n_layer=12), tiny_models.model(), tiny_models.tokenizer())
    assert 0 < cost_ratio(pair, n_repeats=9) < 1
    assert cost_ratio(pair, n_rows=4, n_context=500, n_repeats=3) > 0


def test_without_a_context_limit() -> None:
    assert cost_ratio(tiny_models.pair("bloom"), n_repeats=3) > 0


def test_accelerators_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the work and after it, or only its start would be timed."""
    waits: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: waits.append(str(device)))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waits.append("mps"))
    for name in ("cuda:0", "mps", "cpu"):
        module._seconds(torch.device(name), lambda name=name: waits.append(f"work on {name}"))
    assert waits == ["cuda:0", "work on cuda:0", "cuda:0", "mps", "work on mps", "mps", "work on cpu"]
