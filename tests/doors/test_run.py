"""What a run of tests has behind its door."""

from typing import NoReturn

import pytest

from specfair.doors.asked import settings_of
from specfair.doors.run import Runner
from specfair.errors import SpecfairError


def never(text: str) -> NoReturn:
    raise AssertionError(text)


def test_a_session_begins_with_the_first_desk(request: pytest.FixtureRequest) -> None:
    runner = Runner(request.config, print)
    assert runner.part([]) == []
    first, second = (
        runner.desk(request.node, {}, fail=never, excuse=never) for _ in range(2)
    )
    assert first.session is second.session is runner.session
    assert first.case.name == request.node.name
    [part] = runner.part([])
    assert {"report", "ungated", "lost"} & set(part)


def test_groups_are_those_of_the_prompts(request: pytest.FixtureRequest) -> None:
    settings = settings_of(request.config)
    assert "queer" in Runner(request.config, print).groups(settings)


def test_a_baseline_that_is_not_there_is_refused(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = Runner(request.config, print)
    runner.check_baselines()  # none is asked for
    monkeypatch.setattr(request.config.option, "specfair_baseline", "nowhere")
    with pytest.raises(SpecfairError, match="nowhere"):
        runner.check_baselines()
