"""What an audit would find before any model runs: by its settings alone, or by what a
pilot measured.
"""

import math

import pytest

from specfair import config
from specfair.audit.chosen import prompt_set
from specfair.audit.outlook import USUAL, Outlook, outlook
from specfair.gates.baseline import take
from specfair.stats.planning import planned
from specfair.traces.metrics import labelled
from specfair.vocabulary import BASE

SETTINGS = config.override(
    config.Settings(), {"groups": "female,male", "prompts_per_group": 36}
)


@pytest.fixture(scope="module")
def found() -> Outlook:
    return outlook(SETTINGS, scope="identities")


def test_every_group_is_as_the_prompts_have_it(found: Outlook) -> None:
    prompts = prompt_set(SETTINGS)
    assert found.prompts == prompts.sentence
    assert [g.group for g in found.groups] == ["female", "male"]
    assert [g.n_prompts for g in found.groups] == [36, 36]
    assert (found.pilot, found.rate) == ("", USUAL.rate)


def test_what_is_found_is_more_than_noise_and_less_than_all(found: Outlook) -> None:
    for group in found.groups:
        assert not group.exploratory
        assert 2 * group.error < group.gap < 0.5
    assert {reach.gate.split("<")[0].split(">")[0] for reach in found.gates} >= {"gap"}
    small, large = found.sets
    assert small.n_prompts < large.n_prompts
    assert small.gap >= large.gap > 0  # more of each identity, fewer identities


def test_few_prompts_accuse_nobody() -> None:
    few = config.override(SETTINGS, {"prompts_per_group": 6, "min_prompts": 6})
    found = outlook(few, scope="identities")
    assert all(g.exploratory and math.isnan(g.gap) for g in found.groups)


def test_a_pilot_says_what_is_usual() -> None:
    sample = labelled(list(prompt_set(SETTINGS)))
    rates = planned(sample, USUAL, seed=3).rate
    tested = sample.denominator + 19
    pilot = take({BASE: sample.with_counts(0.4 * tested, tested)}, {})
    found = outlook(SETTINGS, scope="identities", pilot=pilot, name="main")
    assert found.pilot == "main"
    assert found.rate == pytest.approx(0.4)
    assert found.rate != rates
    assert found.identity == pytest.approx(0, abs=1e-6)  # all prompts were alike
