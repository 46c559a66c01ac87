"""`specfair slices` from the outside: what is printed of the embedded pair."""

import json
from pathlib import Path

import pytest

from specfair import cli

FEW = (
    *("slices", "--groups", "female,male", "--prompts-per-group", "24"),
    *("--max-new-tokens", "5", "--cost-ratio", "0.2"),
)


def run(folder: Path, *more: str) -> int:
    return cli.main([*FEW, "--store", str(folder / "store"), *more])


def test_the_slowest_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == cli.OK
    sentence, counted, _, head, *lines = capsys.readouterr().out.splitlines()
    assert sentence.startswith("48 prompts of 2 groups")
    assert counted.startswith("2 slices of 1 grouping, constant-5; acceptance_rate")
    assert head.split()[:2] == ["expected", "95%"]
    rates = [float(line.split()[0]) for line in lines]
    assert rates == sorted(rates)
    assert {line.split()[-1] for line in lines} == {"female", "male"}


def test_as_json_as_many_as_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--format", "json", "--top", "1") == cli.OK
    (row,) = json.loads(capsys.readouterr().out)
    assert row["by"] == ["group"]
    assert row["low"] <= row["shrunken"] <= row["high"]


def test_an_attribute_that_prompts_lack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--by", "group&age") == cli.USAGE
    assert "unknown attribute of these prompts 'age'" in capsys.readouterr().err
