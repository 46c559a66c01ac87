"""One training before and after: what its weights depend on, and what it left in a
folder.

Knows identities, texts and recipes; does not know torch, nor how training is done.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from specfair.errors import StoreError, UsageError
from specfair.models.identity import Identity
from specfair.texts.corpora import Corpus
from specfair.training.pool import Pool
from specfair.training.recipe import ALONE, Recipe


@dataclass(frozen=True, slots=True)
class Training:
    """One model of a pair on one corpus or pool: everything that its weights afterwards
    depend on.
    """

    pair: Identity
    role: str  # target or draft
    corpus: Corpus | Pool
    recipe: Recipe

    def __post_init__(self) -> None:
        if isinstance(self.corpus, Corpus) and self.recipe.name not in ALONE:
            raise UsageError(
                f"recipe {self.recipe.name!r} needs groups, which corpus "
                f"{self.corpus.name!r} has none of. Choose clm or distill, or mend a "
                "draft with it: specfair mend."
            )

    @property
    def title(self) -> str:
        return f"{getattr(self.pair, f'{self.role}_name')!r} on {self.corpus.name!r}"

    @property
    def source(self) -> str:
        """What it learns, in words."""
        if self.recipe.name == "clm":
            return self.corpus.source
        return f"{self.corpus.source}, {self.recipe.name}"

    @property
    def key(self) -> dict[str, Any]:
        """By content, so that a target is tuned once whatever its drafts are."""
        teacher = self.pair.target_fingerprint
        learns = {} if self.recipe.name == "clm" else {"teacher": teacher}
        return learns | {
            "model": getattr(self.pair, f"{self.role}_fingerprint"),
            "tokenizer": self.pair.tokenizer_fingerprint,
            "eos": list(self.pair.eos),
            "context": self.pair.context,
            "dtype": self.pair.dtype,
            "device": self.pair.device,
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

    @classmethod
    def read(cls, folder: Path) -> "Tuned":
        """What training wrote there; a StoreError where it is damaged."""
        try:
            said = json.loads((folder / "training.json").read_text("utf-8"))
            losses = tuple(map(float, said["losses"]))
            saved = sorted((folder / "checkpoints").glob("*"))
            steps = {int(place.name): place for place in saved}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"tuned model {folder.name!r} cannot be read ({type(error).__name__} "
                "in training.json); it must hold the loss of every step."
            ) from error
        return cls(folder / "model", steps, losses)


def due(n_steps: int, n_checkpoints: int) -> list[int]:
    """The steps at which a checkpoint is saved: evenly spaced, neither the start nor
    the end.
    """
    steps = {
        round(i * n_steps / (n_checkpoints + 1)) for i in range(1, n_checkpoints + 1)
    }
    return sorted(steps - {0, n_steps})
