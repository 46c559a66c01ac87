"""Metrics from traces, and fairlearn as the oracle for its own words."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame

from bench.worlds import World, draw
from specfair.errors import DataError, UsageError
from specfair.texts.prompts import Prompt
from specfair.traces import metrics
from specfair.traces.metrics import SUMS, Groups, sample, split, unfairness
from specfair.traces.replay import Lookahead, replay
from specfair.traces.trace import COLUMNS, Decoding, Header, Trace
from specfair.vocabulary import METRICS

FIVE = Lookahead(5)


def traced(n: int = 24, *, groups: Sequence[str] = ("a", "b"), seed: int = 0) -> Trace:
    """A trace of random numbers that could be one: n prompts a group in clusters of 2,
    3 to 9 tokens each.
    """
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 10, n * len(groups))
    size = int(lengths.sum())
    columns = {name: rng.random(size).astype(kind) for name, kind in COLUMNS.items()}
    columns["accepted"] = rng.random(size) < columns["accept_prob"]
    header = Header(
        "t",
        "d",
        "",
        "",
        "",
        "made up",
        "",
        Decoding(temperature=1.0),
        "float32",
        "cpu",
        (),
        cost_ratio=0.1,
    )
    prompts = tuple(
        Prompt(f"{g}{i}", g, f"{g}-{i // 2}", f"t{i % 6}", "text")
        for g in groups
        for i in range(n)
    )
    return Trace(
        header,
        prompts,
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        columns,
    )


@pytest.fixture(scope="module")
def trace() -> Trace:
    return traced()


def test_every_metric_is_defined_once_and_measured(trace: Trace) -> None:
    sentences = [d.sentence for d in METRICS.values()]
    assert len(set(sentences)) == len(METRICS) == 10
    assert set(SUMS) == set(METRICS)
    for name in METRICS:
        found = sample(trace, name, FIVE)
        assert math.isfinite(found.value), name
        assert found.groups == ("a", "b")
        assert found.prompt.tolist() == [p.id for p in trace.prompts]
        assert found.template[7] == "t1"


def test_means_are_over_positions(trace: Trace) -> None:
    assert sample(trace, "alpha", FIVE).value == pytest.approx(
        float(trace["accept_prob"].mean()), rel=1e-6
    )
    assert sample(trace, "overlap", FIVE).value == pytest.approx(
        float(trace["overlap"].mean()), rel=1e-6
    )
    both = float(trace["target_entropy"].mean() + trace["kl"].mean())
    assert sample(trace, "cross_entropy", FIVE).value == pytest.approx(both, rel=1e-6)
    assert sample(trace, "cross_entropy", FIVE).value > sample(trace, "kl", FIVE).value


def test_confident_rejections_by_hand(trace: Trace) -> None:
    sure = trace["proposal_draft_prob"] >= metrics.CONFIDENT
    expected = (sure & ~trace["accepted"]).sum() / sure.sum()
    assert sample(trace, "confident_rejections", FIVE).value == pytest.approx(
        float(expected)
    )


def test_rates_come_from_the_replay(trace: Trace) -> None:
    total = replay(trace, FIVE).total()
    for name in (
        "acceptance_rate",
        "draft_acceptance_rate",
        "mean_acceptance_length",
        "assisted_share",
    ):
        assert sample(trace, name, FIVE).value == pytest.approx(float(total.rate(name)))


def test_predicted_speedup_follows_its_formula(trace: Trace) -> None:
    total = replay(trace, FIVE).total()
    length = float(total.rate("mean_acceptance_length"))
    expected = length / (1 + 0.1 * float(total.n_drafted / total.n_rounds))
    assert sample(trace, "speedup_predicted", FIVE).value == pytest.approx(expected)
    unknown_cost = replace(trace, header=replace(trace.header, cost_ratio=None))
    assert math.isnan(sample(unknown_cost, "speedup_predicted", FIVE).value)


@pytest.mark.parametrize("name", ["alpha", "kl", "confident_rejections"])
def test_nan_in_a_trace_surfaces(trace: Trace, name: str) -> None:
    """One NaN among a thousand tokens and the group it is in cannot be measured."""
    columns = {c: v.copy() for c, v in trace.columns.items()}
    for column in ("accept_prob", "kl", "proposal_draft_prob"):
        columns[column][0] = np.nan
    groups = Groups(sample(replace(trace, columns=columns), name, FIVE), name)
    assert not groups.by_group["a"].valid
    assert groups.by_group["b"].valid
    assert not groups.difference().valid
    assert math.isnan(groups.group_min().value)
    assert math.isnan(groups.group_max().value)


def test_a_decision_on_nan_is_no_confident_rejection(trace: Trace) -> None:
    """The target's NaN leaves the draft as sure as it was; that its token was refused
    says nothing.
    """
    columns = {**trace.columns, "accept_prob": trace["accept_prob"].copy()}
    columns["accept_prob"][0] = np.nan
    found = Groups(
        sample(replace(trace, columns=columns), "confident_rejections", FIVE),
        "confident_rejections",
    )
    assert not found.by_group["a"].valid


def test_unknown_metric_names_the_nearest(trace: Trace) -> None:
    with pytest.raises(UsageError, match="Did you mean 'alpha'"):
        sample(trace, "alhpa", FIVE)


@pytest.fixture(scope="module")
def groups() -> Groups:
    return Groups(
        draw(World(((9, 5), (10, 6), (12, 4)), effects=(0.0, -0.1, 0.05)), 4)[0],
        "acceptance_rate",
    )


@pytest.fixture(scope="module")
def frame(groups: Groups) -> MetricFrame:
    """The same tokens, one by one, as fairlearn sees them."""
    s = groups.sample
    tokens = [
        np.repeat([1, 0], [int(n), int(d - n)])
        for n, d in zip(s.numerator, s.denominator, strict=True)
    ]
    flat = np.concatenate(tokens)
    features = np.repeat(s.group, s.denominator.astype(int))
    return MetricFrame(
        metrics=lambda true, _: true.mean(),
        y_true=flat,
        y_pred=flat,
        sensitive_features=features,
    )


def test_fairlearn_agrees(groups: Groups, frame: MetricFrame) -> None:
    assert groups.overall.value == pytest.approx(frame.overall)
    assert {g: e.value for g, e in groups.by_group.items()} == pytest.approx(
        frame.by_group.to_dict()
    )
    assert groups.group_min().value == pytest.approx(frame.group_min())
    assert groups.group_max().value == pytest.approx(frame.group_max())
    for method in ("between_groups", "to_overall"):
        assert groups.difference(method=method).value == pytest.approx(
            frame.difference(method=method)
        ), method
        assert groups.ratio(method=method).value == pytest.approx(
            frame.ratio(method=method)
        ), method


def test_groups_answer_with_names(groups: Groups) -> None:
    assert groups.worst_pair().groups == groups.difference().groups == ("g1", "g2")
    assert groups.difference(method="to_overall").groups == ("overall", "g2")
    assert groups.group_min().groups == ("g1",)
    assert len(groups.pairwise()) == 3
    assert "g0, g1, g2" in repr(groups)


def test_macro_weighs_prompts_alike(groups: Groups) -> None:
    s = groups.sample
    assert groups.macro().overall.value == pytest.approx(
        float(np.mean(s.numerator / s.denominator))
    )


def test_unfairness_is_a_variance_over_groups(trace: Trace) -> None:
    found = unfairness(trace)
    alphas = [sample(trace, "alpha", FIVE).of(g).value for g in ("a", "b")]
    assert found["alpha"] == pytest.approx(((alphas[0] - alphas[1]) / 2) ** 2)
    assert set(found) == {"alpha", "kl", "cross_entropy"}


def test_split_adds_up_to_the_difference(trace: Trace) -> None:
    parts = split(trace, "a", "b")
    alpha = sample(trace, "alpha", FIVE)
    assert parts.total.value == pytest.approx(alpha.of("a").value - alpha.of("b").value)
    assert parts.total.value == pytest.approx(
        parts.harder_text.value + parts.worse_draft.value
    )
    with pytest.raises(DataError, match="'nobody'"):
        split(trace, "a", "nobody")
