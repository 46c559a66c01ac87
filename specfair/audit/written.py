"""What is found of a stage's texts by something beside the pair: words of a lexicon.

Knows which of them the settings ask for. Does not know the statistics of what is found.
"""

from collections.abc import Callable, Mapping

import numpy as np

from specfair.config import Settings
from specfair.texts.lexicons import lexicon
from specfair.traces.trace import Text
from specfair.traces.written import Decode, Sums, texts


def scores(
    settings: Settings, text: Text, decode: Callable[[], Decode]
) -> Mapping[str, Sums]:
    """The metrics that are asked for, by text."""
    if not settings.lexicon_place:
        return {}
    words = lexicon(settings.lexicon_place)
    hurtful = [any(words.found(one)) for one in texts(text, decode())]
    return {"hurtful": (np.array(hurtful, dtype=np.float64), np.ones(len(hurtful)))}
