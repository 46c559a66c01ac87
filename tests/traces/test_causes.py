"""What is said of causes adds up."""

import pytest

from specfair.decoding import Lookahead
from specfair.errors import DataError
from specfair.traces.causes import splits, unfairness
from specfair.traces.metrics import labelled, sample
from specfair.traces.trace import Trace
from tests.made_traces import noise

FIVE = Lookahead(5)


@pytest.fixture(scope="module")
def trace() -> Trace:
    return noise()


def test_unfairness_is_a_variance_over_groups(trace: Trace) -> None:
    found = unfairness(trace)
    alphas = [sample(trace, "alpha", FIVE).of(g).value for g in ("a", "b")]
    assert found["alpha"] == pytest.approx(((alphas[0] - alphas[1]) / 2) ** 2)
    assert set(found) == {"alpha", "kl", "cross_entropy"}


def test_split_adds_up_to_the_difference(trace: Trace) -> None:
    labels = labelled(trace.prompts)
    (parts,) = splits(trace, labels, ("a",), "b")
    alpha = sample(trace, "alpha", FIVE)
    assert parts.total.value == pytest.approx(alpha.of("a").value - alpha.of("b").value)
    assert parts.total.value == pytest.approx(
        parts.harder_text.value + parts.worse_draft.value
    )
    with pytest.raises(DataError, match="'nobody'"):
        next(splits(trace, labels, ("a",), "nobody"))
