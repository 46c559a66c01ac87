"""Live decoding as the way to count: in place of the replay, and without loading a
model before something is counted.

Knows when decoding has to run. How it runs is known elsewhere.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from specfair.decoding import Lookahead
from specfair.traces.metrics import Engine
from specfair.traces.tally import Tally
from specfair.traces.trace import Trace

if TYPE_CHECKING:
    from specfair.models.pair import Pair


def live_engine(pair: "Callable[[], Pair]") -> Engine:
    """Counts by real speculative decoding of the trace's prompts, in place of the
    replay; once for each lookahead.
    """
    done: dict[Lookahead, tuple[Trace, Tally]] = {}

    def count(trace: Trace, lookahead: Lookahead) -> Tally:
        from specfair.engine import speculate

        if lookahead not in done or done[lookahead][0] is not trace:
            done[lookahead] = (
                trace,
                speculate.count(
                    pair(), trace.prompts, trace.header.decoding, lookahead
                ),
            )
        return done[lookahead][1]

    return count
