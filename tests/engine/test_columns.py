"""The reductions: whatever the tile, the same numbers; the table that collects them."""

import numpy as np
import pytest
import torch

from specfair.decoding import Decoding
from specfair.engine import columns as module
from specfair.engine.columns import At, Sheet, choose, columns, deployed
from specfair.traces.trace import COLUMNS
from tests import tiny_models
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
    whole = columns(target, draft, At(token, drawn), decoding)
    assert sorted(whole) == sorted(COLUMNS)
    monkeypatch.setattr(module, "_TILE", {"cpu": 900})
    assert torch.equal(choose(target, drawn[:, 0], decoding), token)
    for name, values in columns(target, draft, At(token, drawn), decoding).items():
        assert torch.allclose(values, whole[name]), name
    told = columns(target, draft, At(token, proposal=whole["proposal"]), decoding)
    assert all(torch.equal(told[name], whole[name]) for name in whole)


def test_what_is_deployed() -> None:
    logits = torch.randn(4, 50, generator=torch.Generator().manual_seed(0))
    assert torch.equal(deployed(logits, Decoding()), torch.softmax(logits, -1))
    assert torch.equal(
        deployed(logits, Decoding(temperature=2.0)), torch.softmax(logits / 2, -1)
    )


def test_identical_models_agree_everywhere() -> None:
    logits = torch.randn(6, 100, generator=torch.Generator().manual_seed(0))
    for decoding in DECODINGS:
        drawn = torch.rand(6, 3, generator=torch.Generator().manual_seed(1))
        found = columns(
            logits, logits, At(choose(logits, drawn[:, 0], decoding), drawn), decoding
        )
        assert found["accepted"].all()
        assert torch.allclose(found["overlap"], torch.ones(6))
        assert (found["kl"] == 0).all()


def test_a_sheet_keeps_what_was_written() -> None:
    sheet = Sheet(tiny_models.prompts(3), Decoding(4, temperature=1.0), eos=(9,))
    sheet.write(
        (np.array([0, 2])[:, None], np.arange(2)),
        {"token": torch.tensor([[1, 9], [2, 3]])},
    )
    sheet.write((1, slice(None)), {"token": torch.tensor([4, 5, 9, 9])})
    assert sheet.lengths().tolist() == [2, 3, 4]
    assert sheet.within(sheet.lengths()).sum() == 9
    assert sheet.uniforms(np.array([2, 0])).shape == (2, 4, 3)
    assert torch.equal(
        sheet.uniforms(np.array([2]))[0], sheet.uniforms(np.array([0, 2]))[1]
    )


def test_the_only_token_has_the_margin_of_its_probability() -> None:
    """There is no second best to be nearly tied with, and no infinity where a
    probability is asked for.
    """
    logits = torch.randn(3, 1)
    found = columns(logits, logits, At(torch.zeros(3, dtype=torch.long)), Decoding(4))
    assert found["margin"].tolist() == [1.0] * 3
