"""DFlash against transformers' generate(speculation_type="dflash")."""

from pathlib import Path

import numpy as np
import pytest
from transformers import MuseGlimmerAssistantModel

from specfair.decoding import Decoding, Lookahead
from specfair.models.pair import encode
from specfair.texts import prompts
from tests.engine.heads.generated import generated, replayed
from tests.engine.heads.trained import N_NEW, School, traced


@pytest.mark.parametrize("n_new", [N_NEW, 5])
def test_greedy_counts_are_generates(of: School, dflash: Path, n_new: int) -> None:
    """Of long texts and of cut ones: nothing is proposed where one token is left."""
    chosen, asked = prompts.load("embedded")[::9], Decoding(max_new_tokens=n_new)
    counts = replayed(traced(of, "dflash", dflash, chosen, asked), Lookahead(8))
    ids, _ = encode(of.pair, chosen, n_new)
    assistant = MuseGlimmerAssistantModel.from_pretrained(dflash).eval()
    how = {"assistant_model": assistant, "speculation_type": "dflash"}
    expected = generated(of.pair.target, ids, asked, **how)
    assert len(chosen) >= 100
    np.testing.assert_array_equal(counts, expected)
    assert 0.2 < expected[:, 4].sum() / expected[:, 3].sum() < 0.95
