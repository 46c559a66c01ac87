"""What transformers' own generate counts, watched from outside."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from specfair.decoding import Decoding, Lookahead
from specfair.models.load import quiet
from specfair.traces.counting import AS_DEPLOYED
from specfair.traces.replay import replay
from specfair.traces.trace import Trace
from tests.test_as_deployed import Watcher


def generated(
    target: Any, prompts: Sequence[Sequence[int]], decoding: Decoding, **how: Any
) -> NDArray[np.float64]:
    """For each prompt new tokens, rounds, drafted, tested and accepted."""
    found = []
    for ids in prompts:
        watcher = Watcher()
        hook = target.register_forward_pre_hook(watcher.before_target, with_kwargs=True)
        try:
            with quiet():
                target.generate(
                    torch.tensor([ids]),
                    attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                    max_new_tokens=decoding.max_new_tokens,
                    do_sample=not decoding.greedy,
                    streamer=watcher,
                    **how,
                )
        finally:
            hook.remove()
        found.append(watcher.counts)
    return np.array(found, dtype=np.float64)


def replayed(trace: Trace, lookahead: Lookahead) -> NDArray[np.float64]:
    """The same counts from a trace."""
    tally = replay(trace, lookahead, counting=AS_DEPLOYED)
    names = ("n_new_tokens", "n_rounds", "n_drafted", "n_tested", "n_accepted")
    return np.stack([getattr(tally, name) for name in names], axis=1)
