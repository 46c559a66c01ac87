"""Causal-LM fine-tuning of one model of a pair on one corpus, by transformers' Trainer:
a model in, a folder out.

Knows how weights change and what is saved; does not know prompts, groups or acceptance.
The pair that was passed in stays as it was, and so do the process's random number
generators.
"""

import copy
import json
import math
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from specfair.errors import ModelError
from specfair.models.folders import brief
from specfair.models.load import quiet
from specfair.models.pair import Pair
from specfair.training.blocks import Blocks, pack
from specfair.training.tuned import Training, due

Progress: TypeAlias = Callable[[int, int], None]  # steps done, steps in all


def train(
    training: Training, pair: Pair, folder: Path, *, progress: Progress | None = None
) -> None:
    """Tune one model of the opened pair into `folder`, whose safety is the store's
    business. Without `progress`, the Trainer's own bar is shown.
    """
    folder.mkdir(parents=True)
    losses = _train(
        _Run(training, pair, folder, progress),
        Blocks(pack(pair, training.corpus, training.recipe)),
    )
    (folder / "training.json").write_text(
        json.dumps({"losses": losses}), encoding="utf-8"
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """One training under way."""

    training: Training
    pair: Pair
    folder: Path
    progress: Progress | None

    @property
    def model(self) -> PreTrainedModel:
        found: PreTrainedModel = getattr(self.pair, self.training.role)
        return found

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        """Weights in the pair's precision, the pair's configuration, the tokenizer
        beside them.
        """
        original = self.model
        saved: Any = copy.deepcopy(model)
        saved.to(dtype=original.dtype)
        # the Trainer switches the cache off in its own
        saved.config = copy.deepcopy(original.config)
        try:
            with quiet():
                saved.save_pretrained(folder)
            self.pair.tokenizer.save_pretrained(folder)
        # the writers beneath raise errors of their own for a full disk
        except Exception as error:
            raise (
                error if isinstance(error, OSError) else OSError(brief(error))
            ) from error


def _train(run: _Run, blocks: Blocks) -> list[float]:
    """Train a copy of one model, save it; the loss at each step."""
    original: Any = run.model
    model: PreTrainedModel = copy.deepcopy(original).float().requires_grad_(True)
    watch = _Watch(run)
    with _generators_kept(), tempfile.TemporaryDirectory(dir=run.folder) as folder:
        trainer = Trainer(
            model, _arguments(run, folder), train_dataset=blocks, callbacks=[watch]
        )
        for unwanted in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(unwanted)
        if run.progress is None:
            trainer.add_callback(_Bar)
        trainer.train()
    run.save(model, run.folder / "model")
    return watch.losses


def _arguments(run: _Run, folder: str) -> TrainingArguments:
    recipe, device = run.training.recipe, run.pair.device.type
    return TrainingArguments(
        output_dir=folder,
        num_train_epochs=recipe.epochs,
        max_steps=recipe.max_steps or -1,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulation,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        seed=recipe.seed,
        bf16=device == "cuda" and torch.cuda.is_bf16_supported(),
        use_cpu=device == "cpu",
        dataloader_pin_memory=device == "cuda",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


class _Watch(TrainerCallback):
    """Looks at every step: the loss must be a number, checkpoints are due, somebody
    wants to know how far it is.
    """

    def __init__(self, run: _Run) -> None:
        self.run = run
        self.losses: list[float] = []

    def on_log(self, *at: Any, **known: Any) -> None:
        _, state, _ = at
        training = self.run.training
        loss = known["logs"].get("loss")
        if loss is None:
            return
        if not math.isfinite(loss):
            raise ModelError(
                f"fine-tuning {training.title}: the loss is {loss} at step "
                f"{state.global_step}; it must be a "
                "finite number. Lower the learning rate "
                f"({training.recipe.learning_rate:g}) or check the weights."
            )
        self.losses.append(loss)

    def on_step_end(self, *at: Any, **known: Any) -> None:
        _, state, _ = at
        step, n_steps = state.global_step, state.max_steps
        if step in due(n_steps, self.run.training.recipe.checkpoints):
            self.run.save(
                known["model"], self.run.folder / "checkpoints" / f"{step:08d}"
            )
        if self.run.progress is not None:
            self.run.progress(step, n_steps)


class _Bar(ProgressCallback):
    """The Trainer's bar without a line for every step."""

    def on_log(self, *args: Any, **known: Any) -> None:
        pass


@contextmanager
def _generators_kept() -> Iterator[None]:
    """The Trainer seeds every random number generator of the process; give them back as
    they were.
    """
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
