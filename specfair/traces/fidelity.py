"""Are sampled texts drawn from the target's law? How surprising they are to it, against
what is expected.

Whoever deploys a draft promises that the text stays the target's. What the target says
of its own token has, given all before it, the mean that its entropy is, so the excess
of any text over its entropies has mean 0, whatever its prompts and however long it is;
its square is its own standard error. Where the distribution is filtered or sharpened
the entropy is not known, and the target's own texts after the same prompts are what a
text is held against, prompt by prompt. Of a target's own texts one in 10,000 sets is
called lossy. Does not know who wrote.
"""

import numpy as np
from numpy.typing import NDArray

from specfair.traces.trace import Trace

Z = 3.9  # standard errors, which chance exceeds once in 10,000 times
EXCESS = 0.02  # nats for each token, below which a difference is none
# nats: what the target hardly can write surprises it so much, not endlessly
MOST = 20.0

Floats = NDArray[np.float64]


def surprise(read: Trace) -> Floats:
    """Nats of each token under the target."""
    with np.errstate(divide="ignore"):
        nats: Floats = -np.log(read["target_prob"].astype(np.float64))
    return np.minimum(nats, MOST)


def unlike(read: Trace, own: Trace | None = None) -> tuple[str, str]:
    """What is wrong with texts that the target has read, and what was found; `own` are
    the target's after the same prompts.
    """
    nats = surprise(read)
    if read.header.decoding.plain:
        expected = float(read["target_entropy"].mean())
        excess = read.per_prompt(nats - read["target_entropy"])
    elif own is not None:
        usual = surprise(own)
        expected = float(usual.mean())
        excess = read.per_prompt(nats) - own.per_prompt(usual)
    else:
        return "", ""
    mean, spread = excess.sum() / read.n_tokens, np.linalg.norm(excess)
    said = f"{nats.mean():.2f} nats for each token under the target"
    # NaN is none of both
    if abs(excess.sum()) <= Z * spread or abs(mean) <= EXCESS:
        return "", said
    return f"{said}, where {expected:.2f} were expected: it is lossy", said
