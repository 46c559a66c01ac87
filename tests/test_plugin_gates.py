"""Every kind of gate with every decision, through the real plugin, serial and with
-n 2.
"""

from xml.etree import ElementTree

import pytest

from specfair.gates import KINDS, OWN
from tests import here

BOUNDED = [kind for kind in KINDS if kind not in OWN]

# For every kind, an estimate that is clearly inside, clearly outside, too wide to say,
# and none at all.
CASES = """
import math
import numpy as np
import pytest
from specfair.gates import KINDS, OWN
from specfair.stats.estimate import Part, from_t, invalid

BOUND = 0.5
PARTS = [Part("slow", 40, 10, 0.01), Part("fast", 40, 10, 0.01)]

def estimate(kind, decision):
    inside = -1 if KINDS[kind].comparison == "<=" else 1
    value = {"pass": BOUND + 0.2 * inside, "fail": BOUND - 0.2 * inside, "insufficient": BOUND}[decision]
    if kind == "equivalence":
        value = {"pass": 0.0, "fail": 0.9, "insufficient": 0.45}[decision]
    spread = 0.1 if decision == "insufficient" else 0.01
    return from_t(value, spread, 1e6, parts=PARTS, groups=("slow", "fast"))

@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in OWN])
@pytest.mark.parametrize("decision", ["pass", "fail", "insufficient", "invalid"])
def test_gate(specfair, kind, decision):
    asked = invalid("nothing was generated", PARTS) if decision == "invalid" else estimate(kind, decision)
    verdict = specfair.gate(asked, kind=kind)
    assert verdict.decision == decision

@pytest.mark.parametrize("decision", ["pass", "fail", "insufficient", "invalid"])
def test_own_bound(specfair, decision):
    asked = invalid("nan") if decision == "invalid" else estimate("gap", decision)
    assert specfair.gate(asked, at_most=BOUND).decision == decision
    asked = invalid("nan") if decision == "invalid" else estimate("ratio", decision)
    assert specfair.gate(asked, at_least=BOUND).decision == decision
"""
DECISIONS = ("pass", "fail", "insufficient", "invalid")
GATES = "".join(f"{kind} = {{ bound = 0.5, min_effect = 0.01 }}\n" for kind in BOUNDED)


def run(
    pytester: pytest.Pytester, *arguments: str
) -> tuple[pytest.RunResult, dict[str, str]]:
    """The run, and for each case whether it failed in JUnit's file, which is what CI
    sees.
    """
    pytester.makepyprojecttoml(f"[tool.specfair.gates]\n{GATES}")
    pytester.makepyfile(CASES)
    result = here.run(pytester, "--junitxml=junit.xml", *arguments)
    suite = ElementTree.parse(pytester.path / "junit.xml").getroot()
    return result, {
        c.get("name", ""): "failed" if c.find("failure") is not None else "passed"
        for c in suite.iter("testcase")
    }


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["serial", "n2"])
def test_every_kind_and_decision(pytester: pytest.Pytester, workers: list[str]) -> None:
    result, outcomes = run(pytester, *workers)
    expected = {
        f"test_gate[{d}-{k}]": "failed" if d in ("fail", "invalid") else "passed"
        for d in DECISIONS
        for k in BOUNDED
    }
    own = {
        f"test_own_bound[{d}]": "failed" if d in ("fail", "invalid") else "passed"
        for d in DECISIONS
    }
    assert outcomes == expected | own
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    n = len(BOUNDED)
    result.stdout.fnmatch_lines(
        [
            "*= specfair =*",
            (
                f"verdicts: {n + 2} pass, {n + 1} fail, {n + 2} insufficient, "
                f"{n + 1} invalid"
            ),
        ]
    )


def test_strict_fails_what_is_undecided(pytester: pytest.Pytester) -> None:
    _, outcomes = run(pytester, "--specfair-strict", "-k", "gap and insufficient")
    assert outcomes == {"test_gate[insufficient-gap]": "failed"}


def test_an_option_overrides_the_file(pytester: pytest.Pytester) -> None:
    _, outcomes = run(pytester, "-k", "gap and fail", "--specfair-gate", "gap<=0.9")
    result, _ = run(pytester, "-k", "gap and fail", "--specfair-gate", "gap<=0.9")
    # the assertion in the test: the decision is now a pass
    assert outcomes == {"test_gate[fail-gap]": "failed"}
    result.stdout.fnmatch_lines(["verdicts: 1 pass, 0 fail"])


def test_a_failure_says_what_a_reader_needs(pytester: pytest.Pytester) -> None:
    result, _ = run(pytester, "-k", "gap and fail")
    text = result.stdout.str()
    for part in (
        "expected",
        "actual",
        "interval",
        "minimum effect",
        "slow: 40 prompts, 10 clusters",
        "way out",
    ):
        assert part in text
    assert (
        "pytest 'test_a_failure_says_what_a_reader_needs.py::test_gate[fail-gap]'"
        in text
    )
    assert "Traceback" not in text


def test_junit_carries_the_numbers(pytester: pytest.Pytester) -> None:
    run(pytester, "-k", "gap and fail")
    suite = ElementTree.parse(pytester.path / "junit.xml").getroot()
    found = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert found["specfair.decision"] == "fail"
    assert float(found["specfair.bound"] or "nan") == 0.5
    assert float(found["specfair.value"] or "nan") == 0.7
