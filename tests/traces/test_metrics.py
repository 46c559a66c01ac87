"""Metrics from traces."""

import math
from dataclasses import replace

import numpy as np
import pytest

from specfair.decoding import Decoding, Lookahead
from specfair.errors import UsageError
from specfair.traces.groups import Groups
from specfair.traces.metrics import SUMS, sample
from specfair.traces.replay import replay
from specfair.traces.trace import COLUMNS, Trace
from specfair.vocabulary import CONFIDENT, METRICS
from tests.made_traces import altered, noise

FIVE = Lookahead(5)


@pytest.fixture(scope="module")
def trace() -> Trace:
    return noise()


def test_every_metric_is_defined_once_and_measured(trace: Trace) -> None:
    sentences = [d.sentence for d in METRICS.values()]
    assert len(set(sentences)) == len(METRICS) == 20
    assert set(METRICS) - set(SUMS) == {
        *("hurtful", "judged", "log_perplexity"),
        *("time_to_first_token", "time_per_token"),
    }
    with pytest.raises(UsageError, match="nothing but the budget ends a text"):
        sample(trace, "own_endings", FIVE)  # these have no end
    limited = {"reached": np.arange(trace.n_tokens) % 3 > 0}
    read = replace(trace.reading, columns={**trace.reading.columns, **limited})
    for name in SUMS.keys() - {"own_endings"}:
        found = sample(replace(trace, reading=read), name, FIVE)
        assert math.isfinite(found.value), name
        assert found.groups == ("a", "b")
        assert found.prompt.tolist() == [p.id for p in trace.prompts]
        assert found.template[7] == "t1"


def test_reach_is_of_drafts_that_cannot_propose_everything(trace: Trace) -> None:
    with pytest.raises(UsageError, match=r"'reach': draft .* can propose every token"):
        sample(trace, "reach", FIVE)


def test_means_are_over_positions(trace: Trace) -> None:
    assert sample(trace, "overlap", FIVE).value == pytest.approx(
        float(trace["overlap"].mean()), rel=1e-6
    )
    both = float(trace["target_entropy"].mean() + trace["kl"].mean())
    assert sample(trace, "cross_entropy", FIVE).value == pytest.approx(both, rel=1e-6)
    assert sample(trace, "cross_entropy", FIVE).value > sample(trace, "kl", FIVE).value


def test_alpha_of_samples_is_the_overlap_and_of_greedy_texts_the_coins(
    trace: Trace,
) -> None:
    assert trace.header.decoding.temperature > 0
    greedy = replace(
        trace,
        text=replace(trace.text, header=replace(trace.header, decoding=Decoding())),
    )
    for column, one in (("overlap", trace), ("accept_prob", greedy)):
        expected = pytest.approx(float(trace[column].mean()), rel=1e-6)
        assert sample(one, "alpha", FIVE).value == expected


def test_confident_rejections_by_hand(trace: Trace) -> None:
    sure = trace["proposal_draft_prob"] >= CONFIDENT
    expected = (sure & ~trace["accepted"]).sum() / sure.sum()
    assert sample(trace, "confident_rejections", FIVE).value == pytest.approx(
        float(expected)
    )


def test_rates_come_from_the_replay(trace: Trace) -> None:
    trace = altered(trace, overlap=trace["accept_prob"])
    total = replay(trace, FIVE).total()
    for name in (
        "acceptance_rate",
        "draft_acceptance_rate",
        "mean_acceptance_length",
        "assisted_share",
    ):
        assert sample(trace, name, FIVE).value == pytest.approx(float(total.rate(name)))


def test_predicted_speedup_follows_its_formula(trace: Trace) -> None:
    trace = altered(trace, overlap=trace["accept_prob"])
    total = replay(trace, FIVE).total()
    length = float(total.rate("mean_acceptance_length"))
    expected = length / (1 + 0.1 * float(total.n_drafted / total.n_rounds))
    assert sample(trace, "speedup_predicted", FIVE).value == pytest.approx(expected)
    unknown_cost = replace(trace, reading=replace(trace.reading, cost_ratio=None))
    assert math.isnan(sample(unknown_cost, "speedup_predicted", FIVE).value)


def test_the_coins_luck_is_taken_out_of_every_count_and_their_mean_kept(
    trace: Trace,
) -> None:
    """Coins of known means thrown 300 times: the rate's own mean stays, within 4
    standard errors (a false alarm in 16,000; seeds are fixed), its scatter falls.
    """
    rng = np.random.default_rng(1)
    means = np.clip(trace["overlap"], 0.05, 0.95).astype(np.float64)
    for name in ("acceptance_rate", "mean_acceptance_length"):
        found = []
        for _ in range(300):
            coins = rng.beta(means, 1 - means).astype(np.float32)
            thrown = altered(trace, accept_prob=coins, overlap=means.astype(np.float32))
            plain = altered(thrown, overlap=coins)
            found.append([sample(one, name, FIVE).value for one in (plain, thrown)])
        before, after = np.array(found).T
        error = (after - before).std() / 300**0.5
        assert abs((after - before).mean()) < 4 * error
        assert after.std() < 0.8 * before.std(), name


def test_a_number_that_is_none_leaves_the_luck_of_others_alone(trace: Trace) -> None:
    coins = trace["accept_prob"].copy()
    coins[0] = np.nan
    found = sample(altered(trace, accept_prob=coins), "acceptance_rate", FIVE)
    assert np.isnan(found.numerator).tolist() == [True] + [False] * (len(trace) - 1)


@pytest.mark.parametrize("name", ["alpha", "kl", "confident_rejections"])
def test_nan_in_a_trace_surfaces(trace: Trace, name: str) -> None:
    """One NaN among a thousand tokens and the group it is in cannot be measured."""
    columns = {c: trace[c].copy() for c in COLUMNS}
    for column in ("overlap", "kl", "proposal_draft_prob"):
        columns[column][0] = np.nan
    groups = Groups(sample(altered(trace, **columns), name, FIVE), name)
    assert not groups.by_group["a"].valid
    assert groups.by_group["b"].valid
    assert not groups.difference().valid
    assert math.isnan(groups.group_min().value)
    assert math.isnan(groups.group_max().value)


def test_a_decision_on_nan_is_no_confident_rejection(trace: Trace) -> None:
    """The target's NaN leaves the draft as sure as it was; that its token was refused
    says nothing.
    """
    coins = trace["accept_prob"].copy()
    coins[0] = np.nan
    found = Groups(
        sample(altered(trace, accept_prob=coins), "confident_rejections", FIVE),
        "confident_rejections",
    )
    assert not found.by_group["a"].valid


def test_unknown_metric_names_the_nearest(trace: Trace) -> None:
    with pytest.raises(UsageError, match="Did you mean 'alpha'"):
        sample(trace, "alhpa", FIVE)
