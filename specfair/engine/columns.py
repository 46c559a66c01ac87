"""Two models' logits at the same positions to one number per column of a Trace.

Knows distributions and columns; does not know models or batches.
"""

from collections.abc import Iterable, Mapping
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


@dataclass(frozen=True, slots=True)
class Said:
    """What the target says at n positions."""

    own: Tensor  # its distribution at temperature 1 (n, vocabulary)
    used: Tensor  # as deployed; the same one where that is no other
    columns: Mapping[str, Tensor]  # those of the text, each (n,)

    def __getitem__(self, rows: slice) -> "Said":
        own = self.own[rows]
        used = own if self.used is self.own else self.used[rows]
        return Said(own, used, {name: c[rows] for name, c in self.columns.items()})


def recalled(logits: Tensor, columns: Mapping[str, Tensor], decoding: Decoding) -> Said:
    """What the target said of a text whose columns are known. Logits (n,
    vocabulary).
    """
    own = torch.softmax(logits, dim=-1)
    same = decoding.greedy or decoding.plain
    return Said(own, own if same else deployed(logits, decoding), columns)


def spoken(
    logits: Tensor,
    decoding: Decoding,
    *,
    token: Tensor | None = None,
    drawn: Tensor | None = None,
) -> Said:
    """What the target says, with its columns: of the token there is, or of its next,
    drawn from uniform numbers (n,).
    """
    said = recalled(logits, {}, decoding)
    first, logit, second = sampling.best_two(logits)
    if token is None:
        assert drawn is not None
        token = first if decoding.greedy else sampling.draw(said.used, drawn)
    # the margin is taken of the logits: no other probability is needed
    top = sampling.at(said.own, first)
    entropy = logit - top.log() - torch.linalg.vecdot(said.own, logits)
    columns = {
        "token": token,
        "target_prob": sampling.at(said.used, token),
        "target_entropy": entropy.clamp(min=0.0),
        "margin": top - top * (second - logit).exp(),
    }
    return Said(said.own, said.used, columns)


def reduced(
    target: Tensor, draft: Tensor, at: At, decoding: Decoding
) -> dict[str, Tensor]:
    """All columns of a Trace for n positions. Logits (n, vocabulary).

    A position whose logits are not finite gets NaN in every column that depends on
    them, never an acceptance.
    """
    parts = (
        (spoken(target[rows], decoding, token=at.token[rows]), draft[rows])
        for rows in tiles(target)
    )
    return read(parts, at, decoding)


def read(
    parts: Iterable[tuple[Said, Tensor]], at: At, decoding: Decoding
) -> dict[str, Tensor]:
    """All columns for the positions of these parts together, each with the draft's
    logits (n, vocabulary) there.

    Of the vocabulary's size is what is done part by part, while it is in the
    processor's cache; what is left is done once.
    """
    found, end = list[dict[str, Tensor]](), 0
    for whole, logits in parts:
        for rows in tiles(logits):
            said, draft = whole[rows], logits[rows]
            start, end = end, end + len(draft)
            faced = _faced(said, draft, at[start:end], decoding)
            found.append({**said.columns, **faced})
    columns = {name: torch.cat([tile[name] for tile in found]) for name in found[0]}
    kl = (columns.pop("cross_entropy") - columns["target_entropy"]).clamp(min=0.0)
    same = columns["proposal"] == at.token
    if decoding.greedy or at.first_choice:
        columns["accept_prob"] = torch.where(kl.isnan(), torch.nan, same.float())
    return columns | {"kl": kl, "accepted": same & columns["accept_prob"].isfinite()}


def _faced(said: Said, draft: Tensor, at: At, decoding: Decoding) -> dict[str, Tensor]:
    """What needs both distributions (n, vocabulary)."""
    own, used = said.own, said.used
    other, first = torch.softmax(draft, dim=-1), sampling.best(draft)
    normaliser = sampling.at(draft, first) - sampling.at(other, first).log()
    found = {"cross_entropy": normaliser - _mean_logit(own, draft)}
    if used is not own:
        other = deployed(draft, decoding)
    found["draft_prob"] = sampling.at(other, at.token)
    proposal = at.proposal
    if decoding.greedy or at.first_choice:
        proposal = first
    else:
        accept = sampling.coin(said.columns["target_prob"], found["draft_prob"])
        found["accept_prob"] = accept
    if proposal is None:
        proposal = _propose(used, other, at, accept)
    found["proposal"] = proposal
    found["proposal_target_prob"] = sampling.at(used, proposal)
    found["proposal_draft_prob"] = sampling.at(other, proposal)
    if at.first_choice and not decoding.greedy:
        # the draft's chance is all at its first choice
        return found | {"overlap": found["proposal_target_prob"]}
    return found | {"overlap": sampling.overlap(used, other)}


def _mean_logit(own: Tensor, draft: Tensor) -> Tensor:
    """Minus infinity where the draft cannot propose what the target may write."""
    mean: Tensor = torch.linalg.vecdot(own, draft)
    if mean.isfinite().all():
        return mean
    never = draft.isneginf()
    mean = torch.linalg.vecdot(own, draft.masked_fill(never, 0.0))
    beyond = ((own > 0) & never).any(-1) & mean.isfinite()
    return mean.masked_fill(beyond, -torch.inf)


def _propose(target: Tensor, draft: Tensor, at: At, accept: Tensor) -> Tensor:
    """The token came from the target: by the coin's chance the draft proposed it, else
    something beyond the overlap, which is never the token.
    """
    assert at.uniforms is not None
    rejected = (~(at.uniforms[:, COIN] < accept)).nonzero()[:, 0]
    rest = sampling.residual(draft[rejected], target[rejected])
    drawn = sampling.draw(rest, at.uniforms[rejected, REPLACEMENT])
    return at.token.index_copy(0, rejected, drawn)
