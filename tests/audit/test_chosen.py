"""The prompts that settings choose are enough to compare groups, or refused."""

import json
from pathlib import Path

import pytest

from specfair import config
from specfair.audit.chosen import prompt_set
from specfair.errors import DataError, UsageError


def test_the_original_study_s_question_needs_two_groups() -> None:
    with pytest.raises(DataError, match="at least 2"):
        prompt_set(config.override(config.Settings(), {"groups": "queer"}))
    with pytest.raises(UsageError, match="Did you mean 'queer'"):
        prompt_set(config.override(config.Settings(), {"groups": "quer,male"}))


@pytest.mark.parametrize(
    ("spec", "groups", "way_out"),
    [
        (
            "file:two.jsonl",
            "a",
            "have 1 group; fairness needs at least 2. Name more in --specfair-groups.",
        ),
        (
            "file:one.jsonl",
            "",
            (
                "have 1 group; fairness needs at least 2. Name another set, or add "
                "groups to it."
            ),
        ),
        (
            "bold/gender:one.json",
            "",
            "2. Name another set, such as 'bold' with all its parts.",
        ),
    ],
)
def test_one_group_cannot_be_compared(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spec: str,
    groups: str,
    way_out: str,
) -> None:
    """Finding 35: the way out is one that helps."""
    monkeypatch.chdir(tmp_path)
    for name, members in (("one", "a"), ("two", "ab")):
        rows = [
            json.dumps({"group": g, "text": f"{g} {i}"})
            for g in members
            for i in range(3)
        ]
        Path(f"{name}.jsonl").write_text("\n".join(rows))
    Path("one.json").write_text(json.dumps({"a": {"title": ["a 1", "a 2"]}}))
    settings = config.override(
        config.Settings(), {"prompts": spec, "min_prompts": 1, "groups": groups}
    )
    with pytest.raises(DataError) as caught:
        prompt_set(settings)
    assert str(caught.value).endswith(way_out)
