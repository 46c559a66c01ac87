"""Heads whose files do not hold what their settings say."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from specfair.decoding import Decoding
from specfair.engine import clock, drafts
from specfair.engine.heads.opening import DEPTH, head_draft
from specfair.engine.heads.reading import HeadDraft
from specfair.errors import ModelError, UsageError
from specfair.models.heads import HeadFiles
from specfair.texts import prompts
from tests import tiny_models
from tests.engine.heads.trained import School, pair_of, traced


def test_each_kind_says_how_far_it_goes(
    of: School, eagle3: Path, medusa: Path, dflash: Path
) -> None:
    folders = {"eagle3": eagle3, "medusa": medusa, "dflash": dflash}
    most = {
        kind: head_draft(pair_of(of, kind, folder).draft, of.pair.target).most
        for kind, folder in folders.items()
    }
    assert most == {"eagle3": DEPTH, "medusa": 3, "dflash": 4}


@pytest.mark.parametrize(
    ("weights", "said"),
    [({}, "no usable weights"), ({"0.0.linear.weight": torch.ones(2, 2)}, "no usable")],
)
def test_weights_that_are_not_there(
    weights: dict[str, torch.Tensor], said: str
) -> None:
    settings = {"medusa_num_heads": 1, "medusa_num_layers": 1}
    files = HeadFiles("medusa", "medusa:x", settings, weights)
    with pytest.raises(ModelError, match=said) as caught:
        head_draft(files, tiny_models.model("llama"))
    assert "\n" not in str(caught.value)


def test_a_head_has_a_cost_and_no_clock(of: School, medusa: Path) -> None:
    pair = pair_of(of, "medusa", medusa)
    assert 0 < clock.cost_ratio(pair, n_repeats=3) < 10
    with pytest.raises(UsageError, match="keeps no cache for it"):
        clock.clock(pair, [], Decoding(max_new_tokens=4), 3)


def test_a_head_is_built_once_in_a_trace(
    of: School, medusa: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def counted(files: HeadFiles, target: PreTrainedModel) -> HeadDraft:
        built.append(files.name)
        return head_draft(files, target)

    monkeypatch.setattr(drafts, "head_draft", counted)
    chosen = prompts.load("embedded")[:3]
    traced(of, "medusa", medusa, chosen, Decoding(max_new_tokens=4))
    assert len(built) == 1
