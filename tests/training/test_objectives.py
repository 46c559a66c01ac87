"""Losses against closed forms, finite differences and another library's, in float64."""

import math

import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr
from torch import Tensor

from specfair.training import objectives as o

HALVES, QUARTER = [0.5, 0.5], [0.25, 0.75]
CLOSED = {
    "fkl": math.log(2 / math.sqrt(3)),
    "rkl": 0.25 * math.log(0.5) + 0.75 * math.log(1.5),
    "tvd": 0.25,
    "lk": -math.log(0.75),
    "half": (math.log(2 / math.sqrt(3)) - math.log(0.75)) / 2,
}


def logs(*rows: list[float]) -> list[Tensor]:
    return [torch.tensor(row, dtype=torch.float64).log() for row in rows]


def drawn(seed: int, *shape: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=rng, dtype=torch.float64)


@pytest.mark.parametrize(("name", "value"), CLOSED.items())
def test_a_coin_has_a_closed_form(name: str, value: float) -> None:
    target, draft = logs(HALVES, QUARTER)
    assert float(o.LOSSES[name](target, draft)) == pytest.approx(value, abs=1e-12)
    assert float(o.LOSSES[name](target, target)) == pytest.approx(0, abs=1e-12)


def test_scipy_finds_the_same() -> None:
    target, draft = drawn(1, 6, 9).log_softmax(-1), drawn(2, 6, 9).log_softmax(-1)
    p, q = target.exp().numpy(), draft.exp().numpy()
    assert o.fkl(target, draft).numpy() == pytest.approx(rel_entr(p, q).sum(-1))
    assert o.rkl(target, draft).numpy() == pytest.approx(rel_entr(q, p).sum(-1))
    assert o.jsd(target, draft).numpy() == pytest.approx(
        jensenshannon(p, q, axis=1) ** 2
    )
    assert (1 - o.alpha(target, draft)).numpy() == pytest.approx(
        o.tvd(target, draft).numpy()
    )


@pytest.mark.parametrize("name", o.LOSSES)
@pytest.mark.parametrize("k", [3, 7])
def test_gradients_are_those_of_finite_differences(name: str, k: int) -> None:
    """Through the softmax, over all tokens (7 of 7) and over a few and the rest."""
    target = drawn(3, 2, 7).log_softmax(-1)
    ids = target.topk(k).indices

    def loss(logits: Tensor) -> Tensor:
        found = o.coarse(logits.log_softmax(-1), ids)
        return o.LOSSES[name](o.coarse(target, ids), found).sum()

    assert torch.autograd.gradcheck(loss, drawn(4, 2, 7).requires_grad_(True))


def test_a_few_tokens_and_the_rest_never_say_more_than_all() -> None:
    """What is put together can only look more alike."""
    target, draft = drawn(5, 50, 40).log_softmax(-1), drawn(6, 50, 40).log_softmax(-1)
    some = target.topk(8).indices
    few = [o.coarse(one, some) for one in (target, draft)]
    assert torch.allclose(few[0].exp().sum(-1), torch.ones(50, dtype=torch.float64))
    for name in ("fkl", "rkl", "jsd", "tvd", "lk"):
        assert (o.LOSSES[name](*few) <= o.LOSSES[name](target, draft) + 1e-12).all()
    every = target.topk(40).indices
    whole = [o.coarse(one, every) for one in (target, draft)]
    assert torch.allclose(o.fkl(*whole), o.fkl(target, draft))


def test_means_of_groups() -> None:
    values = torch.tensor([1.0, 3.0, 10.0])
    means, counts = o.group_means(values, torch.tensor([0, 0, 2]), 3)
    assert means.tolist() == [2, 0, 10]
    assert counts.tolist() == [2, 0, 1]


def test_the_lowest_cross_entropy_is_not_learned() -> None:
    """The reading of s-CDF, and its weakness: the best group is let go."""
    weights = o.scdf(torch.tensor([2.0, 1.5, 0.0]), torch.tensor([4.0, 4.0, 0.0]))
    assert weights.tolist() == [0.5, 0, 0]


def test_weights_follow_losses_exponentially() -> None:
    start = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    losses = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)
    there = torch.tensor([1.0, 1.0, 0.0])
    found = o.risen(start, losses, there, 0.1)
    raised = [0.5 * math.exp(0.1), 0.25 * math.exp(0.2), 0.25]
    assert found.tolist() == pytest.approx([r / sum(raised) for r in raised])
