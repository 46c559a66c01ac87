"""Two models' logits at the same positions to one number per column of a Trace.

Knows distributions and columns; does not know models or batches.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from specfair.decoding import Decoding
from specfair.engine import sampling
from specfair.engine.sampling import COIN, REPLACEMENT, deployed, tiles


@dataclass(frozen=True, slots=True)
class At:
    """What stands at n positions: the text's token, and uniform numbers to draw a
    proposal from or the one made.
    """

    token: Tensor  # (n,)
    uniforms: Tensor | None = None  # (n, draws)
    proposal: Tensor | None = None  # (n,)
    first_choice: bool = False  # whether the draft proposes that, also when sampling

    def __getitem__(self, rows: slice) -> "At":
        uniforms = None if self.uniforms is None else self.uniforms[rows]
        proposal = None if self.proposal is None else self.proposal[rows]
        return At(self.token[rows], uniforms, proposal, self.first_choice)


def reduced(
    target: Tensor, draft: Tensor, at: At, decoding: Decoding
) -> dict[str, Tensor]:
    """All columns of a Trace for n positions. Logits (n, vocabulary).

    A position whose logits are not finite gets NaN in every column that depends on
    them, never an acceptance.
    """
    found = [
        _tile(target[rows], draft[rows], at[rows], decoding) for rows in tiles(target)
    ]
    return {name: torch.cat([tile[name] for tile in found]) for name in found[0]}


def written(target: Tensor, token: Tensor, decoding: Decoding) -> dict[str, Tensor]:
    """Those columns that are the target's alone, where nobody reads along."""
    found = []
    for rows in tiles(target):
        own, about = _own(target[rows], token[rows])
        if not (decoding.greedy or decoding.plain):
            own = deployed(target[rows], decoding)
        found.append(about | {"target_prob": sampling.at(own, token[rows])})
    return {name: torch.cat([tile[name] for tile in found]) for name in found[0]}


def _own(target: Tensor, token: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The target's probabilities, and what they say by themselves."""
    own = torch.softmax(target, dim=-1)
    best, best_prob, second_prob = sampling.best_two(own)
    normaliser = _log_normaliser(target, best, best_prob)
    entropy = normaliser - torch.linalg.vecdot(own, target)
    return own, {
        "token": token,
        "target_entropy": entropy.clamp(min=0.0),
        # a vocabulary of one token has no second
        "margin": best_prob - second_prob.clamp(min=0.0),
    }


def _tile(
    target: Tensor, draft: Tensor, at: At, decoding: Decoding
) -> dict[str, Tensor]:
    own, found = _own(target, at.token)
    other = torch.softmax(draft, dim=-1)
    first, first_prob, _ = sampling.best_two(other)
    normaliser = _log_normaliser(draft, first, first_prob)
    cross_entropy = normaliser - _mean_logit(own, draft)
    divergence = (cross_entropy - found["target_entropy"]).clamp(min=0.0)
    found["kl"] = divergence
    if not (decoding.greedy or decoding.plain):
        own, other = deployed(target, decoding), deployed(draft, decoding)
    if decoding.greedy or at.first_choice:
        same = (first == at.token).float()
        accept = torch.where(divergence.isnan(), torch.nan, same)
        found |= _proposed(own, other, at.token, proposal=first, accept=accept)
        if not decoding.greedy:  # the draft's chance is all at its first choice
            found["overlap"] = found["proposal_target_prob"]
        return found
    accept = sampling.coin(sampling.at(own, at.token), sampling.at(other, at.token))
    proposal = _propose(own, other, at, accept) if at.proposal is None else at.proposal
    return found | _proposed(own, other, at.token, proposal=proposal, accept=accept)


def _mean_logit(own: Tensor, draft: Tensor) -> Tensor:
    """Minus infinity where the draft cannot propose what the target may write."""
    never = draft.isneginf()
    mean: Tensor = torch.linalg.vecdot(own, draft.masked_fill(never, 0.0))
    beyond = ((own > 0) & never).any(-1) & mean.isfinite()
    return mean.masked_fill(beyond, -torch.inf)


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
    drawn = sampling.draw(rest, at.uniforms[rejected, REPLACEMENT])
    return at.token.index_copy(0, rejected, drawn)


def _proposed(
    target: Tensor, draft: Tensor, token: Tensor, *, proposal: Tensor, accept: Tensor
) -> dict[str, Tensor]:
    """A rejected proposal is never the token: what replaces it is drawn where the draft
    gives too little.
    """
    return {
        "overlap": sampling.overlap(target, draft),
        "target_prob": sampling.at(target, token),
        "draft_prob": sampling.at(draft, token),
        "accept_prob": accept,
        "proposal": proposal,
        "proposal_target_prob": sampling.at(target, proposal),
        "proposal_draft_prob": sampling.at(draft, proposal),
        "accepted": (proposal == token) & accept.isfinite(),
    }
