"""One round of speculative decoding for a batch of rows: draft, verify, decide, set up
the next.

Knows acceptance and the two caches; does not know which prompts wait, nor what is
counted. Rows accept different numbers of tokens: what a row gives back becomes a hole
in its cache.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from specfair.decoding import Decoding, Lookahead
from specfair.engine import sampling
from specfair.engine.cursor import Cursor, pad_left
from specfair.engine.drafts import Draft, Opened
from specfair.engine.sampling import (
    COIN,
    REPLACEMENT,
    TOKEN,
    choose,
    deployed,
    proposing,
)
from specfair.engine.task import Task


@dataclass(slots=True)
class Ongoing:
    """The prompts being decoded now."""

    prompts: NDArray[np.int64]
    target: Cursor  # has read all of the text but its last token
    draft: Opened  # all but the last two
    tail: Tensor  # those two (n_rows, 2)
    tail_valid: Tensor  # a text of one token has only one
    n_new: Tensor  # (n_rows,)
    n_ahead: Tensor  # (n_rows,) the lookahead of the next round
    uniforms: Tensor  # (n_rows, max_new_tokens, draws)
    first_choice: (
        bool  # whether the draft proposes its first choice, also when sampling
    )

    def at(self, place: Tensor) -> Tensor:
        """Uniform numbers for places counted from the next token on. (n_rows, n) to
        (n_rows, n, draws)
        """
        last = self.uniforms.shape[1] - 1
        position = (self.n_new[:, None] + place).clamp(max=last)
        index = position[:, :, None].expand(-1, -1, sampling.DRAWS)
        return self.uniforms.gather(1, index)

    def keep(self, rows: Tensor) -> None:
        self.target.keep_rows(rows)
        self.draft.keep_rows(rows)
        self.prompts = self.prompts[rows.cpu().numpy()]
        for name in _TENSORS:
            setattr(self, name, getattr(self, name)[rows])

    def join(self, other: "Ongoing") -> None:
        self.target.join(other.target)
        self.draft.join(other.draft)
        self.prompts = np.concatenate([self.prompts, other.prompts])
        for name in _TENSORS:
            setattr(self, name, torch.cat([getattr(self, name), getattr(other, name)]))


_TENSORS = ("tail", "tail_valid", "n_new", "n_ahead", "uniforms")


def enter(
    asked: Task, drafting: Draft, prompts: NDArray[np.int64], *, n_ahead: int
) -> Ongoing:
    """Both read the prompts, up to where the first round begins."""
    pair, ids = asked.pair, [asked.ids[i] for i in prompts]
    device = pair.device
    target = Cursor(pair.target, len(ids), pair.n_vocab)
    target.feed(*pad_left([tokens[:-1] for tokens in ids], device, of=ids), keep=1)
    opened = drafting.open(prompts.tolist())
    opened.feed(*pad_left([tokens[:-2] for tokens in ids], device, of=ids), keep=1)
    tail, valid = pad_left([(tokens[:1] + tokens)[-2:] for tokens in ids], device)
    valid[:, 0] &= torch.tensor([len(tokens) > 1 for tokens in ids], device=device)
    n_new = torch.zeros(len(ids), dtype=torch.long, device=device)
    return Ongoing(
        prompts=prompts,
        target=target,
        draft=opened,
        tail=tail,
        tail_valid=valid,
        n_new=n_new,
        n_ahead=torch.full_like(n_new, n_ahead),
        uniforms=asked.uniforms(prompts).to(device),
        first_choice=pair.first_choice,
    )


@dataclass(frozen=True, slots=True)
class Round:
    """What was drafted and how the target sees it, before anything is decided."""

    proposals: Tensor  # (n_rows, n_places)
    drafted: Tensor  # (n_rows, n_places) whether the row drafted that far
    draft: Tensor  # logits (n_rows, n_places, vocabulary)
    target: Tensor  # logits (n_rows, n_places + 1, vocabulary)
    drawn: Tensor  # uniform numbers (n_rows, n_places + 1, draws)
    first_choice: bool = False  # whether proposals are the draft's first choices


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a round."""

    # (n_rows, n_places) proposals the target would take, each given those before it
    passed: Tensor
    n_accepted: Tensor  # (n_rows,) how many it took, one after the other
    text: Tensor  # (n_rows, n_places + 1) those, and the target's own token behind them
    # (n_rows, n_places + 1) which of them belong to the text: nothing follows its end
    written: Tensor
    ended: Tensor  # (n_rows,) whether the text came to its end
    # (n_rows,) whether all that was decided rests on numbers, none of them NaN or
    # infinite
    known: Tensor


def draft(rows: Ongoing, decoding: Decoding, lookahead: Lookahead) -> Round:
    """The draft writes ahead, place by place, as long as it has something to propose
    and is sure enough; the target reads all places at once.
    """
    # the target adds one
    n_drafted = torch.minimum(rows.n_ahead, decoding.max_new_tokens - rows.n_new - 1)
    n_places = int(n_drafted.max())
    drawn = rows.at(
        torch.arange(n_places + 1, device=n_drafted.device).expand(len(n_drafted), -1)
    )
    drafted = torch.arange(n_places, device=n_drafted.device) < n_drafted[:, None]
    tokens, valid, logits, proposals = rows.tail, rows.tail_valid, [], [rows.tail[:, 1]]
    doubtful_too = lookahead.schedule != "pmin"  # is the doubtful token proposed?
    rows.draft.make_room(n_places + 1)
    for place in range(n_places):
        found = rows.draft.feed(tokens, valid, keep=1)[:, 0]
        silent = (found.amax(-1, keepdim=True) == -torch.inf).expand(found.shape)
        logits.append(found.masked_fill(silent, 0.0))
        drafted[:, place:] &= ~silent[:, :1]
        first, uniforms = sampling.best(logits[-1]), drawn[:, place, TOKEN]
        drawing = not rows.first_choice
        proposals.append(choose(logits[-1], uniforms, decoding) if drawing else first)
        if lookahead.doubts:
            sure = sampling.at(deployed(logits[-1], decoding), proposals[-1])
            goes_on = (sure >= lookahead.threshold)[:, None]
            drafted[:, place + doubtful_too :] &= goes_on
        # read only if more is to be drafted
        tokens, valid = proposals[-1][:, None], drafted[:, place + 1 : place + 2]
    rows.target.make_room(n_places + 1)
    read = torch.stack(proposals, dim=1)
    verified = rows.target.feed(read, pad(drafted, (1, 0), value=True))
    return Round(
        proposals=read[:, 1:],
        drafted=drafted,
        draft=torch.stack(logits, dim=1) if logits else verified[:, :0],
        target=verified,
        drawn=drawn,
        first_choice=rows.first_choice,
    )


def decide(now: Round, decoding: Decoding, eos: tuple[int, ...]) -> Outcome:
    """Accept up to the first proposal that does not pass, and add one token of the
    target's.
    """
    coins = torch.where(now.drafted, coins_of(now, decoding), 0.0)
    passed = now.drawn[:, :-1, COIN] < coins
    n_accepted = passed.long().cumprod(1).sum(1)
    place = torch.arange(now.drawn.shape[1], device=n_accepted.device)
    own = _next_token(now, n_accepted, decoding)[:, None]
    text = torch.where(place < n_accepted[:, None], pad(now.proposals, (0, 1)), own)
    written = place <= n_accepted[:, None]
    stops = torch.tensor(eos, dtype=torch.long, device=text.device)
    ends = torch.isin(text, stops) & written
    end = torch.arange(len(own), device=own.device), n_accepted
    # NaN is never accepted
    known = pad(coins, (0, 1))[end].isfinite() & now.target[end].amax(-1).isfinite()
    return Outcome(
        passed=passed,
        n_accepted=n_accepted,
        text=text,
        written=written & (ends.cumsum(1) - ends.long() == 0),
        ended=ends.any(1),
        known=known,
    )


def coins_of(now: Round, decoding: Decoding) -> Tensor:
    """The chance that the target takes a proposal, given those before it (n_rows,
    n_places).
    """
    verifying = now.target[:, :-1]
    if decoding.greedy:
        token, logit, _ = sampling.best_two(verifying)
        known = logit.isfinite() & sampling.at(now.draft, now.proposals).isfinite()
        return torch.where(known, (token == now.proposals).float(), torch.nan)
    drafting = proposing(now.draft, decoding, first_choice=now.first_choice)
    own, other = (
        sampling.at(each, now.proposals)
        for each in (drafting, deployed(verifying, decoding))
    )
    return sampling.coin(own, other)


def _next_token(now: Round, n_accepted: Tensor, decoding: Decoding) -> Tensor:
    """The target's own token behind the accepted ones: what the draft left undrawn, or
    simply the next (n_rows,).
    """
    row = torch.arange(len(n_accepted), device=n_accepted.device)
    drawn = now.drawn[row, n_accepted]
    if decoding.greedy or not now.proposals.shape[1]:
        return choose(now.target[row, n_accepted], drawn[:, TOKEN], decoding)
    rejected = n_accepted < now.drafted.sum(1)
    uniforms = torch.where(rejected, drawn[:, REPLACEMENT], drawn[:, TOKEN])
    return sampling.draw(owed(now, n_accepted, decoding), uniforms)


def owed(now: Round, n_accepted: Tensor, decoding: Decoding) -> Tensor:
    """Weights of the target's own token: what the draft left undrawn where it was
    rejected (n_rows, vocabulary).
    """
    row = torch.arange(len(n_accepted), device=n_accepted.device)
    rejected = n_accepted < now.drafted.sum(1)
    last = n_accepted.clamp(max=now.proposals.shape[1] - 1)
    drafted = now.draft[row, last]
    refused = proposing(drafted, decoding, first_choice=now.first_choice)
    own = deployed(now.target[row, n_accepted], decoding)
    return sampling.residual(own, refused * rejected[:, None])


def advance(rows: Ongoing, now: Round, outcome: Outcome, *, adapt: bool) -> None:
    """Take back what was not accepted, and set up the next round; `adapt` follows the
    heuristic schedule: all that was drafted is a full match, however little that was.
    """
    n_accepted = outcome.n_accepted
    place = torch.arange(outcome.text.shape[1], device=n_accepted.device)
    rows.target.take_back(place <= n_accepted[:, None])
    # the draft read its tail of two, then all its proposals but the last
    if len(place) > 1:
        rows.draft.take_back(pad(place[:-1] < n_accepted[:, None], (1, 0), value=True))
    behind = torch.cat([rows.tail, outcome.text], dim=1)
    last_two = torch.tensor([1, 2], device=n_accepted.device)
    rows.tail = behind.gather(1, n_accepted[:, None] + last_two)
    rows.tail_valid = torch.ones_like(rows.tail_valid)
    rows.n_new = rows.n_new + n_accepted + 1
    if adapt:
        full = n_accepted >= now.drafted.sum(1)
        narrower = (rows.n_ahead - 1).clamp(min=1)
        rows.n_ahead = torch.where(full, rows.n_ahead + 2, narrower)
