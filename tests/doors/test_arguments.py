"""Options as a command line takes them."""

import argparse

import pytest

from specfair import config
from specfair.doors.arguments import as_arguments


def test_every_option_but_those_left_out_is_an_argument() -> None:
    names = [name for name, _ in as_arguments("specfair-", ("report",))]
    assert len(names) == len(config.OPTIONS) - 1
    assert "--specfair-max-new-tokens" in names
    assert "--specfair-report" not in names


def test_what_is_typed_is_what_settings_are_made_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = argparse.ArgumentParser()
    for name, how in as_arguments():
        parser.add_argument(name, **how)
    asked = vars(parser.parse_args(["--strict", "--max-new-tokens", "7"]))
    given = {name: value for name, value in asked.items() if value is not None}
    settings = config.override(config.Settings(), given)
    assert (settings.strict, settings.max_new_tokens) == (True, 7)
    several = ["--draft", "a", "--draft", "prompt-lookup:10", "--draft", "ngram:5,2-4"]
    asked = vars(parser.parse_args(several))
    assert asked["draft"] == "a"
    assert asked["drafts"] == ["prompt-lookup:10", "ngram:5,2-4"]
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])  # a per cent sign would end it
    assert "new tokens per prompt" in capsys.readouterr().out
