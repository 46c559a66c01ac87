"""Who makes which portion: prompts dealt into portions, and portions shared with other
workers on the same store.

Knows prompts and that somebody may be busy; not what is made of a portion.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
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


def shared(
    jobs: Sequence[Callable[..., T]], at_once: Callable[[], int] = lambda: 1
) -> list[T]:
    """Everything, made here or by other workers: each takes what nobody has begun, and
    waits only where all that is left is begun.
    """
    todo, found = workers.here().turned(jobs), list[T]()
    while todo:
        n = at_once() if len(todo) > 1 else 1
        tried = side_by_side([partial(_tried, job) for job in todo], n)
        left = [job for job, made in zip(todo, tried, strict=True) if not made]
        found += [one for made in tried for one in made]
        if len(left) == len(todo):
            found.append(left.pop(0)(wait=True))
        todo = left
    return found


def _tried(job: Callable[..., T]) -> list[T]:
    """None of it where somebody else has begun it."""
    try:
        return [job(wait=False)]
    except BusyError:
        return []


def side_by_side(jobs: Sequence[Callable[[], T]], n: int) -> list[T]:
    """So many at once; after the first that fails, none begins."""
    if n == 1:
        return [job() for job in jobs]
    with ThreadPoolExecutor(n) as several:
        return list(several.map(lambda job: job(), jobs))
