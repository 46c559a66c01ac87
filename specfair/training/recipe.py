"""How both models of a pair are tuned: a recipe, and which pair gets which.

Knows numbers and their limits; loads nothing.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from specfair.errors import UsageError
from specfair.vocabulary import EMBEDDED

Schedule: TypeAlias = Literal["constant", "linear", "cosine"]


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


# by the target's name; every other pair is tuned by the defaults
RECIPES = {
    EMBEDDED: Recipe(
        max_steps=32,
        batch_size=16,
        accumulation=1,
        block=128,
        learning_rate=1e-3,
        schedule="cosine",
    )
}
