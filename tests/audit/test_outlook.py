"""Before any model runs: prompts, bounds and a pilot make an outlook."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from specfair import config
from specfair.audit.outlook import USUAL, Outlook, outlook
from specfair.errors import UsageError
from specfair.gates import bounds, kept
from specfair.project import Project

ROOT = Path(__file__).parents[2]


def own(folder: Path, *shapes: tuple[int, int]) -> config.Settings:
    """Groups a, b, ... of so many identities with so many prompts each."""
    rows = [
        {"group": group, "text": f"{group} {i} {j}", "cluster": f"{group}{i}"}
        for group, (k, m) in zip("abcdefgh", shapes, strict=False)
        for i in range(k)
        for j in range(m)
    ]
    path = folder / "own.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return config.load(Project(folder), {"prompts": f"file:{path}"})


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Outlook:
    settings = own(tmp_path_factory.mktemp("own"), (30, 5), (10, 5), (10, 15), (2, 15))
    return outlook(settings)


def test_more_identities_find_more_than_more_prompts(uneven: Outlook) -> None:
    many, few, large, two = uneven.groups
    assert uneven.figures == USUAL
    assert [g.n_clusters for g in uneven.groups] == [30, 10, 10, 2]
    assert many.error < large.error < few.error
    # of the same number of prompts, three times as many identities
    assert many.gap < large.gap < few.gap
    assert many.fall < large.fall < few.fall
    # by two components of variance, one of ten identities of five
    expected = math.sqrt((0.03**2 + 2 * 0.7 * 0.3 / 75) / 10)
    assert few.error == pytest.approx(expected, rel=0.1)
    assert two.exploratory
    assert math.isnan(two.gap)
    assert math.isnan(two.fall)


def test_a_bound_is_failed_further_out(uneven: Outlook) -> None:
    gates = {g.gate.partition("<")[0].partition(">")[0]: g for g in uneven.gates}
    assert gates["gap"].gate == "gap<=0.1~0.02"
    assert gates["gap"].best_group == "a"
    assert gates["gap"].worst_group == "b"
    assert uneven.groups[0].gap + 0.05 < gates["gap"].best < gates["gap"].worst
    assert gates["ratio"].worst < gates["ratio"].best < 0.8
    # asked of five datasets in one family
    assert gates["gain"].best > uneven.groups[0].fall + 0.005


def test_a_set_that_would_find_it_does(uneven: Outlook, tmp_path: Path) -> None:
    for asked in uneven.sets:
        assert asked.gap > 10
    fewer, more = (s.gap * s.n_prompts for s in uneven.sets)
    assert fewer < more, "many identities of few prompts are the smaller set"
    n = uneven.sets[0]
    settings = own(tmp_path, *((n.gap, n.n_prompts),) * 4)
    again = outlook(settings)
    found = sum(g.gap for g in again.groups) / 4
    assert found == pytest.approx(0.05, rel=0.1)


def test_more_texts_a_prompt_find_more(tmp_path: Path) -> None:
    """Where identities are given, four texts are worth up to four times the prompts."""
    given = replace(own(tmp_path, (30, 5), (30, 5)), scope="prompts", temperature=1.0)
    one = outlook(given).groups[0]
    four = outlook(replace(given, continuations=4)).groups[0]
    assert four.error == pytest.approx(one.error / 2, rel=0.1)
    assert four.gap < 0.65 * one.gap


def test_identities_that_are_given_are_no_noise(tmp_path: Path) -> None:
    settings = own(tmp_path, (30, 5), (2, 15))
    many, two = outlook(replace(settings, scope="prompts")).groups
    assert not two.exploratory
    assert many.error < two.error
    assert 0.03 < two.gap < 0.2
    alone = outlook(settings)
    assert math.isnan(alone.groups[0].gap), "a failure needs two groups with evidence"
    assert all(math.isnan(g.best) for g in alone.gates if "gain" not in g.gate)


def test_a_pilot_s_variances_replace_the_usual() -> None:
    settings = config.load(Project(ROOT), {})
    pilot = kept.read_baseline("main", ROOT)
    before = outlook(settings)
    after = outlook(settings, pilot, name="main")
    assert after.pilot == "main"
    assert after.figures.rate == pytest.approx(0.761, abs=0.001)
    assert after.figures.template > 0.03, "the shipped pair stumbles over templates"
    assert after.figures.identity < before.figures.identity
    for old, new in zip(before.groups, after.groups, strict=True):
        assert new.gap < old.gap


def test_a_gate_that_is_off_is_not_planned(tmp_path: Path) -> None:
    settings = own(tmp_path, (10, 5), (10, 5))
    with pytest.raises(UsageError, match="nothing to plan"):
        outlook(replace(settings, scope="set"))
    settings = replace(settings, family="stage")
    rules = tuple(
        bounds.parse_rule(text) for text in ("gap<=0.02~0", "ratio=off", "widening=off")
    )
    found = outlook(replace(settings, gates=rules))
    assert found == outlook(replace(settings, gates=rules))
    said = [g.gate for g in found.gates]
    assert said == ["gap<=0.02~0", "spread<=0~0.0005", "gain>=0~0.01"]
    gain = found.gates[-1]
    assert gain.best in [g.fall for g in found.groups]
