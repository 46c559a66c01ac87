"""Slices of a measured audit, and an audit compared by intersections: from a file of
one's own to rows that a run stores.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

from specfair import config
from specfair.audit import record, slicing
from specfair.audit.audit import Audit
from specfair.audit.session import Session, ask_all
from specfair.config import Settings
from specfair.report import render_html
from specfair.texts import prompts
from specfair.vocabulary import BASE


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Embedded prompts of two groups with two attributes of our own."""
    folder = tmp_path_factory.mktemp("slices")
    few = prompts.load("embedded").only(["female", "male"]).limit(60)
    rows = [
        {
            "group": p.group,
            "text": p.text,
            "identity": p.cluster,
            "template": p.template,
            "attributes": {"age": ["old", "young"][i % 2], "sex": p.group},
        }
        for i, p in enumerate(few)
    ]
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = {
        "prompts": f"file:{folder / 'own.jsonl'}",
        "max_new_tokens": 6,
        "cost_ratio": 0.2,
        "store": str(folder / "store"),
    }
    return config.override(Settings(), asked)


def measured(settings: Settings, **changes: object) -> tuple[Audit, list[str]]:
    said: list[str] = []
    audit = Audit(config.override(settings, changes), said.append)
    audit.measure([BASE])
    return audit, said


def test_slices_are_ratios_of_the_measured_counts(settings: Settings) -> None:
    audit, _ = measured(settings)
    rows = slicing.found(audit, BASE, ("sex & age",))
    assert {row.by for row in rows} == {("sex", "age")}
    sample = audit.base.sample("acceptance_rate")
    ages = audit.prompts.attributes["age"]
    for row in rows:
        sex, age = row.values
        mine = (sample.group == sex) & (
            np.array([ages[name] for name in sample.prompt]) == age
        )
        assert row.value == pytest.approx(sample[mine].value)
        assert row.n_prompts == mine.sum()


def test_every_grouping_is_looked_at_and_corrected_together(settings: Settings) -> None:
    """Two groups, two ages, and their crossing: eight slices, one family."""
    audit, _ = measured(settings)
    rows = slicing.found(audit, BASE)
    assert sorted({row.by for row in rows}) == [("age",), ("group",), ("group", "age")]
    alone = slicing.found(audit, BASE, ("age",))
    both = {row.values: row.p_holm for row in rows if row.by == ("age",)}
    assert all(both[row.values] >= row.p_holm for row in alone)
    assert [row.known for row in rows] == sorted([r.known for r in rows], reverse=True)


def test_compared_by_intersections_nothing_is_traced_again(settings: Settings) -> None:
    whole, _ = measured(settings)
    audit, said = measured(settings, by="sex&age")
    assert said == []
    assert set(audit.prompts.groups) == {
        f"{sex} & {age}" for sex in ("female", "male") for age in ("old", "young")
    }
    groups = audit.base.acceptance_rate
    assert groups.overall.value == whole.base.acceptance_rate.overall.value
    assert set(groups.by_group) == set(audit.prompts.groups)
    assert groups.difference().groups[0] in audit.prompts.groups


def test_live_counts_are_those_of_the_prompts_that_are_left(settings: Settings) -> None:
    whole, _ = measured(settings, engine="live")
    audit, _ = measured(settings, engine="live", by="sex & age", min_prompts=25)
    rate = whole.base.sample("acceptance_rate")
    some = audit.base.sample("acceptance_rate")
    place = {name: i for i, name in enumerate(rate.prompt)}
    at = [place[name] for name in some.prompt]
    assert np.array_equal(some.numerator, rate.numerator[at])


def test_the_clock_is_by_intersections_too(settings: Settings) -> None:
    audit, _ = measured(settings, by="sex&age")
    assert set(audit.clocked(BASE).by_group) == set(audit.prompts.groups)


def test_a_run_by_intersections_is_judged_stored_and_drawn(settings: Settings) -> None:
    audit, _ = measured(settings, by="sex&age")
    session = Session(
        audit.settings, lambda _: None, audits={audit.settings.measurement: audit}
    )
    ask_all(session, BASE)
    run = record.build(session)
    (gap,) = (v for v in run.verdicts if v.gate == "gap" and not v.of)
    assert set(gap.groups) <= set(audit.prompts.groups)
    assert run.prompts.endswith("by sex & age")
    assert {row.by for row in run.slices} == {("sex", "age"), ("age",), ("sex",)}
    page = render_html(run)
    assert 'id="section-slices"' in page
    assert "Who waits longest within the groups?" in page


def test_prompts_without_attributes_leave_no_slices(measured: Audit) -> None:
    assert measured.settings.by == ""
    assert slicing.stored(measured, BASE) == []


def test_of_thousands_the_slowest_are_stored(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit, _ = measured(settings)
    every = slicing.stored(audit, BASE)
    monkeypatch.setattr(slicing, "CELLS", 3)
    monkeypatch.setattr(slicing, "MANY", 2)
    some = slicing.stored(audit, BASE)
    assert len(some) == 6 < len(every) == 8
    assert replace(some[0]) in every
