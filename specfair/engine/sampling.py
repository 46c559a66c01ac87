"""Probability functions of speculative sampling, on tensors whose last dimension is the
vocabulary: here temperature, top-k and top-p act.

Knows distributions and uniform numbers; does not know models, prompts or text. A
speculative step is a maximal coupling of two distributions, so the same three functions
serve both directions: `coin` says with what probability a token drawn from one also
passes for the other, `residual` is what the rest is drawn from, `draw` turns a uniform
number into a token.
"""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specfair.decoding import Decoding

DRAWS = 3  # uniform numbers per position
TOKEN, COIN, REPLACEMENT = range(DRAWS)  # what each is for
_WIDTH = 64  # tokens in a block
_TILE = {"cpu": 1 << 20, "cuda": 1 << 27}  # numbers per tile


def choose(logits: Tensor, uniforms: Tensor, decoding: Decoding) -> Tensor:
    """The next token of every row. logits (n, vocabulary), uniforms (n,)."""
    if decoding.greedy:
        return best(logits)
    chosen = [
        draw(deployed(logits[rows], decoding), uniforms[rows]) for rows in tiles(logits)
    ]
    return torch.cat(chosen)


def tiles(logits: Tensor) -> list[slice]:
    """Rows in portions that fit a processor's cache: fresh memory of the vocabulary's
    size costs more than the arithmetic.
    """
    size = max(1, _TILE.get(logits.device.type, 1 << 24) // logits.shape[-1])
    return [slice(at, at + size) for at in range(0, max(1, len(logits)), size)]


def deployed(logits: Tensor, decoding: Decoding) -> Tensor:
    """The distribution that is sampled from; the model's own at temperature 1 under
    greedy decoding.
    """
    if decoding.greedy:
        return torch.softmax(logits, dim=-1)
    return distribution(
        logits, decoding.temperature, top_k=decoding.top_k, top_p=decoding.top_p
    )


def proposing(logits: Tensor, decoding: Decoding, *, first_choice: bool) -> Tensor:
    """The distribution that proposals are drawn from: all of it at the first choice,
    where that is what the draft proposes.
    """
    if not first_choice:
        return deployed(logits, decoding)
    token, best, _ = best_two(logits)
    certain = torch.where(best.isfinite(), 1.0, torch.nan)
    return torch.zeros_like(logits).scatter(-1, token[..., None], certain[..., None])


def distribution(
    logits: Tensor, temperature: float = 1.0, *, top_k: int = 0, top_p: float = 1.0
) -> Tensor:
    """Probabilities after temperature, then top-k, then top-p, each applied once."""
    # from the best downwards, so that a temperature near 0 has nothing to overflow
    if temperature != 1.0:
        best = logits.amax(-1, keepdim=True)
        logits = (logits - best) / max(temperature, torch.finfo(logits.dtype).tiny)
    if 0 < top_k < logits.shape[-1]:
        logits = _top_k(logits, top_k)
    probabilities = torch.softmax(logits, dim=-1)
    return _top_p(probabilities, top_p) if top_p < 1.0 else probabilities


def _top_k(logits: Tensor, top_k: int) -> Tensor:
    smallest = torch.topk(logits, top_k, dim=-1).values[..., -1:]
    return logits.masked_fill(logits < smallest, -torch.inf)


def _top_p(probabilities: Tensor, top_p: float) -> Tensor:
    """The most probable tokens that together hold at least top_p, with any tied to the
    last of them, rescaled to 1.
    """
    ordered = _descending(probabilities)
    before = ordered.cumsum(-1) - ordered
    n_kept = (before < top_p).sum(-1, keepdim=True).clamp(min=1)
    least = ordered.gather(-1, n_kept - 1)
    kept = probabilities.masked_fill(~(probabilities >= least), 0.0)
    return kept / kept.sum(-1, keepdim=True)


def _descending(values: Tensor) -> Tensor:
    if values.device.type != "cpu":
        return torch.sort(values, dim=-1, descending=True).values
    # eight times as fast as torch's on a CPU
    ascending = np.sort(values.detach().numpy(), axis=-1)
    return torch.from_numpy(ascending).flip(-1)


def coin(own: Tensor, other: Tensor) -> Tensor:
    """min(1, other / own): the chance that a token of probability `own` where it was
    drawn passes for `other`.

    For a draft's proposal own is the draft's probability; for the target's own text it
    is the target's. What was drawn has some; where a text is read again, rounding may
    leave its token just outside a filter, without any.
    """
    tiny = torch.finfo(own.dtype).tiny
    return (other / own.clamp(min=tiny)).clamp(max=1.0)


def residual(own: Tensor, other: Tensor) -> Tensor:
    """Weights max(0, own - other): what `own` owes once the overlap is taken; `own`
    itself where they are equal.
    """
    rest = (own - other).clamp(min=0.0)
    equal = rest.sum(-1, keepdim=True) == 0
    return torch.where(equal, own, rest)


def draw(weights: Tensor, uniforms: Tensor) -> Tensor:
    """One token per row by inverse CDF. Weights need not sum to 1; a token of weight 0
    is never drawn.
    """
    # (..., n_blocks): two short searches instead of one over the vocabulary
    mass = _blocks(weights, torch.sum)
    ends = mass.cumsum(-1)
    below = uniforms.unsqueeze(-1) * ends[..., -1:]
    block = _search(ends, below)
    inside = _block(weights, block, 0.0)
    start = ends.gather(-1, block) - mass.gather(-1, block)
    place = _search(inside.cumsum(-1), (below - start).clamp(min=0.0))
    token: Tensor = block * _WIDTH + place
    return token.squeeze(-1).clamp(max=weights.shape[-1] - 1)  # NaN sorts past the end


def _search(ends: Tensor, below: Tensor) -> Tensor:
    """The first place whose cumulative sum exceeds `below`, held under the total
    against rounding.
    """
    last = ends[..., -1:]
    under = torch.nextafter(last, torch.zeros_like(last))
    found = torch.searchsorted(ends, torch.minimum(below, under), right=True)
    return found.clamp(max=ends.shape[-1] - 1)


def best(values: Tensor) -> Tensor:
    """The first largest entry's index of every row; NaN wins."""
    if values.device.type == "cpu":  # four times as fast as torch's
        return torch.from_numpy(values.detach().numpy().argmax(-1))
    return values.argmax(-1)


def best_two(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same, its value and the second largest value."""
    token = best(values)
    place, top = token[..., None], at(values, token)
    # put back below: a copy of the vocabulary's size would cost more than the rest
    values.scatter_(-1, place, -torch.inf)
    second = values.amax(-1)
    values.scatter_(-1, place, top[..., None])
    return token, top, second


def _blocks(values: Tensor, reduce: Callable[..., Tensor]) -> Tensor:
    """Reduce every block of neighbouring tokens: vectorised reductions are far faster
    than argmax or cumsum.
    """
    n_whole = values.shape[-1] // _WIDTH
    whole = n_whole * _WIDTH
    parts = []
    if whole:
        blocks = values[..., :whole].reshape(*values.shape[:-1], n_whole, _WIDTH)
        parts.append(reduce(blocks, dim=-1))
    if whole < values.shape[-1]:
        parts.append(reduce(values[..., whole:], dim=-1, keepdim=True))
    return torch.cat(parts, dim=-1)


def _block(values: Tensor, block: Tensor, fill: float) -> Tensor:
    """The tokens of one block per row (..., _WIDTH); `fill` past the end of the
    vocabulary.
    """
    tokens = block * _WIDTH + torch.arange(_WIDTH, device=values.device)
    last = values.shape[-1] - 1
    inside = values.gather(-1, tokens.clamp(max=last))
    return inside.masked_fill(tokens > last, fill)


def at(values: Tensor, tokens: Tensor) -> Tensor:
    """The entry of each row for its token."""
    return values.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Sum of min(a, b): 1 minus the total variation, and the mean of `coin` over tokens
    drawn from either.
    """
    return torch.minimum(a, b).sum(-1)


def uniforms(seed: int, names: Sequence[str], n_positions: int) -> NDArray[np.float32]:
    """Each text's own stream, from the run's seed and its name: (n_texts, n_positions,
    DRAWS) in [0, 1).

    A longer stream starts with the shorter one. Nothing depends on which other prompts
    are there.
    """
    shape = (n_positions, DRAWS)
    return np.stack([_stream(seed, name).random(shape, np.float32) for name in names])


def _stream(seed: int, name: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed}\0{name}".encode()).digest()
    key = np.frombuffer(digest[:16], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))
