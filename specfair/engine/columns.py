"""Two models' logits at the same positions to one number per column; the next token;
the table that is filled.

Knows distributions and the columns of a Trace; does not know models or batches. Works
through the rows in tiles that fit a processor's cache, because fresh memory of the
vocabulary's size costs more than the arithmetic.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specfair.decoding import Decoding
from specfair.engine import sampling
from specfair.texts.prompts import Prompt
from specfair.traces.trace import COLUMNS, Header, Trace

_TILE = {"cpu": 1 << 20, "cuda": 1 << 27}  # numbers per tile
# what the uniform numbers of a position are for
TOKEN, COIN, REPLACEMENT = range(sampling.DRAWS)


@dataclass(frozen=True, slots=True)
class At:
    """What stands at n positions: the text's token, and uniform numbers to draw a
    proposal from or the one made.
    """

    token: Tensor  # (n,)
    uniforms: Tensor | None = None  # (n, draws)
    proposal: Tensor | None = None  # (n,)

    def split(self, size: int) -> "list[At]":
        tokens = split(self.token, size)
        others = [
            [None] * len(tokens) if v is None else split(v, size)
            for v in (self.uniforms, self.proposal)
        ]
        return [At(*part) for part in zip(tokens, *others, strict=True)]


def split(tensor: Tensor, size: int, dim: int = 0) -> Sequence[Tensor]:
    """Tensor.split, with a type."""
    return torch.split(tensor, size, dim)


def choose(logits: Tensor, uniforms: Tensor, decoding: Decoding) -> Tensor:
    """The next token of every row. logits (n, vocabulary), uniforms (n,)."""
    if decoding.greedy:
        return sampling.best_two(logits)[0]
    tiles = zip(*(split(t, _rows(logits)) for t in (logits, uniforms)), strict=True)
    return torch.cat(
        [sampling.draw(deployed(tile, decoding), drawn) for tile, drawn in tiles]
    )


def deployed(logits: Tensor, decoding: Decoding) -> Tensor:
    """The distribution that is sampled from; the model's own at temperature 1 under
    greedy decoding.
    """
    if decoding.greedy:
        return torch.softmax(logits, dim=-1)
    return sampling.distribution(
        logits, decoding.temperature, top_k=decoding.top_k, top_p=decoding.top_p
    )


def columns(
    target: Tensor, draft: Tensor, at: At, decoding: Decoding
) -> dict[str, Tensor]:
    """All columns of a Trace for n positions. Logits (n, vocabulary).

    A position whose logits are not finite gets NaN in every column that depends on
    them, never an acceptance.
    """
    size = _rows(target)
    inputs = zip(split(target, size), split(draft, size), at.split(size), strict=True)
    tiles = [_tile(*tile, decoding) for tile in inputs]
    return {name: torch.cat([tile[name] for tile in tiles]) for name in tiles[0]}


def _rows(logits: Tensor) -> int:
    return max(1, _TILE.get(logits.device.type, 1 << 24) // logits.shape[-1])


def _tile(
    target: Tensor, draft: Tensor, at: At, decoding: Decoding
) -> dict[str, Tensor]:
    plain_target, plain_draft = (
        torch.softmax(target, dim=-1),
        torch.softmax(draft, dim=-1),
    )
    best, best_prob, second_prob = sampling.best_two(plain_target)
    first, first_prob, _ = sampling.best_two(plain_draft)
    entropy = _log_normaliser(target, best, best_prob) - torch.linalg.vecdot(
        plain_target, target
    )
    cross_entropy = _log_normaliser(draft, first, first_prob) - torch.linalg.vecdot(
        plain_target, draft
    )
    divergence = (cross_entropy - entropy).clamp(min=0.0)
    found = {
        "token": at.token,
        "overlap": sampling.overlap(plain_target, plain_draft),
        "target_entropy": entropy.clamp(min=0.0),
        "kl": divergence,
        # a vocabulary of one token has no second
        "margin": best_prob - second_prob.clamp(min=0.0),
    }
    if decoding.greedy:
        accept = torch.where(
            divergence.isfinite(), (first == at.token).float(), torch.nan
        )
        return found | _proposed(plain_target, plain_draft, at.token, first, accept)
    used = (plain_target, plain_draft)
    if not decoding.plain:
        used = (deployed(target, decoding), deployed(draft, decoding))
    accept = sampling.coin(
        sampling.at(used[0], at.token), sampling.at(used[1], at.token)
    )
    proposal = _propose(*used, at, accept) if at.proposal is None else at.proposal
    return found | _proposed(*used, at.token, proposal, accept)


def _log_normaliser(logits: Tensor, token: Tensor, probability: Tensor) -> Tensor:
    """From one token's logit and probability."""
    return sampling.at(logits, token) - probability.log()


def _propose(target: Tensor, draft: Tensor, at: At, accept: Tensor) -> Tensor:
    """The token came from the target: by the coin's chance the draft proposed it, else
    something beyond the overlap.
    """
    assert at.uniforms is not None
    rejected = (~(at.uniforms[:, COIN] < accept)).nonzero()[:, 0]
    rest = sampling.residual(draft[rejected], target[rejected])
    return at.token.index_copy(
        0, rejected, sampling.draw(rest, at.uniforms[rejected, REPLACEMENT])
    )


def _proposed(
    target: Tensor, draft: Tensor, token: Tensor, proposal: Tensor, accept: Tensor
) -> dict[str, Tensor]:
    """A rejected proposal is never the token: what replaces it is drawn where the draft
    gives too little.
    """
    return {
        "target_prob": sampling.at(target, token),
        "draft_prob": sampling.at(draft, token),
        "accept_prob": accept,
        "proposal": proposal,
        "proposal_target_prob": sampling.at(target, proposal),
        "proposal_draft_prob": sampling.at(draft, proposal),
        "accepted": (proposal == token) & accept.isfinite(),
    }


@dataclass(slots=True)
class Sheet:
    """What is being filled in: a table (n_prompts, max_new_tokens) per column."""

    prompts: Sequence[Prompt]
    decoding: Decoding
    eos: tuple[int, ...]
    columns: dict[str, NDArray[Any]] = field(init=False)

    def __post_init__(self) -> None:
        shape = (len(self.prompts), self.decoding.max_new_tokens)
        self.columns = {name: np.zeros(shape, kind) for name, kind in COLUMNS.items()}

    def uniforms(self, rows: NDArray[np.int64]) -> Tensor:
        """(n_rows, max_new_tokens, draws); nothing is drawn under greedy decoding."""
        if self.decoding.greedy:
            return torch.zeros(
                (len(rows), self.decoding.max_new_tokens, sampling.DRAWS)
            )
        names = [self.prompts[i].id for i in rows]
        return torch.from_numpy(
            sampling.uniforms(self.decoding.seed, names, self.decoding.max_new_tokens)
        )

    def write(self, where: tuple[Any, Any], values: Mapping[str, Tensor]) -> None:
        """Values are for table[where], where = (prompts, positions)."""
        for name, tensor in values.items():
            self.columns[name][where] = tensor.cpu().numpy()

    def lengths(self) -> NDArray[np.int64]:
        """Every text reaches to its first end-of-text token, that one included, or to
        the budget.
        """
        ends = np.isin(self.columns["token"], self.eos)
        return np.where(ends.any(1), ends.argmax(1) + 1, self.decoding.max_new_tokens)

    def within(self, lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The places of the table that lie in the first `lengths` of each row."""
        return np.arange(self.decoding.max_new_tokens) < lengths[:, None]

    def finish(self, header: Header, kept: NDArray[np.bool_]) -> Trace:
        """The Trace of the places kept (n_prompts, max_new_tokens)."""
        offsets = np.concatenate([[0], np.cumsum(kept.sum(1))]).astype(np.int64)
        return Trace(
            header,
            tuple(self.prompts),
            offsets,
            {name: table[kept] for name, table in self.columns.items()},
        )
