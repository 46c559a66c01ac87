"""Which of several processes that share one store this is, as their launcher says it:
torchrun, accelerate, srun, a Slurm array, or pytest's xdist; and how workers of a Ray
cluster are asked for.

Knows environment variables. Workers need not know of each other: each begins somewhere
else, takes what nobody has begun, and waits at the end for what others still do. So
their number matters to nothing, and a killed one costs what it had begun.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

# (own number, how many, number on this machine), the first that is set
_LAUNCHERS = (
    ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", ""),
    ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_WORKER"),
)
_TOGETHER = "ACCELERATE_MIXED_PRECISION"  # accelerate launch sets it, torchrun does not


@dataclass(frozen=True, slots=True)
class Worker:
    """One of n.

    >>> Worker(1, 3).turned(["a", "b", "c", "d"])
    ['b', 'c', 'd', 'a']
    """

    nth: int = 0
    n: int = 1
    local: int = 0  # of those on this machine: which of its devices is its own

    def turned(self, things: Sequence[T]) -> list[T]:
        """The things, beginning at this worker's part of them."""
        start = self.nth * len(things) // self.n
        return [*things[start:], *things[:start]]


@dataclass(frozen=True, slots=True)
class Hired:
    """Workers of a Ray cluster.

    >>> Hired.of("ray:4x2")
    Hired(n=4, gpus=2.0)
    """

    n: int = 0  # 0 is as many as the cluster has room for
    gpus: float | None = None  # of each; by default one, where the cluster has any

    @classmethod
    def of(cls, text: str) -> "Hired | None":
        """ray, ray:N or ray:NxG; None for anything else."""
        found = re.fullmatch(r"ray(?::([1-9]\d*)(?:x(\d+(?:\.\d+)?))?)?", text)
        if found is None:
            return None
        n, gpus = found.groups()
        return cls(int(n or 0), None if gpus is None else float(gpus))


def here(environ: Mapping[str, str] = os.environ) -> Worker:
    """This process; the only one where no launcher says otherwise."""
    for own, count, local in _LAUNCHERS:
        n = int(environ.get(count) or 1)
        if own in environ and n > 1:
            first = int(environ.get("SLURM_ARRAY_TASK_MIN") or 0)
            nth = _number(environ[own]) - (first if own.startswith("SLURM_A") else 0)
            return Worker(nth % n, n, _number(environ.get(local, "0")))
    return Worker()


def leads(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process speaks for its launch; what a test starts is no launch of
    xdist's.
    """
    xdist = "PYTEST_XDIST"
    return here({k: v for k, v in environ.items() if not k.startswith(xdist)}).nth == 0


def _number(text: str) -> int:
    return int(text.removeprefix("gw"))


def together(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether trainings are of all processes at once, as accelerate's are."""
    return _TOGETHER in environ and here(environ).n > 1


@contextmanager
def by_itself() -> Iterator[None]:
    """A training that is this process's own: what would make it wait for the others is
    hidden from libraries.
    """
    names = () if together() else ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    hidden = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
