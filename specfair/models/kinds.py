"""What is written as a draft: a model, or one of the ways to draft without one.

Knows the grammar, and what of it needs files of its own. Does not know how any kind
proposes: `engine.drafts` does.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from specfair.errors import UsageError, unknown
from specfair.project import HEADS

MODEL = "model"
LOOKUP, NGRAM, EARLY_EXIT = "prompt-lookup", "ngram", "early-exit"
MTP, (EAGLE3, MEDUSA, DFLASH) = "mtp", HEADS

LOOKUPS = (LOOKUP, NGRAM)

# what stands behind the name and a colon, and how that is written
_GRAMMAR: Mapping[str, tuple[str, str]] = {
    LOOKUP: (
        r"([0-9]{1,4})(?:/([0-9]{1,4}))?",
        "prompt-lookup:10 or prompt-lookup:10/3",
    ),
    NGRAM: (r"([0-9]{1,4}),([0-9]{1,4})-([0-9]{1,4})", "ngram:5,2-4"),
    EARLY_EXIT: (r"([0-9]{1,4})", "early-exit:2"),
}
KINDS = (*_GRAMMAR, MTP, *HEADS)
SHAPES = (
    "prompt-lookup:N[/NGRAM]",
    "ngram:N,MIN-MAX",
    "early-exit:LAYERS",
    MTP,
    *(f"{name}:FOLDER" for name in HEADS),
)


@dataclass(frozen=True, slots=True)
class DraftKind:
    """A way to draft, with the numbers or the folder behind its name."""

    name: str
    written: str  # in full
    numbers: tuple[int, ...] = ()
    place: str = ""  # a folder or hub id, where it has weights of its own

    @property
    def of_files(self) -> bool:
        """Whether it has weights and a tokenizer of its own."""
        return self.name == MODEL

    @property
    def length(self) -> int | None:
        """How many tokens a round proposes, where the draft itself says it."""
        return self.numbers[0] if self.name in LOOKUPS else None

    def fingerprint(self, target: str) -> str:
        """Of a draft without weights of its own, for the target of this fingerprint."""
        of = target if self.name in (EARLY_EXIT, MTP) else ""
        return hashlib.sha256(f"{self.written}{of}".encode()).hexdigest()


def kind_of(written: str) -> DraftKind:
    """What is meant by it; a folder of that name is a model whatever it is called."""
    name, colon, rest = written.partition(":")
    if (not colon and name not in KINDS) or os.path.isdir(written):
        return DraftKind(MODEL, written, place=written)
    if name not in KINDS:
        if os.path.isabs(written) or len(name) == 1:  # of a drive
            return DraftKind(MODEL, written, place=written)
        raise UsageError(unknown("kind of draft", name, KINDS))
    if name in HEADS and rest:
        return DraftKind(name, written, place=rest)
    if name in HEADS or (name == MTP and colon):
        right = MTP if name == MTP else f"{name}:FOLDER"
        raise UsageError(f"draft {written!r} says too little or much. Write {right}.")
    if name == MTP:
        return DraftKind(name, written)
    pattern, example = _GRAMMAR[name]
    found = re.fullmatch(pattern, rest)
    numbers = tuple(map(int, filter(None, found.groups()))) if found else ()
    ranged = name != NGRAM or numbers[1:] == tuple(sorted(numbers[1:]))
    if not numbers or min(numbers) < 1 or not ranged:
        raise UsageError(
            f"draft {written!r} says too little or what cannot be; {name} has whole "
            f"numbers from 1 on. Write {example}."
        )
    return DraftKind(name, written, numbers)
