"""Prompt sets by group: the embedded one, HONEST, BOLD, HolisticBias, MGSM, and a file
of yours.

Knows the sets by name and how a name is written, NAME[/PART][:PLACE]; each set's own
module knows how it is read.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from specfair.errors import UsageError, unknown
from specfair.texts.prompts.bold import bold_prompts
from specfair.texts.prompts.holistic_bias import N_PER_GROUP, holistic_bias_prompts
from specfair.texts.prompts.honest import honest_prompts
from specfair.texts.prompts.mgsm import mgsm_prompts
from specfair.texts.prompts.own import embedded_prompts, fixtures, own_prompts
from specfair.texts.prompts.sets import Prompt, PromptSet
from specfair.texts.reading import opened

__all__ = ["NAMES", "Prompt", "PromptSet", "fixtures", "load"]


class _How(NamedTuple):
    """What a loader may be told beside its name."""

    part: str
    place: str
    ambiguous: str
    n_per_group: int | None
    seed: int


_SETS: Mapping[str, Callable[[_How], PromptSet]] = {
    "embedded": lambda _: embedded_prompts(),
    "honest": lambda how: honest_prompts(how.place, how.ambiguous),
    "bold": lambda how: bold_prompts(how.part, how.place),
    "holistic_bias": lambda how: holistic_bias_prompts(
        how.part, how.place, n=how.n_per_group or N_PER_GROUP, seed=how.seed
    ),
    "mgsm": lambda how: mgsm_prompts(how.place),
    "file": lambda how: own_prompts(how.place, how.ambiguous),
}
_PARTED = ("bold", "holistic_bias")
NAMES = tuple(_SETS)


def load(
    spec: str, *, ambiguous: str = "drop", n_per_group: int | None = None, seed: int = 0
) -> PromptSet:
    """A prompt set by its name: "embedded", "honest", "honest:FOLDER",
    "bold/gender:FOLDER", "file:PATH" and so on.

    A place "hub:ID" reads another dataset of the same layout. Where HONEST or a file
    has prompts under two groups or twice in one, ambiguous="drop" leaves them out and
    "keep" keeps every row; either way a note says how many.
    """
    head, _, place = spec.partition(":")
    name, _, part = head.partition("/")
    if name not in _SETS:
        own = f" A file of your own is file:{spec}." if Path(spec).exists() else ""
        raise UsageError(f"{unknown('prompt set', name, _SETS)}{own}")
    if part and name not in _PARTED:
        raise UsageError(
            f"prompt set {name!r} has no part {part!r}; only "
            f"{' and '.join(_PARTED)} have parts. Leave it out."
        )
    found = _read(name, _How(part, place, ambiguous, n_per_group, seed), _state(place))
    return found if n_per_group is None else found.limit(n_per_group, seed=seed)


@lru_cache(maxsize=8)
def _read(name: str, how: _How, state: Any) -> PromptSet:  # noqa: ARG001 - what the files were like is the memo's key
    """Once a process, however many tests ask."""
    return _SETS[name](how)


def _state(place: str) -> tuple[Any, ...]:
    """The files of a place: where they are, how large and when changed. No place is no
    folder, not this one.
    """
    if not place:
        return ()
    path = Path(place).absolute()
    with opened(path):
        files = [path] if path.exists() else []
        files += path.rglob("*") if path.is_dir() else ()
        stats = [(str(f), f.stat(follow_symlinks=False)) for f in files]
        return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
