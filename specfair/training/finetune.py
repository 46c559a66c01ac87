"""Causal-LM fine-tuning of one model of a pair on one corpus, by transformers' Trainer:
a model in, a folder out.

Knows recipes, blocks of tokens and checkpoints; does not know prompts, groups or
acceptance. The pair that was passed in stays as it was, and so do the process's random
number generators.
"""

import copy
import json
import math
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from specfair.errors import DataError, ModelError, StoreError, UsageError
from specfair.models.folders import brief
from specfair.models.load import quiet
from specfair.models.pair import Pair
from specfair.texts.corpora import Corpus

Progress: TypeAlias = Callable[[int, int], None]  # steps done, steps in all
Schedule: TypeAlias = Literal["constant", "linear", "cosine"]

ROLES = ("target", "draft")
_DOCUMENTS = 1000  # tokenised at a time


@dataclass(frozen=True, slots=True)
class Recipe:
    """How both models are tuned. The defaults are the original study's, for models of
    GPT-2's size and up.
    """

    epochs: float = 1.0
    max_steps: int | None = None  # takes the place of epochs
    batch_size: int = 8
    accumulation: int = 32
    block: int = 512
    learning_rate: float = 5e-5
    schedule: Schedule = "constant"
    seed: int = 0
    checkpoints: int = 0  # saved along the way, evenly spaced, beside the end

    def __post_init__(self) -> None:
        rules = [
            ("epochs", self.epochs > 0, "above 0"),
            ("max_steps", self.max_steps is None or self.max_steps >= 1, "at least 1"),
            ("batch_size", self.batch_size >= 1, "at least 1"),
            ("accumulation", self.accumulation >= 1, "at least 1"),
            ("block", self.block >= 2, "at least 2"),
            ("learning_rate", self.learning_rate > 0, "above 0"),
            ("checkpoints", self.checkpoints >= 0, "at least 0"),
        ]
        for name, fits, rule in rules:
            if not fits:
                raise UsageError(
                    f"recipe: {name} is {getattr(self, name)}; it must be "
                    f"{rule}. Change {name}."
                )

    @property
    def n_blocks(self) -> int | None:
        """Blocks that will be looked at; None where the epochs decide."""
        return (
            None
            if self.max_steps is None
            else self.max_steps * self.batch_size * self.accumulation
        )


EMBEDDED = Recipe(
    max_steps=32,
    batch_size=16,
    accumulation=1,
    block=128,
    learning_rate=1e-3,
    schedule="cosine",
)


@dataclass(frozen=True, slots=True)
class Training:
    """One model of a pair on one corpus: everything that its weights afterwards depend
    on.
    """

    pair: Pair
    role: str  # target or draft
    corpus: Corpus
    recipe: Recipe

    @property
    def model(self) -> PreTrainedModel:
        found: PreTrainedModel = getattr(self.pair, self.role)
        return found

    @property
    def title(self) -> str:
        return f"{getattr(self.pair, f'{self.role}_name')!r} on {self.corpus.name!r}"

    @property
    def key(self) -> dict[str, Any]:
        """By content, so that a target is tuned once whatever its drafts are."""
        return {
            "model": getattr(self.pair, f"{self.role}_fingerprint"),
            "tokenizer": self.pair.tokenizer_fingerprint,
            "eos": list(self.pair.eos),
            "context": self.pair.context,
            "dtype": str(self.pair.dtype),
            "device": self.pair.device.type,
            "corpus": self.corpus.fingerprint,
            "recipe": asdict(self.recipe),
        }


@dataclass(frozen=True, slots=True)
class Tuned:
    """What fine-tuning one model left in a folder."""

    model: Path
    checkpoints: Mapping[int, Path]  # along the way, by step
    losses: tuple[float, ...]  # by step

    @property
    def n_steps(self) -> int:
        return len(self.losses)


def train(training: Training, folder: Path, progress: Progress | None = None) -> None:
    """Tune one model on the corpus's training split into `folder`, whose safety is the
    store's business.

    Without `progress`, the Trainer's own bar is shown.
    """
    folder.mkdir(parents=True)
    losses = _train(
        _Run(training, folder, progress),
        Blocks(pack(training.pair, training.corpus, training.recipe)),
    )
    (folder / "training.json").write_text(
        json.dumps({"losses": losses}), encoding="utf-8"
    )


def read(folder: Path) -> Tuned:
    """What `train` wrote there; a StoreError where it is damaged."""
    try:
        losses = tuple(
            map(
                float,
                json.loads((folder / "training.json").read_text("utf-8"))["losses"],
            )
        )
        steps = {
            int(step.name): step for step in sorted((folder / "checkpoints").glob("*"))
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"tuned model {folder.name!r} cannot be read ({type(error).__name__} in "
            "training.json); it must hold the "
            "loss of every step."
        ) from error
    return Tuned(folder / "model", steps, losses)


class Blocks(Dataset[dict[str, Tensor]]):
    """Blocks of tokens, each its own label."""

    def __init__(self, tokens: np.ndarray[Any, np.dtype[np.int32]]) -> None:
        self.tokens = tokens  # (n_blocks, block)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        block = torch.from_numpy(self.tokens[index].astype(np.int64))  # (block,)
        return {"input_ids": block, "labels": block}


def pack(
    pair: Pair, corpus: Corpus, recipe: Recipe
) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Documents in a random order, each ended by EOS, one after the other, cut into
    blocks.

    Blocks are no longer than the models' context; no more documents are read than the
    recipe's steps will use.
    """
    block = min(recipe.block, pair.context or recipe.block)
    wanted = None if recipe.n_blocks is None else recipe.n_blocks * block
    parts, n_tokens = [np.zeros(0, dtype=np.int32)], 0
    order = np.random.default_rng(recipe.seed).permutation(len(corpus.train))
    for chosen in np.split(order, range(_DOCUMENTS, len(order), _DOCUMENTS)):
        parts.append(_tokens(pair, [corpus.train[i] for i in chosen]))
        n_tokens += len(parts[-1])
        if wanted is not None and n_tokens >= wanted:
            break
    if n_tokens < block:
        raise DataError(
            f"corpus {corpus.name!r} has {n_tokens} tokens to train on; a block takes "
            f"{block}. "
            "Add documents or make the recipe's block smaller."
        )
    flat = np.concatenate(parts)[: n_tokens // block * block]
    return flat[:wanted].reshape(-1, block)


def _tokens(
    pair: Pair, documents: Sequence[str]
) -> np.ndarray[Any, np.dtype[np.int32]]:
    end = list(pair.eos[:1])
    encoded: list[list[int]] = pair.tokenizer(list(documents), verbose=False)[
        "input_ids"
    ]
    flat = [
        token for ids in encoded for token in (ids if ids[-1:] == end else ids + end)
    ]
    return np.array(flat, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class _Run:
    """One training under way."""

    training: Training
    folder: Path
    progress: Progress | None

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        """Weights in the pair's precision, the pair's configuration, the tokenizer
        beside them.
        """
        original = self.training.model
        saved: Any = copy.deepcopy(model)
        saved.to(dtype=original.dtype)
        # the Trainer switches the cache off in its own
        saved.config = copy.deepcopy(original.config)
        try:
            with quiet():
                saved.save_pretrained(folder)
            self.training.pair.tokenizer.save_pretrained(folder)
        # the writers beneath raise errors of their own for a full disk
        except Exception as error:
            raise (
                error if isinstance(error, OSError) else OSError(brief(error))
            ) from error


def _train(run: _Run, blocks: Blocks) -> list[float]:
    """Train a copy of one model, save it; the loss at each step."""
    original: Any = run.training.model
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
    recipe, device = run.training.recipe, run.training.pair.device.type
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


def due(n_steps: int, n_checkpoints: int) -> list[int]:
    """The steps at which a checkpoint is saved: evenly spaced, neither the start nor
    the end.
    """
    steps = {
        round(i * n_steps / (n_checkpoints + 1)) for i in range(1, n_checkpoints + 1)
    }
    return sorted(steps - {0, n_steps})


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
