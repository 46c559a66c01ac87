"""Is a server what it claims to be? Its texts against the target's own, its counts
against a replay of the pair, request by request.

Knows what may differ for no fault of the server's: where the target's two best tokens
are nearly tied, other arithmetic may choose otherwise. Does not know how either was
made.
"""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from specfair.audit.served import Served
from specfair.decoding import Lookahead
from specfair.traces.counting import SERVED
from specfair.traces.fidelity import unlike
from specfair.traces.replay import replay
from specfair.traces.tally import Tally
from specfair.traces.trace import Trace

NEAR_TIE = 0.02  # between the target's two best probabilities: servers round otherwise
FEW = 0.02  # of all requests: what rounding may do to drafts

Mask = NDArray[np.bool_]


def of_own_texts(served: Served, own: Trace, lookahead: Lookahead) -> tuple[str, str]:
    """What is wrong, and what was found, where the target wrote the same prompts
    greedily.
    """
    same = _same(served.trace, own)
    other = ~(same | _tied(served.trace, own))
    replayed = replay(own, lookahead, counting=SERVED)
    problem, said = _counted(served, replayed, same)
    if other.any():
        first = own.prompts[int(np.flatnonzero(other)[0])].id
        problem = (
            f"the server writes another text than the target after {other.sum():,} of "
            f"{len(own):,} prompts, {first!r} first: it is lossy, or another model"
        )
    return problem, f"{said}; {same.sum():,} texts are the target's own"


def of_its_texts(served: Served, read: Trace, lookahead: Lookahead) -> tuple[str, str]:
    """Likewise where texts are sampled: the pair has read those of the server."""
    everything = np.ones(len(read), dtype=np.bool_)
    replayed = replay(read, lookahead, counting=SERVED)
    problem, said = _counted(served, replayed, everything)
    lossy, known = unlike(read)
    if lossy:
        problem = f"the server's texts have {lossy}"
    return problem, "; its texts have ".join(filter(None, (said, known)))


def _counted(served: Served, replayed: Tally, known: Mask) -> tuple[str, str]:
    """Counts of the prompts whose text is the one that was replayed."""
    alike = known.copy()
    for name in (f.name for f in fields(Tally)):
        told = getattr(served.told.tally, name)
        alike &= np.isnan(told) | (told == getattr(replayed, name))
    n, n_alike = int(known.sum()), int(alike.sum())
    said = f"{n_alike:,} of {n:,} requests count as a replay of the pair does"
    if n - n_alike <= FEW * n:
        return "", said
    first = served.told.prompts[int(np.flatnonzero(known & ~alike)[0])].id
    return f"only {said}, {first!r} not: it is not this pair, or counts wrongly", said


def _same(a: Trace, b: Trace) -> Mask:
    found = [np.array_equal(a.text.of(i), b.text.of(i)) for i in range(len(a))]
    return np.array(found, dtype=np.bool_)


def _tied(other: Trace, own: Trace) -> Mask:
    """Whether two texts part where the target's best tokens are nearly tied."""
    found = []
    for i in range(len(own)):
        a, b = own.text.of(i), other.text.of(i)
        n = min(len(a), len(b))
        apart = np.flatnonzero(a[:n] != b[:n])
        at = min(int(apart[0]) if apart.size else n, len(a) - 1)
        found.append(len(a) > 0 and own["margin"][own.offsets[i] + at] < NEAR_TIE)
    return np.array(found, dtype=np.bool_)
