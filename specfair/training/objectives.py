"""What a draft is to make small: distances between two distributions, given as
logarithms over the last dimension, and how groups' losses make one.

Pure functions on tensors. Knows nothing of models, texts or how steps are taken.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

LEAST = 1e-7  # of a probability that is divided by or taken the logarithm of


def fkl(target: Tensor, draft: Tensor) -> Tensor:
    """KL(target, draft), in nats."""
    return (target.exp() * (target - draft)).sum(-1)


def rkl(target: Tensor, draft: Tensor) -> Tensor:
    """KL(draft, target)."""
    return fkl(draft, target)


def jsd(target: Tensor, draft: Tensor) -> Tensor:
    """Half the KL of either from their mean."""
    mean = torch.logaddexp(target, draft) - math.log(2)
    return (fkl(target, mean) + fkl(draft, mean)) / 2


def tvd(target: Tensor, draft: Tensor) -> Tensor:
    """1 - alpha: half the sum of absolute differences."""
    return (target.exp() - draft.exp()).abs().sum(-1) / 2


def alpha(target: Tensor, draft: Tensor) -> Tensor:
    """The chance that a proposal is accepted: sum of min(target, draft)."""
    return torch.minimum(target, draft).exp().sum(-1)


def lk(target: Tensor, draft: Tensor) -> Tensor:
    """-log alpha."""
    return -alpha(target, draft).clamp(min=LEAST).log()


def half(target: Tensor, draft: Tensor) -> Tensor:
    """fkl moves tokens that the draft gives no mass, lk is what is wanted in the
    end.
    """
    return (fkl(target, draft) + lk(target, draft)) / 2


LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "fkl": fkl,
    "rkl": rkl,
    "jsd": jsd,
    "tvd": tvd,
    "lk": lk,
    "half": half,
}


def coarse(logs: Tensor, ids: Tensor) -> Tensor:
    """Logarithms over the tokens `ids` (..., k) and, behind them, over all others
    together, if there are others.
    """
    some = logs.gather(-1, ids)
    if ids.shape[-1] == logs.shape[-1]:
        return some
    rest = (1 - some.exp().sum(-1, keepdim=True)).clamp(min=LEAST)
    return torch.cat([some, rest.log()], dim=-1)


def entropy(logs: Tensor) -> Tensor:
    """In nats."""
    return -(logs.exp() * logs).sum(-1)


def group_means(values: Tensor, groups: Tensor, n_groups: int) -> tuple[Tensor, Tensor]:
    """The mean of each group's values and how many it has; 0 where it has none."""
    counts = torch.zeros(n_groups, dtype=values.dtype, device=values.device)
    counts = counts.index_add(0, groups, torch.ones_like(values))
    sums = torch.zeros_like(counts).index_add(0, groups, values)
    return sums / counts.clamp(min=1), counts


def scdf(cross_entropies: Tensor, counts: Tensor) -> Tensor:
    """Weights D - min D of the groups that are there, of which nothing is learned."""
    there = counts > 0
    least = cross_entropies.detach()[there].amin() if there.any() else 0
    return (cross_entropies.detach() - least) * there


def risen(weights: Tensor, losses: Tensor, counts: Tensor, eta: float) -> Tensor:
    """Group DRO's weights after a step: exponentiated gradient ascent on the losses of
    the groups that were there.
    """
    raised = weights * torch.exp(eta * losses.detach() * (counts > 0))
    return raised / raised.sum()
