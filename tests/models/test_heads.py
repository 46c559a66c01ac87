"""Heads that are not of this target, or not what they say, end in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from specfair.errors import ModelError
from specfair.models.heads import open_head
from specfair.models.kinds import DraftKind
from tests import tiny_models

LAYER = {"hidden_size": 16, "vocab_size": 300, "num_hidden_layers": 1}
EAGLE3 = {"speculators_model_type": "eagle3", "transformer_layer_config": LAYER}
MEDUSA = {"medusa_num_heads": 2, "medusa_num_layers": 1}
DFLASH = {"block_size": 4, "mask_token_id": 1, "target_layer_ids": [0]}


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("eagle3", {}, "speculators_model_type None"),
        ("eagle3", {**EAGLE3, "speculators_model_type": "mtp"}, "type 'mtp'"),
        ("eagle3", {**EAGLE3, "target_hidden_size": 8}, "hidden size 8 and 300"),
        (
            "eagle3",
            {**EAGLE3, "transformer_layer_config": {**LAYER, "vocab_size": 9}},
            "hidden size 16 and 9 tokens; this target has 16 and 300",
        ),
        (
            "eagle3",
            {**EAGLE3, "transformer_layer_config": {**LAYER, "num_hidden_layers": 2}},
            "num_hidden_layers 2",
        ),
        ("eagle3", {**EAGLE3, "fc_norm": True}, "fc_norm True"),
        (
            "eagle3",
            {**EAGLE3, "eagle_aux_hidden_state_layer_ids": [1, 9]},
            "target has",
        ),
        ("medusa", {"medusa_num_heads": 0}, "medusa_num_heads 0"),
        ("medusa", {**MEDUSA, "hidden_size": 8}, "hidden size 8"),
        ("dflash", DFLASH, "has no hidden_size"),
        ("dflash", {**DFLASH, "hidden_size": 8}, "hidden size 8"),
        ("dflash", {**DFLASH, "hidden_size": 16}, "cannot be loaded"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, kind: str, settings: dict[str, Any], said: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(settings))
    target = tiny_models.model("llama")
    with pytest.raises(ModelError, match=said) as caught:
        open_head(DraftKind(kind, f"{kind}:x"), tmp_path, target)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(MEDUSA))
    (tmp_path / "model.safetensors").write_text("nothing")
    with pytest.raises(ModelError, match=r"'model\.safetensors' that cannot be read"):
        open_head(DraftKind("medusa", "medusa:x"), tmp_path, tiny_models.model("llama"))
