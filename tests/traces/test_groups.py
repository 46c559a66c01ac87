"""Groups, with fairlearn as the oracle for its own words."""

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame

from bench.worlds import World, draw
from specfair.traces.groups import Groups


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
