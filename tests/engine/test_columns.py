"""The reductions: whatever the tile, the same numbers."""

import pytest
import torch

from specfair.decoding import Decoding
from specfair.engine import sampling
from specfair.engine.columns import At, reduced
from specfair.engine.sampling import choose
from specfair.traces.trace import COLUMNS
from tests.engine.test_tracer import DECODINGS


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
def test_tiles_do_not_matter(
    decoding: Decoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the number of rows a tile may have changes; the last tile is not full."""
    generator = torch.Generator().manual_seed(0)
    target, draft = torch.randn(2, 11, 300, generator=generator) * 2
    drawn = torch.rand(11, 3, generator=generator)
    token = choose(target, drawn[:, 0], decoding)
    whole = reduced(target, draft, At(token, drawn), decoding)
    assert sorted(whole) == sorted(COLUMNS)
    monkeypatch.setattr(sampling, "_TILE", {"cpu": 900})
    assert torch.equal(choose(target, drawn[:, 0], decoding), token)
    for name, values in reduced(target, draft, At(token, drawn), decoding).items():
        assert torch.allclose(values, whole[name]), name
    told = reduced(target, draft, At(token, proposal=whole["proposal"]), decoding)
    assert all(torch.equal(told[name], whole[name]) for name in whole)


def test_identical_models_agree_everywhere() -> None:
    logits = torch.randn(6, 100, generator=torch.Generator().manual_seed(0))
    for decoding in DECODINGS:
        drawn = torch.rand(6, 3, generator=torch.Generator().manual_seed(1))
        found = reduced(
            logits, logits, At(choose(logits, drawn[:, 0], decoding), drawn), decoding
        )
        assert found["accepted"].all()
        assert torch.allclose(found["overlap"], torch.ones(6))
        assert (found["kl"] == 0).all()


def test_the_only_token_has_the_margin_of_its_probability() -> None:
    """There is no second best to be nearly tied with, and no infinity where a
    probability is asked for.
    """
    logits = torch.randn(3, 1)
    found = reduced(logits, logits, At(torch.zeros(3, dtype=torch.long)), Decoding(4))
    assert found["margin"].tolist() == [1.0] * 3
