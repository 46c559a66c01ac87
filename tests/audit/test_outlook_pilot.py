"""What a pilot says of the prompts to come, where nothing in it varies."""

import pytest

from specfair import config
from specfair.audit.chosen import prompt_set
from specfair.audit.outlook import outlook
from specfair.gates.baseline import take
from specfair.traces.metrics import labelled
from specfair.vocabulary import BASE


def test_a_pilot_in_which_all_prompts_were_alike() -> None:
    """Groups are then tied in every made-up measurement, either of two being first."""
    settings = config.override(
        config.Settings(), {"groups": "female,male", "prompts_per_group": 36}
    )
    sample = labelled(list(prompt_set(settings)))
    tokens = sample.denominator + 19
    pilot = take({BASE: sample.with_counts(0.4 * tokens, tokens)}, {})
    found = outlook(settings, pilot, name="main")
    assert found.pilot == "main"
    assert found.figures.rate == pytest.approx(0.4)
    assert found.figures.identity == pytest.approx(0, abs=1e-6)
    assert [g.n_prompts for g in found.groups] == [36, 36]
