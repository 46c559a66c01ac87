"""Fine-tuning on models of a few thousand weights: what is learned, what is written,
what is left alone.
"""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from specfair.errors import ModelError, UsageError
from specfair.models import load
from specfair.models.pair import Pair
from specfair.texts.corpora import Corpus
from specfair.training import objectives
from specfair.training.finetune import train
from specfair.training.pool import Pool
from specfair.training.recipe import LOSSES, NAMES, Recipe, recipe_of
from specfair.training.teacher import logs_at
from specfair.training.tuned import Training, Tuned
from tests.training.conftest import RECIPE

SHORT = ("max_steps=30", "batch_size=4", "accumulation=1", "learning_rate=1e-2")
ONE_BY_ONE = [
    *((name,) for name in NAMES if name != "scdf"),
    *(("distill", f"loss={loss}") for loss in LOSSES),
    ("distill", "text=draft"),
    ("clm", "models=draft", "text=target"),
    ("fairspec", "precision=bfloat16", "gradient_checkpointing=true"),
    ("fairspec", "batch_size=2", "accumulation=2", "warmup=0.1"),
    ("group_dro", "schedule=inverse_sqrt", "weight_decay=0.1", "warmup=0.1"),
]


def unheard(*_: object) -> None:
    """Progress nobody looks at."""


def tune(
    pair: Pair,
    corpus: Corpus,
    recipe: Recipe,
    out: Path,
    progress: Callable[[str, int, int, float], None] | None = unheard,
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
    steps: list[tuple[str, int, int, float]] = []
    recipe = replace(RECIPE, max_steps=15)
    before = [load.fingerprint_model(model) for model in (pair.target, pair.draft)]
    target, draft = tune(
        pair, corpus, recipe, tmp_path / "tuned", lambda *at: steps.append(at)
    )

    assert [said[:3] for said in steps] == [
        (role, step, 15) for role in ("target", "draft") for step in range(1, 16)
    ]
    assert [said[3] for said in steps] == [*target.losses, *draft.losses]
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


def learn(pair: Pair, pool: Pool, out: Path, *said: str, **how: Any) -> Tuned:
    """The draft on a pool, by a recipe in words."""
    recipe = recipe_of(["fairspec", *SHORT, *said])
    training = Training(pair.identity, "draft", pool, recipe)
    train(training, pair, out, **{"progress": unheard, **how})
    return Tuned.read(out)


@pytest.mark.parametrize("said", ONE_BY_ONE)
def test_every_recipe_makes_its_own_loss_small_and_touches_the_draft_alone(
    pair: Pair, pool: Pool, tmp_path: Path, said: tuple[str, ...]
) -> None:
    before = [load.fingerprint_model(model) for model in (pair.target, pair.draft)]
    models = ("models=draft",) if said == ("clm",) else ()
    tuned = learn(pair, pool, tmp_path / "out", *said, *models)
    assert len(tuned.losses) == 30
    assert np.mean(tuned.losses[-6:]) < 0.9 * np.mean(tuned.losses[:6])
    assert before == [
        load.fingerprint_model(model) for model in (pair.target, pair.draft)
    ]
    again = load.load(str(tuned.model), str(tuned.model), device="cpu")
    assert again.draft_fingerprint != before[1]
    assert not (tmp_path / "out" / "resume").exists()


def test_what_scdf_leaves_out_is_learned_on_the_way(
    pair: Pair, pool: Pool, tmp_path: Path
) -> None:
    """Its loss is weighted by differences that change, so it is no measure of itself:
    the distance to the target falls, as it does for distill.
    """

    def distance(draft: PreTrainedModel) -> float:
        batch = {n: torch.from_numpy(v) for n, v in pool.batch(range(6)).items()}
        with torch.no_grad():
            found = [logs_at(m, batch, pair.n_vocab) for m in (pair.target, draft)]
        return float(objectives.fkl(*found)[batch["kept"]].mean())

    tuned = learn(pair, pool, tmp_path / "out", "scdf", "batch_size=16")
    saved = load.load(str(tuned.model), str(tuned.model), device="cpu").draft
    assert distance(saved) < 0.7 * distance(pair.draft)


def test_adapters_end_up_in_the_weights(pair: Pair, pool: Pool, tmp_path: Path) -> None:
    """What is saved needs no peft, and only linear layers have moved."""
    pytest.importorskip("peft", reason="an extra: specfair[lora]")
    tuned = learn(pair, pool, tmp_path / "out", "distill", "lora=2")
    saved = load.load(str(tuned.model), str(tuned.model), device="cpu").draft
    old, new = pair.draft.state_dict(), saved.state_dict()
    assert old.keys() == new.keys()
    moved = {name for name in old if not torch.equal(old[name], new[name])}
    assert moved == {name for name in old if "proj" in name}


def test_adapters_need_peft(
    pair: Pair, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(UsageError, match=r"lora = 2 needs peft.*specfair\[lora\]"):
        learn(pair, pool, tmp_path / "out", "lora=2")


def test_half_precision_is_not_for_every_device(
    pair: Pair, pool: Pool, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="precision = 'float16' does not fit 'cpu'"):
        learn(pair, pool, tmp_path / "out", "precision=float16")


@pytest.mark.parametrize("name", ["fairspec", "group_dro", "distill"])
def test_a_killed_training_goes_on_as_if_nothing_had_happened(
    pair: Pair, pool: Pool, tmp_path: Path, name: str
) -> None:
    """To the last bit of the weights, from the Trainer's own checkpoint at step 25; one
    that was not written to its end is passed over.
    """

    class Killed(BaseException):
        pass

    def kill(*at: float) -> None:
        if at[0] == 28:
            raise Killed

    place = tmp_path / "begun"
    with pytest.raises(Killed):
        learn(pair, pool, tmp_path / "a", name, progress=kill, resume=place)
    torn = place / "checkpoint-27"
    torn.mkdir()
    (torn / "model.safetensors").write_bytes(b"torn")
    seen: list[int] = []
    went_on = learn(
        pair,
        pool,
        tmp_path / "a",
        name,
        resume=place,
        progress=lambda step, *_: seen.append(step),
    )
    whole = learn(pair, pool, tmp_path / "b", name)
    assert seen == [26, 27, 28, 29, 30]
    assert went_on.losses == whole.losses
    first, second = (
        (one.model / "model.safetensors").read_bytes() for one in (went_on, whole)
    )
    assert first == second
    assert not place.exists()


def test_what_a_nan_ends_is_kept_up_to_there(
    pair: Pair, pool: Pool, tmp_path: Path
) -> None:
    place = tmp_path / "begun"
    poisoned = replace(pool, logs=np.full_like(pool.logs, np.nan))
    with pytest.raises(ModelError, match=r"the loss is nan at step 1.*Lower the"):
        learn(pair, poisoned, tmp_path / "a", resume=place)
    assert not (tmp_path / "a" / "model").exists()


def test_two_processes_learn_what_one_does(
    pair: Pair, pool: Pool, tmp_path: Path
) -> None:
    """As `accelerate launch` starts them, with half the batch each. What is drawn by the groups'
    means stays together too, or the two would wait for each other for ever.
    """
    for role, model in (("target", pair.target), ("draft", pair.draft)):
        model.save_pretrained(tmp_path / role)
        pair.tokenizer.save_pretrained(tmp_path / role)
    pool.save(tmp_path / "pool")
    (tmp_path / "learn.py").write_text(LEARN)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*launch, "--nproc_per_node=2", "learn.py"],
        env={**os.environ, "ACCELERATE_USE_CPU": "true"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    together = Tuned.read(tmp_path / "balanced")
    alone = learn(pair, pool, tmp_path / "alone", "balanced")
    assert together.losses == pytest.approx(alone.losses, rel=1e-3, abs=1e-6)
    assert len(Tuned.read(tmp_path / "fairspec").losses) == 30


LEARN = """
from pathlib import Path
import torch
from specfair.models import load
from specfair.training.finetune import train
from specfair.training.pool import Pool
from specfair.training.recipe import recipe_of
from specfair.training.tuned import Training
torch.set_num_threads(1)
if __name__ == "__main__":
    pair = load.load("target", "draft", device="cpu")
    for name in ("balanced", "fairspec"):
        recipe = recipe_of([name, "max_steps=30", "batch_size=2",
                            "accumulation=1", "learning_rate=1e-2"])
        training = Training(pair.identity, "draft", Pool.read(Path("pool")), recipe)
        train(training, pair, Path(name), progress=lambda *_: None)
    torch.distributed.destroy_process_group()
"""
