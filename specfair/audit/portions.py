"""Who makes which portion: prompts dealt into portions, and portions shared with other
workers on the same store.

Knows prompts and that somebody may be busy; not what is made of a portion.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from specfair import workers
from specfair.errors import BusyError
from specfair.texts.prompts import Prompt

T = TypeVar("T")


def portions(prompts: Sequence[Prompt], size: int) -> list[list[Prompt]]:
    """Which prompts are one portion depends on nothing but the prompts: they are dealt
    by length, so that none takes longer than others, and none is one group's.
    """
    every = sorted(prompts, key=lambda p: (p.nth, len(p.text), p.id))
    n = -(-len(every) // size)
    return [every[start::n] for start in range(n)]


def shared(jobs: Sequence[Callable[..., T]]) -> list[T]:
    """Everything, made here or by other workers: each takes what nobody has begun, and
    waits only where all that is left is begun.
    """
    todo, found = workers.here().turned(jobs), list[T]()
    while todo:
        left = []
        for job in todo:
            try:
                found.append(job(wait=False))
            except BusyError:
                left.append(job)
        if len(left) == len(todo):
            found.append(left.pop(0)(wait=True))
        todo = left
    return found
