"""What was written: a target's tokens as texts, and what is counted of tokens alone.

Knows where a text ends. Does not know a word of any language, nor who reads.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from specfair.stats.tally import Array, Flags
from specfair.traces.trace import Text

Sums = tuple[Array, Array]  # numerators and denominators by text
Decode = Callable[[Sequence[int]], str]


def texts(text: Text, decode: Decode) -> list[str]:
    """The words of each, without the token that ended it."""
    lengths = text.lengths - _ended(text)
    return [decode(text.of(i)[:n].tolist()) for i, n in enumerate(lengths.tolist())]


def _ended(text: Text) -> Flags:
    """Whether each ends with a token that ends texts."""
    ends = np.isin(text.columns["token"], text.header.eos)
    found = text.lengths > 0
    found[found] = ends[text.offsets[1:][found] - 1]
    return found


def as_written(text: Text, sums: Sums) -> Sums:
    """NaN where the target's own numbers are none: that text is nobody's."""
    lost = ~np.isfinite(text.columns["target_entropy"])
    of = np.repeat(np.arange(len(text.prompts)), text.lengths)
    n_lost = np.bincount(of, weights=lost, minlength=len(text.prompts))
    return np.where(n_lost > 0, np.nan, sums[0]), sums[1]


def _each(text: Text) -> Array:
    return np.ones(len(text.prompts))


def _length(text: Text) -> Sums:
    return text.lengths.astype(np.float64), _each(text)


def _own_endings(text: Text) -> Sums:
    return _ended(text).astype(np.float64), _each(text)


def _distinct_bigrams(text: Text) -> Sums:
    tokens = text.columns["token"].astype(np.int64)
    of = np.repeat(np.arange(len(text.prompts)), text.lengths)
    inside = of[1:] == of[:-1]
    pairs = np.stack([of[1:], tokens[:-1], tokens[1:]])[:, inside]
    n = len(text.prompts)
    distinct = np.bincount(np.unique(pairs, axis=1)[0], minlength=n)
    return distinct.astype(np.float64), np.bincount(pairs[0], minlength=n).astype(float)


# metrics of a text that need nothing beside it
OF_TOKENS: Mapping[str, Callable[[Text], Sums]] = {
    "length": _length,
    "distinct_bigrams": _distinct_bigrams,
    "own_endings": _own_endings,
}
