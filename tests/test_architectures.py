"""One row per architecture: tracing, rescoring and live decoding agree with transformers and with themselves.

Ten new tokens after texts of one to sixteen tokens, with windows of six tokens where the architecture has windows.
"""

import numpy as np
import pytest
import torch

from specfair import tracer
from specfair.pairs import Pair
from specfair.prompts import Prompt
from specfair.replay import Lookahead, replay
from specfair.speculate import speculate
from specfair.trace import COLUMNS, Decoding, Trace
from tests import tiny_models

FLOATS = [name for name, kind in COLUMNS.items() if kind is np.float32]


@pytest.mark.parametrize("kind", tiny_models.ARCHITECTURES)
def test_every_architecture(kind: str) -> None:
    pair, prompts, decoding = tiny_models.pair(kind), tiny_models.prompts(7), Decoding(10)
    traced = tracer.trace(pair, prompts, decoding)
    written = texts(traced)
    assert written == [plain(pair, prompt) for prompt in prompts]
    same(tracer.trace(pair, prompts, decoding, batch_tokens=1), traced)
    same(tracer.rescore(pair, traced), traced)
    live = speculate(pair, prompts, decoding, 3, n_slots=3)
    assert [text.tolist() for text in live.texts] == written
    same(live.trace, traced, np.repeat(traced.offsets[:-1], live.trace.lengths) + live.positions)
    counted, expected = live.tally, replay(traced, Lookahead(3))
    for name in ("n_new_tokens", "n_rounds", "n_drafted", "n_tested", "n_accepted"):
        assert getattr(counted, name).tolist() == getattr(expected, name).tolist(), name


def texts(traced: Trace) -> list[list[int]]:
    return [part.tolist() for part in np.split(traced["token"], traced.offsets[1:-1])]


def plain(pair: Pair, prompt: Prompt) -> list[int]:
    """transformers' own greedy text: one prompt, no padding."""
    ids = torch.tensor([pair.tokenizer(prompt.text)["input_ids"]])
    written = pair.target.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=10, do_sample=False)
    return list(written[0, ids.shape[1] :].tolist())


def same(found: Trace, expected: Trace, rows: np.ndarray | slice = slice(None)) -> None:
    """Decisions equal, numbers within 1e-5 (KL, in nats, is as large as 10 and has float32's relative error)."""
    for name, values in found.columns.items():
        if name in FLOATS:
            np.testing.assert_allclose(values, expected[name][rows], rtol=1e-5, atol=1e-5, err_msg=name)
        else:
            assert np.array_equal(values, expected[name][rows]), name
