"""The loop of target and drafts. What it computes is in test_tracer.py."""

import pytest

from specfair.decoding import Decoding
from specfair.engine import passes, tracer
from tests import tiny_models
from tests.engine.test_tracer import assert_same

GREEDY = Decoding(12)
PAIR = tiny_models.pair()


@pytest.mark.parametrize("n_numbers", [1, 20_000, 1 << 24])
def test_how_many_steps_the_draft_lags_behind_does_not_matter(
    n_numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step, a few, the whole text; with rows that leave in between."""
    pair = tiny_models.pair()
    pair.target.generation_config.eos_token_id = list(range(0, 300, 12))
    for decoding in (GREEDY, Decoding(12, temperature=1.0)):
        expected = tracer.trace(pair, tiny_models.prompts(20), decoding)
        monkeypatch.setattr(passes, "_CHUNK", {"cpu": n_numbers})
        assert_same(tracer.trace(pair, tiny_models.prompts(20), decoding), expected)
        assert_same(tracer.reread([pair], expected.text)[0], expected)
