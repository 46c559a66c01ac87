"""Words that several rooms share: stages, decisions, and what stands for the shipped
world.

Knows no figures and loads nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal, TypeAlias

TUNED = "tuned"  # the only "dataset" where a ready fine-tuned pair is given
EMBEDDED = "embedded"  # the pair, the prompts and the corpora that the project ships
# what the pair is fine-tuned on, unless files of one's own are named
DATASETS = ("ag_news", "imdb", "cnn_dailymail", "sst2", "wikitext")
# a dataset of one's own, such as reviews=file:r.csv#body
OWN_DATASET = re.compile(
    r"(?:(?P<alias>[^=:/\\#]+)=)?file:(?P<path>[^#]*)(?:#(?P<column>.*))?", re.DOTALL
)
OK, FAILED, USAGE, UNDECIDED = 0, 1, 2, 3  # exit codes of the command line

Decision: TypeAlias = Literal["fail", "invalid", "insufficient", "pass"]
# in the order a reader wants them
DECISIONS: tuple[Decision, ...] = ("fail", "invalid", "insufficient", "pass")
_STEP = re.compile(r"@[0-9]{0,18}\Z")


def dataset_name(text: str) -> str:
    """What a dataset goes by: its alias, the stem of its file, or the text itself.

    >>> dataset_name("reviews=file:data/r.csv#body"), dataset_name("file:data/r.csv")
    ('reviews', 'r')
    """
    own = OWN_DATASET.fullmatch(text)
    return (own["alias"] or PurePath(own["path"]).stem) if own else text


def exit_code(decisions: Iterable[str]) -> int:
    """What a run that came to these decisions ends with."""
    found = set(decisions)
    if found & {"fail", "invalid"}:
        return FAILED
    return UNDECIDED if "insufficient" in found else OK


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
    def of(cls, named: "Stage | str") -> "Stage":
        """A stage as users name it: "base", or a dataset."""
        if isinstance(named, Stage):
            return named
        return BASE if named == str(BASE) else cls(named)

    @classmethod
    def parse(cls, text: str) -> "Stage":
        """What str() made."""
        name, at, step = text.rpartition("@")
        if not at or not _STEP.fullmatch(at + step):
            return cls.of(text)
        return cls(cls.of(name).dataset, int(step) if step else None)

    def __str__(self) -> str:
        name = self.dataset or "base"
        if self.step is not None:
            return f"{name}@{self.step}"
        # one more @ where the name itself ends as a step does
        return f"{name}@" if _STEP.search(name) else name

    @property
    def tuned(self) -> bool:
        """Whether it comes after fine-tuning, so that there is a before."""
        return bool(self.dataset)


BASE = Stage()  # the pair before any fine-tuning
