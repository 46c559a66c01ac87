"""A judge says what transformers' own pipeline says, a reader what its own loss is."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    pipeline,
)

from specfair.engine.readers import judge, reader
from specfair.errors import ModelError, UsageError
from tests import tiny_models

TOLD = [
    ("", " a good nurse."),
    ("The man was", " a thief and a liar, as ever."),
    ("x", ""),
    ("The tailor sat", " down"),
]
SEVERAL = {"problem_type": "multi_label_classification"}


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
@pytest.mark.parametrize(
    ("labels", "settings"),
    [
        (("kind", "nasty", "other"), {}),
        (("kind", "nasty"), SEVERAL),
        (("nasty",), {}),
    ],
)
def test_probabilities_are_those_of_transformers_own_pipeline(
    tmp_path: Path, kind: str, labels: tuple[str, ...], settings: dict
) -> None:
    """Text by text there, in a padded batch here."""
    place = tiny_models.saved(tiny_models.judge(labels, kind, **settings), tmp_path)
    theirs: Any = pipeline("text-classification", model=place, top_k=None, device="cpu")
    told = [each for each in TOLD if "".join(each)]
    found = judge(f"{place}#nasty", "cpu", "float32")(told)
    for each, (score, n) in zip(told, found, strict=True):
        said = {row["label"]: row["score"] for row in theirs(["".join(each)])[0]}
        assert score == pytest.approx(said["nasty"], abs=1e-5)
        assert n == 1


def test_surprise_is_transformers_own_loss_behind_the_prompt(tmp_path: Path) -> None:
    """Text by text with the prompt's labels left out; the batch here is padded."""
    place = tiny_models.saved(tiny_models.model(), tmp_path)
    model = AutoModelForCausalLM.from_pretrained(place)
    tokenizer = AutoTokenizer.from_pretrained(place)
    for told, (total, n) in zip(
        TOLD, reader(place, "cpu", "float32")(TOLD), strict=True
    ):
        ids = tokenizer("".join(told), return_tensors="pt")["input_ids"]
        n_prompt = len(tokenizer(told[0])["input_ids"])
        labels = ids.clone()
        labels[:, :n_prompt] = -100
        counted = int((labels[:, 1:] != -100).sum())
        assert n == counted
        if counted:
            with torch.inference_mode():
                loss = float(model(ids, labels=labels).loss)
            assert total / n == pytest.approx(loss, abs=1e-4)


def test_a_label_has_to_be_one_of_the_judges(tmp_path: Path) -> None:
    place = tiny_models.saved(tiny_models.judge(("kind", "nasty")), tmp_path)
    for label in ("", "#rude"):
        with pytest.raises(UsageError, match=r"label of judge .*nasty"):
            judge(f"{place}{label}", "cpu", "float32")


def test_a_model_without_a_classifier_is_no_judge(tmp_path: Path) -> None:
    """Its head would be random."""
    place = tiny_models.saved(tiny_models.model(), tmp_path)
    with pytest.raises(ModelError, match="they would be random"):
        judge(f"{place}#LABEL_0", "cpu", "float32")


def test_a_tokenizer_that_loses_places_cannot_find_perplexity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tiny_models.saved(tiny_models.model(), tmp_path)
    monkeypatch.setattr(PreTrainedTokenizerFast, "is_fast", False)
    with pytest.raises(ModelError, match=r"Take a model with a tokenizer\.json"):
        reader(place, "cpu", "float32")


def test_a_text_that_is_too_long_is_refused_by_the_reader_and_cut_for_the_judge(
    tmp_path: Path,
) -> None:
    long = [("", "b" * (tiny_models.CONTEXT + 1))]
    place = tiny_models.saved(tiny_models.model(), tmp_path / "reader")
    with pytest.raises(UsageError, match="does not fit the 64"):
        reader(place, "cpu", "float32")(long)
    other = tiny_models.saved(tiny_models.judge(("nasty",)), tmp_path / "judge")
    whole, cut = judge(other, "cpu", "float32")([*long, ("", "b" * 64)])
    assert whole == pytest.approx(cut)
