"""Words that several rooms share: stages, decisions, and what stands for the shipped
world.

Knows no figures and loads nothing.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

BASE = "base"  # the pair before any fine-tuning, among the stages
TUNED = "tuned"  # the only "dataset" where a ready fine-tuned pair is given
EMBEDDED = "embedded"  # the pair, the prompts and the corpora that the project ships

Decision: TypeAlias = Literal["fail", "invalid", "insufficient", "pass"]


@dataclass(frozen=True, slots=True)
class Stage:
    """Which pair was measured: the one given, or what fine-tuning made of it.

    >>> str(Stage()), str(Stage("imdb")), str(Stage("imdb", step=400))
    ('base', 'imdb', 'imdb@400')
    >>> Stage.parse("imdb@400") == Stage("imdb", step=400)
    True
    """

    dataset: str = ""  # what it was fine-tuned on; "" is the pair before any of that
    step: int | None = None  # of the fine-tuning, where it is not its end

    @classmethod
    def parse(cls, text: str) -> "Stage":
        """What str() made."""
        name, at, step = text.rpartition("@")
        if at and step.isdigit():
            return cls(name, int(step))
        return cls() if text == BASE else cls(text)

    def __str__(self) -> str:
        name = self.dataset or BASE
        return name if self.step is None else f"{name}@{self.step}"

    @property
    def tuned(self) -> bool:
        """Whether it comes after fine-tuning, so that there is a before."""
        return bool(self.dataset)
