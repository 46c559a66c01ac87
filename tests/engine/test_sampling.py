"""The probability functions: that the rule writes by the target's law, then each piece
against plain code.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from specfair.decoding import Decoding
from specfair.engine import sampling
from specfair.engine.sampling import deployed

WEIGHTS = st.lists(st.integers(0, 8), min_size=2, max_size=70).filter(any)


def law(weights: list[int], n: int) -> Tensor:
    """A distribution over n tokens, some of them impossible."""
    padded = torch.tensor((weights * n)[:n], dtype=torch.float64)
    return (
        padded / padded.sum()
        if padded.sum()
        else torch.full((n,), 1 / n, dtype=torch.float64)
    )


@given(WEIGHTS, WEIGHTS)
def test_a_round_writes_by_the_targets_law(one: list[int], other: list[int]) -> None:
    """Summed over every draft: what is accepted plus what replaces a rejection has
    exactly the target's law.
    """
    target, draft = law(one, len(one)), law(other, len(one))
    accepted = torch.where(draft > 0, draft * sampling.coin(draft, target), 0.0)
    rest = sampling.residual(target, draft)
    written = accepted + (1 - accepted.sum()) * rest / rest.sum()
    assert torch.allclose(written, target, atol=1e-12)


@given(WEIGHTS, WEIGHTS)
def test_from_the_targets_side_proposals_have_the_drafts_law(
    one: list[int], other: list[int]
) -> None:
    """The same coupling entered from the target's token, as in a trace: proposals are
    the draft's, coins agree.
    """
    target, draft = law(one, len(one)), law(other, len(one))
    coin = torch.where(target > 0, sampling.coin(target, draft), 0.0)
    rest = sampling.residual(draft, target)
    proposed = target * coin + (1 - (target * coin).sum()) * rest / rest.sum()
    assert torch.allclose(proposed, draft, atol=1e-12)
    assert torch.isclose((target * coin).sum(), sampling.overlap(target, draft))


def test_wrong_rules_are_not_lossless() -> None:
    """The enumeration has power: an inverted ratio, and a draft other than the one
    drawn from, change the law.
    """
    target, draft, other = (
        torch.tensor(x) for x in ([0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.4, 0.4, 0.2])
    )
    for coin, drawn in (
        (sampling.coin(target, draft), draft),
        (sampling.coin(draft, target), other),
    ):
        accepted = drawn * coin
        rest = sampling.residual(target, draft)
        assert not torch.allclose(
            accepted + (1 - accepted.sum()) * rest / rest.sum(), target, atol=0.01
        )


def test_a_coin_of_nan_stays_nan() -> None:
    assert (
        sampling.coin(torch.tensor([torch.nan, 0.5]), torch.tensor([0.5, torch.nan]))
        .isnan()
        .all()
    )


def test_a_token_that_a_filter_has_just_dropped_has_a_coin() -> None:
    """Read again, a text's token may have no probability left: 0 / 0 is a refusal, not
    NaN.
    """
    coins = sampling.coin(torch.tensor([0.0, 0.0, 0.5]), torch.tensor([0.0, 0.2, 0.0]))
    assert coins.tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("temperature", [1e-9, 1e-38, 5e-324])
def test_a_temperature_near_zero_leaves_the_best_token(temperature: float) -> None:
    logits = torch.tensor(
        [[-3.0, 9.0, 8.999999], [1e9, -1e9, 0.0], [1.0, -torch.inf, 2.0]]
    )
    found = sampling.distribution(logits, temperature)
    assert found.tolist() == [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    assert (
        sampling.distribution(torch.tensor([torch.nan, 1.0]), temperature).isnan().all()
    )


def test_equal_distributions_leave_the_distribution_itself() -> None:
    same = torch.tensor([[0.25, 0.75]])
    assert torch.equal(sampling.residual(same, same), same)


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=200).filter(any),
    st.floats(0, 1, exclude_max=True, width=32),
)
def test_draw_inverts_the_cumulative_sum(weights: list[int], uniform: float) -> None:
    """Whole weights make the sums exact, so the plain search must find the very same
    token.
    """
    total = np.cumsum(weights)
    expected = int(
        np.searchsorted(
            total, np.float32(uniform) * np.float32(total[-1]), side="right"
        )
    )
    token = sampling.draw(
        torch.tensor([weights], dtype=torch.float32), torch.tensor([uniform])
    )
    assert weights[int(token)] > 0
    assert int(token) == expected


def test_draw_never_leaves_the_support() -> None:
    """The largest uniform number, with impossible tokens at the end and in between."""
    weights = torch.zeros(3, 200)
    weights[0, 5], weights[1, 64], weights[2, [10, 130]] = 1e-7, 3.0, 0.3
    almost = torch.full((3,), 1 - 2**-24)
    assert sampling.draw(weights, almost).tolist() == [5, 64, 130]
    assert sampling.draw(weights, torch.zeros(3)).tolist() == [5, 64, 10]


def test_draw_of_nan_is_some_token() -> None:
    token = sampling.draw(torch.full((2, 100), torch.nan), torch.tensor([0.1, 0.9]))
    assert ((token >= 0) & (token < 100)).all()


@pytest.mark.parametrize("n", [1, 3, 64, 65, 200])
def test_best_two_is_topk_and_the_first_of_equals(n: int) -> None:
    values = torch.randint(
        0, 5, (40, n), generator=torch.Generator().manual_seed(n)
    ).float()
    token, best, second = sampling.best_two(values)
    assert torch.equal(token, values.argmax(-1))
    assert torch.equal(best, values.amax(-1))
    assert torch.equal(
        second, values.topk(2).values[:, 1] if n > 1 else torch.full((40,), -torch.inf)
    )


def test_best_two_lets_nan_win() -> None:
    values = torch.zeros(1, 100)
    values[0, 70] = torch.nan
    token, best, _ = sampling.best_two(values)
    assert int(token) == 70
    assert best.isnan().all()


def test_filters_keep_what_they_should() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    assert sampling.distribution(logits, top_k=2).tolist() == pytest.approx(
        [0.625, 0.375, 0, 0]
    )
    assert sampling.distribution(logits, top_p=0.7).tolist() == pytest.approx(
        [0.625, 0.375, 0, 0]
    )
    assert sampling.distribution(logits, top_p=1e-9).tolist() == pytest.approx(
        [1, 0, 0, 0]
    )
    assert sampling.distribution(logits, 0.5).tolist() == pytest.approx(
        [0.6849, 0.2466, 0.0616, 0.0068], abs=1e-4
    )
    assert torch.equal(
        sampling.distribution(logits, top_k=9), torch.softmax(logits, -1)
    )


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(0.7, 0, 0.8), (1.5, 20, 1.0), (1.0, 5, 0.5), (0.3, 0, 0.95)],
)
def test_filters_equal_those_of_transformers(
    temperature: float, top_k: int, top_p: float
) -> None:
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    logits = torch.randn(50, 130, generator=torch.Generator().manual_seed(0)) * 3
    expected = TemperatureLogitsWarper(temperature)(None, logits)
    expected = TopKLogitsWarper(top_k)(None, expected) if top_k else expected
    expected = TopPLogitsWarper(top_p)(None, expected) if top_p < 1 else expected
    found = sampling.distribution(logits, temperature, top_k=top_k, top_p=top_p)
    assert torch.allclose(found, torch.softmax(expected, -1), atol=1e-6)


def test_filters_off_the_cpu() -> None:
    """No accelerator here: shapes only, on the device that computes nothing else."""
    logits = torch.empty(3, 130, device="meta")
    assert sampling.distribution(logits, 0.7, top_k=9, top_p=0.5).shape == (3, 130)


def test_every_prompt_has_its_own_stream() -> None:
    both = sampling.uniforms(3, ["a", "b"], 5)
    assert both.shape == (2, 5, sampling.DRAWS)
    assert ((both >= 0) & (both < 1)).all()
    assert np.array_equal(sampling.uniforms(3, ["b"], 5)[0], both[1])
    assert np.array_equal(sampling.uniforms(3, ["a"], 2)[0], both[0, :2])
    assert (
        len(
            {
                sampling.uniforms(s, [n], 1)[0, 0, 0]
                for s in (0, 1, 10)
                for n in ("", "a", "0a", "1")
            }
        )
        == 12
    )


def test_streams_are_uniform() -> None:
    """Kolmogorov-Smirnov on 6,000 numbers of 200 prompts; the streams are fixed, others
    would fail 1 in 1,000.
    """
    from scipy.stats import kstest

    assert (
        kstest(
            sampling.uniforms(0, [str(i) for i in range(200)], 10).ravel(), "uniform"
        ).pvalue
        > 0.001
    )


def test_what_is_deployed() -> None:
    logits = torch.randn(4, 50, generator=torch.Generator().manual_seed(0))
    assert torch.equal(deployed(logits, Decoding()), torch.softmax(logits, -1))
    assert torch.equal(
        deployed(logits, Decoding(temperature=2.0)), torch.softmax(logits / 2, -1)
    )
