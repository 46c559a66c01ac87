"""Does the clock agree? Wall time of the target alone against speculative decoding, by
group, in alternation.
"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from specfair.audit.desk import Desk

# slow, and as noisy as its machine
pytestmark = pytest.mark.specfair_needs("clock", "models")


def test_speedup_by_the_clock(
    specfair: Desk, stage: str, benchmark: BenchmarkFixture
) -> None:
    """The four-fifths rule for measured speed-ups; predicted ones stand beside them in
    the benchmark's figures.
    """
    audit = specfair.audit()
    measured = benchmark.pedantic(audit.clocked, args=(stage,), rounds=1)  # type: ignore[no-untyped-call]  # published without types
    predicted = audit.measured(stage).speedup_predicted
    benchmark.extra_info["measured"] = {
        group: e.value for group, e in measured.by_group.items()
    }
    benchmark.extra_info["predicted"] = {
        group: e.value for group, e in predicted.by_group.items()
    }
    specfair.ask("clock", stage)


def test_prediction_is_a_number(specfair: Desk, stage: str) -> None:
    """The cost of a draft step was measured, so that a speed-up can be predicted for
    every group.
    """
    cost = specfair.audit().measured(stage).trace.reading.cost_ratio
    assert cost == pytest.approx(cost, nan_ok=False)
    assert cost is not None
    assert cost > 0
