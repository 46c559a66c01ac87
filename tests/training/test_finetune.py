"""Fine-tuning on models of a few thousand weights: what is learned, what is written,
what is left alone.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from specfair.errors import ModelError
from specfair.models import load
from specfair.models.pair import Pair
from specfair.texts.corpora import Corpus
from specfair.training.finetune import train
from specfair.training.recipe import Recipe
from specfair.training.tuned import Training, Tuned
from tests.training.conftest import RECIPE


def unheard(*_: object) -> None:
    """Progress nobody looks at."""


def tune(
    pair: Pair,
    corpus: Corpus,
    recipe: Recipe,
    out: Path,
    progress: Callable[[str, int, int], None] | None = unheard,
) -> tuple[Tuned, Tuned]:
    """Both models, one after the other."""
    made = []
    for role in ("target", "draft"):
        heard = None if progress is None else partial(progress, role)
        training = Training(pair.identity, role, corpus, recipe)
        train(training, pair, out / role, progress=heard)
        made.append(Tuned.read(out / role))
    return made[0], made[1]


def test_both_models_learn_and_load_again(
    pair: Pair, corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: list[tuple[str, int, int]] = []
    recipe = replace(RECIPE, max_steps=15)
    before = [load.fingerprint_model(model) for model in (pair.target, pair.draft)]
    target, draft = tune(
        pair, corpus, recipe, tmp_path / "tuned", lambda *at: steps.append(at)
    )

    assert steps == [
        (role, step, 15) for role in ("target", "draft") for step in range(1, 16)
    ]
    for losses in (target.losses, draft.losses):
        assert len(losses) == 15
        assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])

    again = load.load(str(target.model), str(draft.model), device="cpu")
    assert again.tokenizer_fingerprint == pair.tokenizer_fingerprint
    assert again.eos == pair.eos
    assert again.target.config.use_cache
    assert again.target.dtype == pair.target.dtype
    after = [load.fingerprint_model(model) for model in (again.target, again.draft)]
    assert not set(before) & set(after)
    assert before == [
        load.fingerprint_model(model) for model in (pair.target, pair.draft)
    ]
    assert not any(parameter.requires_grad for parameter in pair.target.parameters())

    assert sorted(path.name for path in (tmp_path / "tuned" / "draft").iterdir()) == [
        "model",
        "training.json",
    ]
    assert capsys.readouterr() == ("", "")


def test_the_trainers_bar_is_shown_where_nobody_asks_for_progress(
    pair: Pair, corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tune(pair, corpus, replace(RECIPE, max_steps=2), tmp_path / "tuned", None)
    shown = capsys.readouterr()
    assert "2/2" in shown.err
    assert "loss" not in shown.out + shown.err


def test_the_seed_decides(pair: Pair, corpus: Corpus, tmp_path: Path) -> None:
    weights = {}
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        torch.manual_seed(len(name))  # what the process did before must not matter
        tuned = tune(
            pair, corpus, replace(RECIPE, max_steps=3, seed=seed), tmp_path / name
        )
        weights[name] = [
            (one.model / "model.safetensors").read_bytes() for one in tuned
        ]
    assert weights["one"] == weights["again"]
    assert weights["one"][0] != weights["other"][0]
    assert weights["one"][1] != weights["other"][1]


def test_random_numbers_elsewhere_go_on_as_if_nothing_had_happened(
    pair: Pair, corpus: Corpus, tmp_path: Path
) -> None:
    def draws() -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), float(torch.rand(()))

    def seed() -> None:
        random.seed(1), np.random.seed(1), torch.manual_seed(1)

    seed()
    expected = draws()
    seed()
    tune(pair, corpus, replace(RECIPE, max_steps=1), tmp_path / "tuned")
    assert draws() == expected


def test_a_disk_that_is_full_is_an_error_of_the_system(
    pair: Pair, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer of weights has errors of its own; whoever keeps the folder must
    recognise them.
    """
    monkeypatch.setattr(
        pair.tokenizer,
        "save_pretrained",
        lambda _: (_ for _ in ()).throw(RuntimeError("os error 28")),
    )
    with pytest.raises(OSError, match="os error 28"):
        tune(pair, corpus, replace(RECIPE, max_steps=1), tmp_path / "tuned")


def test_checkpoints_along_the_way(pair: Pair, corpus: Corpus, tmp_path: Path) -> None:
    target, draft = tune(
        pair, corpus, replace(RECIPE, checkpoints=2), tmp_path / "tuned"
    )
    assert list(target.checkpoints) == list(draft.checkpoints) == [2, 4]
    folders = zip(
        *([*one.checkpoints.values(), one.model] for one in (target, draft)),
        strict=True,
    )
    course = [load.load(str(a), str(b), device="cpu") for a, b in folders]
    assert len({p.target_fingerprint for p in course}) == 3
    assert len({p.draft_fingerprint for p in course}) == 3


def test_a_loss_that_is_no_number_is_named(
    pair: Pair, corpus: Corpus, tmp_path: Path
) -> None:
    with torch.no_grad():
        pair.draft.model.norm.weight.fill_(float("nan"))
    with pytest.raises(
        ModelError,
        match=r"'small' on 'walks': the loss is nan at step 1.*Lower the learning rate",
    ):
        tune(pair, corpus, RECIPE, tmp_path / "tuned")
    assert not (tmp_path / "tuned" / "draft" / "model").exists()
