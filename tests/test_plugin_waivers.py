"""A project's waivers, from its file to the exit code, the summary, JUnit's file and
the report.
"""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from specfair.run.run import Run
from tests import here

CASES = """
import pytest
from specfair.stats.estimate import Part, from_t

PARTS = [Part("slow", 40, 10, 0.01), Part("fast", 40, 10, 0.01)]

@pytest.mark.parametrize("gap", [0.4, 0.1])
def test_gap(specfair, gap):
    asked = from_t(gap, 0.01, 1e6, parts=PARTS, groups=("slow", "fast"))
    specfair.gate(asked, kind="gap")
"""
GATES = "[tool.specfair.gates]\ngap = { bound = 0.2, min_effect = 0.01 }\n"


def waive(case: str, until: str = "2100-01-01", reason: str = "known since May") -> str:
    return (
        f'[[tool.specfair.waive]]\ncase = "{case}"\ngate = "gap"\nuntil = {until}\n'
        f'reason = "{reason}"\n'
    )


def run(
    pytester: pytest.Pytester, *waivers: str, options: tuple[str, ...] = ()
) -> pytest.RunResult:
    pytester.makepyprojecttoml(GATES + "".join(waivers))
    pytester.makepyfile(CASES)
    return here.run(pytester, "-rx", "--junitxml=junit.xml", *options)


def test_a_waived_failure_is_known_to_fail(pytester: pytest.Pytester) -> None:
    result = run(pytester, waive("*0.4*"))
    result.assert_outcomes(passed=1, xfailed=1)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "verdicts: 1 pass, 0 fail, 1 waived",
            "waived: gap of *0.4*, until 2100-01-01: known since May",
            "XFAIL*waived: gap of *0.4*, until 2100-01-01: known since May",
        ]
    )
    stored = Run.from_json(Path("reports/latest.json").read_text(encoding="utf-8"))
    assert sorted(v.excuse for v in stored.verdicts) == ["", "waived"]
    for form in ("md", "html"):
        text = Path(f"reports/latest.{form}").read_text(encoding="utf-8")
        assert "known since May" in text, form
    suite = ElementTree.parse("junit.xml").getroot()
    skipped = [c.find("skipped") for c in suite.iter("testcase")]
    assert any(
        "known since May" in (s.get("message") or "") for s in skipped if s is not None
    )


def test_without_one_it_fails(pytester: pytest.Pytester) -> None:
    run(pytester).assert_outcomes(passed=1, failed=1)


def test_one_that_is_over_fails_and_says_so(pytester: pytest.Pytester) -> None:
    result = run(pytester, waive("*0.4*", until="2020-01-01"))
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*its waiver is over: gap of *, until 2020-01-01*"])


def test_one_that_nothing_needs_fails(pytester: pytest.Pytester) -> None:
    result = run(pytester, waive("*"))
    result.assert_outcomes(xfailed=1, failed=1)
    result.stdout.fnmatch_lines(["*passes without its waiver, drop it: gap of *"])


@pytest.mark.parametrize(
    "option", ["--specfair-temperature=1", "--specfair-gate=gap<=0.2"]
)
def test_a_run_of_something_else_does_not_tell_what_nothing_needs(
    pytester: pytest.Pytester, option: str
) -> None:
    """Neither one that covers what passes, nor one that covers nothing."""
    result = run(pytester, waive("*"), waive("sst2*"), options=(option,))
    result.assert_outcomes(passed=1, xfailed=1)
    assert result.ret == pytest.ExitCode.OK


def test_one_that_cannot_be_read_is_one_line(pytester: pytest.Pytester) -> None:
    result = run(pytester, waive("*", until='"soon"'))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "until = 'soon', which is not a date" in result.stdout.str()
