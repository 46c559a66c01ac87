"""Packing: as many prompts at a time as memory holds.

Knows sizes and memory; does not know what is done with a batch.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from specfair.engine.task import Rows, Task
from specfair.models.devices import fits

Progress = Callable[[int, int], None]  # prompts done, prompts in all

_BATCH_TOKENS = {"cpu": 1 << 13, "cuda": 1 << 17}
# Linux's allocator gives memory back to the system once twice as much is free as its
# largest block had that was freed, of blocks up to 32 MiB; to have it again costs more
# than most arithmetic on it. Such a block, never touched, costs nothing.
_FREED = 31 << 20


def in_batches(
    task: Task,
    work: Callable[[Rows], None],
    progress: Progress | None = None,
    batch_tokens: int | None = None,
    *,
    once: bool = False,
) -> None:
    """Longest first, as many rows as fit the limit; where memory runs out, half as many
    from there on.

    `once` raises instead: what is timed must not be tried twice.
    """
    torch.empty(_FREED, dtype=torch.uint8)
    limit = batch_tokens or _BATCH_TOKENS.get(task.pair.device.type, 1 << 15)
    n_new = task.decoding.max_new_tokens
    sizes = np.array([len(ids) + n_new for ids in task.ids], dtype=np.int64)
    order, done = np.argsort(-sizes, kind="stable"), 0
    while done < len(order):
        longest = int(sizes[order[done]])
        rows = order[done : done + max(1, limit // longest)]
        if once:
            work(rows)
        if once or fits(partial(work, rows)):
            done += len(rows)
            if progress is not None:
                progress(done, len(order))
        elif len(rows) > 1:
            limit = len(rows) // 2 * longest
        else:
            raise task.too_large(int(rows[0]))
