"""What is assumed of a measurement: usual figures there and back, and a pilot's own."""

from dataclasses import fields

import numpy as np
import pytest

from specfair.stats.assumed import Assumed, Figures, learnt
from specfair.stats.tally import Sample


def test_usual_figures_come_back() -> None:
    usual = Figures(
        rate=0.7, tokens=15.0, identity=0.03, drift=0.02, template=0.01, scatter=2.0
    )
    found = Assumed.of(usual).figures
    for field in fields(Figures):
        asked = getattr(usual, field.name)
        assert getattr(found, field.name) == pytest.approx(asked), field.name


def test_a_pilot_teaches_its_rate_and_how_much_identities_differ() -> None:
    """40 identities of 30 prompts, .05 apart: found within a third, five standard
    errors of a standard deviation of 40.
    """
    rng = np.random.default_rng(0)
    identity = np.repeat(np.arange(40), 30)
    rates = 0.6 + 0.05 * rng.standard_normal(40)
    tokens = np.full(len(identity), 20.0)
    counts = rng.binomial(20, rates[identity]).astype(np.float64)
    names, ids = identity.astype(np.str_), np.arange(len(identity)).astype(np.str_)
    groups = (identity % 2).astype(np.str_)
    sample = Sample(counts, tokens, ids, groups, names, np.full(len(ids), ""))
    usual = Assumed.of(
        Figures(
            rate=0.9, tokens=5.0, identity=0.2, drift=0.2, template=0.0, scatter=1.0
        )
    )
    found = learnt(sample, [], usual)
    assert found.rate == pytest.approx(0.6, abs=0.04)
    assert found.tokens == 20
    assert found.figures.identity == pytest.approx(0.05, rel=0.4)
