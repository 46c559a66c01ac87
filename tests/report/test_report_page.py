"""A Report survives its JSON, refuses what is not one, and opens without anything
heavy.
"""

import dataclasses
import json
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from specfair.errors import StoreError
from specfair.report import Report
from specfair.report.page import SCHEMA, EstimateRow, GapRow
from tests import report_samples


def test_stored_form_is_stable_and_sorted() -> None:
    text = report_samples.full().to_json()
    again = Report.from_json(text)
    assert again.to_json() == text
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert len(again.estimates) == len(report_samples.full().estimates)


def test_numbers_that_are_none_become_null_and_come_back_as_nan() -> None:
    rows = (
        EstimateRow("", "before", "alpha", "", "a", math.nan, -math.inf, 1 / 3, 3, 2),
    )
    gaps = (GapRow("", "before", "alpha", "", 0.1, 0.0, 0.2, None, math.nan, "a", "b"),)
    report = Report(
        created="now", command="c", groups=("a", "b"), estimates=rows, gaps=gaps
    )
    again = Report.from_json(report.to_json())
    assert math.isnan(again.estimates[0].value)
    assert math.isnan(again.estimates[0].low)
    assert again.estimates[0].high == 0.333333
    assert again.gaps[0].null is None
    assert math.isnan(again.gaps[0].ratio)


def test_numpy_values_are_stored_as_plain_ones() -> None:
    verdict = {
        "case": "x",
        "value": np.float32(0.5),
        "n": {"a": np.array([3, 2])},
        "ok": np.bool_(True),
        "odd": {1, 2},
    }
    report = Report(
        created="now",
        command="c",
        groups=("a",),
        verdicts=(verdict,),
        settings={"path": sys},
    )
    stored = json.loads(report.to_json())
    assert stored["verdicts"][0] == {
        "case": "x",
        "value": 0.5,
        "n": {"a": [3, 2]},
        "ok": True,
        "odd": [1, 2],
    }
    assert isinstance(stored["settings"]["path"], str)


def test_lone_surrogates_can_be_stored() -> None:
    report = Report(created="now", command="\ud800", groups=("\udfff",))
    assert Report.from_json(report.to_json().encode().decode()) == report


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[:-20], "not JSON"),
        (lambda _: "[]", "schema None"),
        (lambda text: text.replace(f'"schema": {SCHEMA}', '"schema": 99'), "schema 99"),
        (lambda text: text.replace('"created"', '"creatde"'), "damaged"),
        (lambda text: text.replace('"n_clusters"', '"n_flusters"'), "damaged"),
        (lambda _: json.dumps({"schema": SCHEMA, "estimates": 3}), "damaged"),
        (
            lambda _: json.dumps(
                {"schema": SCHEMA, "estimates": {"columns": ["a"], "rows": [[1, 2]]}}
            ),
            "damaged",
        ),
    ],
)
def test_what_is_not_a_run_is_refused_in_one_line(
    damage: Callable[[str], str], words: str
) -> None:
    with pytest.raises(StoreError, match=words) as caught:
        Report.from_json(damage(report_samples.small().to_json()))
    assert "\n" not in str(caught.value)


def test_plain_is_what_a_stored_copy_reads() -> None:
    listed: Any = ["queer", "queer_gender"]
    report = dataclasses.replace(report_samples.small(), groups=listed)
    assert report.plain() == Report.from_json(report.to_json())
    assert report.plain().groups == ("queer", "queer_gender")


def test_import_is_light() -> None:
    code = (
        "import sys; from specfair.report import Report; import specfair.report.page\n"
        "print([m for m in ('torch', 'jinja2', 'altair', 'pandas', 'numpy', "
        "'vl_convert') if m in sys.modules])"
    )
    assert (
        subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
    )


def test_unknown_name_of_the_package() -> None:
    import specfair.report

    with pytest.raises(AttributeError, match="render_pdf"):
        specfair.report.render_pdf  # noqa: B018  # the look-up is the test


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("created", 1, "created: 1 is int, not str"),
        ("groups", "ab", "groups: 'ab' is str, not list"),
        ("groups", [1], "groups: 1 is int, not str"),
        ("notes", None, "notes: None is NoneType, not list"),
        ("sources", {"imdb": 1}, "sources: 1 is int, not str"),
        ("verdicts", [1], "verdicts: 1 is int, not dict"),
        ("verdicts", [{"value": "x"}], "verdicts: 'x' is str, not a number"),
        ("verdicts", [{"n": {"a": 1}}], "verdicts: 1 is int, not list"),
        ("gaps", {"columns": [], "rows": [[1]]}, "gaps: zip"),
        ("gaps", [], r"gaps: \[\] is list, not dict"),
        (
            "frequency",
            {"columns": ["dataset", "slope"], "rows": [["a", True]]},
            "frequency: True is bool, not a number",
        ),
        ("more", 1, "more"),
        ("settings", {"a": [[[[]]]] * 2, "schema": 10**400}, ""),
    ],
)
def test_a_field_of_another_type_is_said(field: str, value: object, why: str) -> None:
    stored = json.dumps(
        {"created": "now", "command": "c", "groups": [], "schema": 1, field: value}
    )
    if not why:
        assert Report.from_json(stored).settings == value
        return
    with pytest.raises(StoreError, match=f"stored run is damaged.*{why}"):
        Report.from_json(stored)


def test_a_run_nested_too_deeply_is_refused() -> None:
    with pytest.raises(StoreError, match="nested deeper than 50 levels"):
        Report.from_json('{"schema": 1, "settings": ' + '{"a":' * 60 + "1" + "}" * 61)


def test_a_decision_nobody_knows_is_no_pass() -> None:
    verdict = {"decision": "passed"}
    stored = json.dumps(
        {"created": "", "command": "", "groups": [], "schema": 1, "verdicts": [verdict]}
    )
    assert Report.from_json(stored).verdicts == ({"decision": "invalid"},)
