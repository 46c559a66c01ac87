"""A Run survives its JSON, refuses what is not one, and opens without anything
heavy.
"""

import json
import math
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from specfair.errors import StoreError
from specfair.run.rows import EstimateRow, ExampleRow, GapRow
from specfair.run.run import SCHEMA, Run, in_order, merge
from specfair.vocabulary import BASE, Stage
from tests import report_samples
from tests.report_samples import verdict


def test_stored_form_is_stable_and_sorted() -> None:
    text = report_samples.full().to_json()
    again = Run.from_json(text)
    assert again.to_json() == text
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert len(again.estimates) == len(report_samples.full().estimates)


def test_numbers_that_are_none_become_null_and_come_back_as_nan() -> None:
    rows = (EstimateRow(BASE, "alpha", "", "a", math.nan, -math.inf, 1 / 3, 3, 2),)
    gaps = (GapRow(BASE, "alpha", "", 0.1, 0.0, 0.2, None, math.nan, "a", "b"),)
    report = Run(
        created="now", command="c", groups=("a", "b"), estimates=rows, gaps=gaps
    )
    again = Run.from_json(report.to_json())
    assert math.isnan(again.estimates[0].value)
    assert math.isnan(again.estimates[0].low)
    assert again.estimates[0].high == 0.333333
    assert again.gaps[0].null is None
    assert math.isnan(again.gaps[0].ratio)


def test_numpy_values_are_stored_as_plain_ones() -> None:
    odd = verdict(value=np.float32(0.5), n={"a": np.array([3, 2])}, strict=np.bool_(1))
    report = Run(
        created="now",
        command="c",
        groups=("a",),
        verdicts=(odd,),
        settings={"path": sys},
    )
    stored = json.loads(report.to_json())
    (found,) = stored["verdicts"]
    assert (found["value"], found["n"], found["strict"]) == (0.5, {"a": [3, 2]}, True)
    assert found["stage"] == "imdb"
    assert isinstance(stored["settings"]["path"], str)


def test_lone_surrogates_can_be_stored() -> None:
    report = Run(created="now", command="\ud800", groups=("\udfff",))
    assert Run.from_json(report.to_json().encode().decode()) == report


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
        Run.from_json(damage(report_samples.small().to_json()))
    assert "\n" not in str(caught.value)


def test_a_verdict_comes_back_as_it_was() -> None:
    verdicts = (verdict(stage=None, n={}), verdict(stage=BASE, strict=True, nth=2))
    run = Run(created="now", command="c", groups=("a",), verdicts=verdicts)
    assert Run.from_json(run.to_json()) == run


def test_import_is_light() -> None:
    heavy = "('torch', 'jinja2', 'pandas', 'numpy')"
    code = (
        "import sys; from specfair.run.run import Run; "
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    assert (
        subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
    )


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
        ("verdicts", [{"case": "x"}], "verdicts: .*missing"),
        ("verdicts", [{"stage": 3}], "verdicts: 3 is int, not str"),
        ("verdicts", [{"n": {"a": 1}}], "verdicts: 1 is int, not list"),
        ("gaps", {"columns": [], "rows": [[1]]}, "gaps: zip"),
        ("gaps", [], r"gaps: \[\] is list, not dict"),
        (
            "frequency",
            {"columns": ["stage", "slope"], "rows": [["a", True]]},
            "frequency: True is bool, not a number",
        ),
        ("more", 1, "more"),
        ("settings", {"a": [[[[]]]] * 2, "schema": 10**400}, ""),
    ],
)
def test_a_field_of_another_type_is_said(field: str, value: object, why: str) -> None:
    stored = json.dumps(
        {"created": "now", "command": "c", "groups": [], "schema": SCHEMA, field: value}
    )
    if not why:
        assert Run.from_json(stored).settings == value
        return
    with pytest.raises(StoreError, match=f"stored run is damaged.*{why}"):
        Run.from_json(stored)


def test_a_run_nested_too_deeply_is_refused() -> None:
    with pytest.raises(StoreError, match="nested deeper than 50 levels"):
        Run.from_json('{"settings": ' + '{"a":' * 60 + "1" + "}" * 61)


def test_a_decision_nobody_knows_is_no_pass() -> None:
    run = Run(created="now", command="c", groups=(), verdicts=(verdict(),))
    stored = run.to_json().replace('"decision": "fail"', '"decision": "passed"')
    assert Run.from_json(stored).verdicts == (verdict(decision="invalid"),)


def test_a_run_of_an_older_schema_is_refused_in_one_line() -> None:
    with pytest.raises(StoreError, match="schema 1; this version reads 2"):
        Run.from_json('{"schema": 1}')


def test_parts_of_a_run_may_come_in_any_order() -> None:
    """Two workers: each has the base pair and a dataset, and asked every other test."""
    stages, gates = (BASE, Stage("imdb"), Stage("sst2")), ("gap", "ratio", "gain")

    def part(measured: tuple[Stage, ...], asked: tuple[str, ...]) -> Run:
        return Run(
            created="now",
            command="c",
            groups=("a", "b"),
            datasets=tuple(s.dataset for s in measured[1:]),
            verdicts=tuple(verdict(gate=g, reproduce=g) for g in asked),
            estimates=tuple(
                EstimateRow(stage, "alpha", "", group, 0.5, 0.4, 0.6, 3, 2)
                for stage in measured
                for group in ("a", "b")
            ),
            examples=tuple(
                ExampleRow(verdict().case, g, "a", text, 0.1)
                for g in asked
                for text in ("slow", "slower")
            ),
        )

    whole = part(stages, gates)
    first, second = part(stages[:2], gates[1:2]), part(stages[::2], gates[::2])
    for parts in ([first, second], [second, first]):
        assert in_order(merge(parts), stages, gates) == whole
