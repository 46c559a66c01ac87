"""One training by transformers' Trainer: a model and texts in, a folder out.

Knows how weights change, what is saved and how a killed training goes on; does not know
prompts or acceptance. The pair that was passed in stays as it was, and so do the
process's random number generators.
"""

import copy
import json
import math
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from transformers import PreTrainedModel, TrainerCallback, TrainingArguments
from transformers.trainer_callback import (
    ExportableState,
    PrinterCallback,
    ProgressCallback,
)

from specfair.errors import ModelError, UsageError
from specfair.models.folders import brief
from specfair.models.load import quiet
from specfair.models.pair import Pair
from specfair.models.translating import Translated
from specfair.training.blocks import Blocks, pack
from specfair.training.lessons import Learning
from specfair.training.pool import Pool
from specfair.training.tuned import Training, due
from specfair.training.turns import Turns

Progress: TypeAlias = Callable[[int, int, float], None]  # steps done, in all, loss

_STATE = "trainer_state.json"  # the last file of a checkpoint that is written
_OFTEN = 10  # times that a training writes down how far it is ...
_SELDOM = 25  # ... but not more often than once in so many steps


def train(
    training: Training,
    pair: Pair,
    folder: Path,
    *,
    progress: Progress | None = None,
    resume: Path | None = None,
) -> None:
    """Tune one model of the opened pair into `folder`, whose safety is the store's
    business. What lies in `resume` of a killed training is gone on from; where there is
    none, it starts anew. Without `progress`, the Trainer's own bar is shown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = resume or folder / "resume"
    run = _Run(training, pair, folder, progress)
    losses = _train(run, place)
    if os.environ.get("RANK", "0") == "0":
        shutil.rmtree(place, ignore_errors=True)
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
        found: PreTrainedModel | Translated = getattr(self.pair, self.training.role)
        if isinstance(found, Translated):
            raise ModelError(
                f"draft {self.pair.draft_name!r} has a tokenizer of its own; a pair is "
                "tuned in one vocabulary. Give a ready one (--specfair-tuned-draft), "
                "or datasets = []."
            )
        return found

    def save(self, model: Any, folder: Path) -> None:
        """Weights in the pair's precision, adapters in them; the pair's configuration,
        the tokenizer beside them.
        """
        original = self.model
        saved: Any = copy.deepcopy(model)
        if hasattr(saved, "merge_and_unload"):
            saved = saved.merge_and_unload()
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


def _train(run: _Run, place: Path) -> list[float]:
    """Train a copy of one model, save it; the loss at each step."""
    recipe, texts = run.training.recipe, run.training.corpus
    arguments = _arguments(run, place)
    turns: Turns | None = None
    if isinstance(texts, Pool):
        each = arguments.train_batch_size * arguments.world_size * recipe.accumulation
        n_steps = recipe.n_steps(len(texts), each // recipe.n_texts)
        arguments.max_steps = n_steps
        turns = Turns(recipe, texts.group, texts.alphas, n_steps * each)
    data = texts if isinstance(texts, Pool) else Blocks(pack(run.pair, texts, recipe))
    with _generators_kept(), quiet(), _errors_of_disks():
        trainer = Learning(
            _prepared(run), arguments, data, pair=run.pair, recipe=recipe, turns=turns
        )
        for unwanted in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(unwanted)
        trainer.add_callback(_Watch(run, turns))
        if run.progress is None:
            trainer.add_callback(_Bar)
        last = _whole_checkpoint(place)
        if last and turns:
            stored = json.loads((last / _STATE).read_text("utf-8"))
            turns.resume(stored["stateful_callbacks"]["_Watch"])
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    if trainer.is_world_process_zero():
        run.save(trainer.model, run.folder / "model")
    return [log["loss"] for log in trainer.state.log_history if "loss" in log]


def _prepared(run: _Run) -> Any:
    """A copy that learns: all its weights, or adapters in them."""
    model: Any = copy.deepcopy(run.model)
    model.float().requires_grad_(True)
    recipe = run.training.recipe
    if recipe.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if not recipe.lora:
        return model
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise UsageError(
            f"recipe: lora = {recipe.lora} needs peft, which is not installed. Install "
            "specfair[lora], or leave lora out."
        ) from error
    torch.manual_seed(recipe.seed)
    adapters = LoraConfig(
        r=recipe.lora,
        lora_alpha=2 * recipe.lora,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, adapters)


def _arguments(run: _Run, place: Path) -> TrainingArguments:
    recipe, device = run.training.recipe, run.pair.device.type
    gpu = device == "cuda"
    if recipe.precision == "float16" and not gpu:
        raise UsageError(
            f"recipe: precision = 'float16' does not fit {device!r}, which does not "
            "train in it. Take float32 or bfloat16."
        )
    usual = recipe.precision == "auto" and gpu and torch.cuda.is_bf16_supported()
    steps = run.training.recipe.max_steps
    return TrainingArguments(
        output_dir=str(place),
        num_train_epochs=recipe.epochs,
        max_steps=steps or -1,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulation,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup,
        weight_decay=recipe.weight_decay,
        seed=recipe.seed,
        bf16=usual or recipe.precision == "bfloat16",
        fp16=recipe.precision == "float16",
        use_cpu=device == "cpu",
        dataloader_pin_memory=gpu,
        remove_unused_columns=False,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=max(_SELDOM, steps // _OFTEN),
        save_total_limit=2,
        report_to=[],
        disable_tqdm=True,
    )


def _whole_checkpoint(place: Path) -> Path | None:
    """The last checkpoint that was written to its end."""
    found = place.glob(f"checkpoint-*/{_STATE}")
    whole = [path.parent for path in found if path.stat().st_size]
    return max(whole, key=lambda p: int(p.name.rpartition("-")[2]), default=None)


class _Watch(TrainerCallback, ExportableState):
    """Looks at every step: the loss must be a number, checkpoints are due, somebody
    wants to know how far it is. What the turns have learned goes into the Trainer's own
    checkpoints.
    """

    def __init__(self, run: _Run, turns: Turns | None) -> None:
        self.run, self.turns, self.loss = run, turns, math.nan

    def state(self) -> dict[str, Any]:
        """As the Trainer stores it."""
        return self.turns.state if self.turns else {}

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
        if self.run.progress is not None:
            self.run.progress(state.global_step, state.max_steps, loss)

    def on_step_end(self, *at: Any, **known: Any) -> None:
        _, state, _ = at
        step, n_steps = state.global_step, state.max_steps
        wanted = step in due(n_steps, self.run.training.recipe.checkpoints)
        if wanted and state.is_world_process_zero:
            self.run.save(
                known["model"], self.run.folder / "checkpoints" / f"{step:08d}"
            )


class _Bar(ProgressCallback):
    """The Trainer's bar without a line for every step."""

    def on_log(self, *args: Any, **known: Any) -> None:
        pass


@contextmanager
def _errors_of_disks() -> Iterator[None]:
    """What the writers of checkpoints say of a full disk, as the system says it."""
    try:
        yield
    except Exception as error:
        full = "os error 28", "No space left", "file write failed"
        if isinstance(error, OSError) or not any(w in str(error) for w in full):
            raise
        raise OSError(brief(error)) from error


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
