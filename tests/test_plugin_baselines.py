"""The scenarios in which other regression gates stay silent: each fails its item, in JUnit too, also with -n 2."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from specfair import baseline
from specfair.audit import Audit
from specfair.session import snapshot

CASES = """
import pytest

@pytest.mark.parametrize("name", ["same", "faster", "nan", "absent", "missing", "truncated", "other_prompts", "schema"])
def test_against(specfair, name):
    specfair.gate(specfair.against_baseline(name, "base"), kind="regression", of="overall")
"""
SAID = {
    "faster": "falls short of",
    "nan": "could not be measured",
    "absent": "baseline has no 'base'",
    "missing": "does not exist; stored here",
    "truncated": "not a whole baseline file",
    "other_prompts": "answers another question: prompts_fingerprint",
    "schema": "has schema 99",
}


@pytest.fixture
def project(pytester: pytest.Pytester, measured: Audit) -> pytest.Pytester:
    """A repository with one sound baseline and what can become of baselines."""
    same = snapshot(measured, ["base"])
    numerator, denominator = same.counts["base"]
    kept = {
        "same": same,
        "faster": replace(same, counts={"base": (denominator, denominator)}),
        "nan": replace(same, counts={"base": (tuple(np.full(len(numerator), np.nan)), denominator)}),
        "absent": replace(same, counts={"imdb": same.counts["base"]}),
        "other_prompts": replace(same, about={**same.about, "prompts_fingerprint": "other"}),
    }
    for name, made in kept.items():
        baseline.save(made, name, root=pytester.path)
    folder = pytester.path / baseline.FOLDER
    text = (folder / "same.json").read_text()
    (folder / "truncated.json").write_text(text[: len(text) // 2])
    (folder / "schema.json").write_text(text.replace('"schema": 1', '"schema": 99'))
    _configure(pytester, measured)
    pytester.makepyfile(CASES)
    return pytester


def _configure(pytester: pytest.Pytester, measured: Audit) -> None:
    settings = measured.settings
    pytester.makepyprojecttoml(f"""
        [tool.specfair]
        store = '{Path(settings.store).absolute()}'
        max_new_tokens = {settings.max_new_tokens}
        prompts_per_group = {settings.prompts_per_group}
        min_prompts = {settings.min_prompts}
        groups = {list(settings.groups)}
    """)


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["serial", "n2"])
def test_every_silent_scenario_fails_its_item(project: pytest.Pytester, workers: list[str]) -> None:
    result = project.runpytest_subprocess("--junitxml=junit.xml", "-p", "no:cacheprovider", *workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1, failed=len(SAID))
    suite = ElementTree.parse(project.path / "junit.xml").getroot()
    failures = {c.get("name", ""): c.find("failure") for c in suite.iter("testcase")}
    assert failures["test_against[same]"] is None
    for name, said in SAID.items():
        failure = failures[f"test_against[{name}]"]
        assert failure is not None, name
        assert said in (failure.get("message") or "") + (failure.text or ""), name
    assert "Traceback" not in result.stdout.str()


STALE = """
def test_base(specfair):
    specfair.gate(specfair.against_baseline("old", "base"), kind="regression", of="overall")
"""


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["serial", "n2"])
def test_a_stage_that_is_measured_no_more_is_reported(
    pytester: pytest.Pytester, measured: Audit, workers: list[str]
) -> None:
    old = snapshot(measured, ["base"])
    baseline.save(replace(old, counts={**old.counts, "sst2": old.counts["base"]}), "old", root=pytester.path)
    _configure(pytester, measured)
    pytester.makepyfile(STALE)
    result = pytester.runpytest_subprocess(
        "--specfair-baseline=old", "--specfair-datasets=imdb", "-p", "no:cacheprovider", *workers
    )
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["stale in the baseline, measured no more: sst2; *"])
    assert "base-overall" in (pytester.path / "reports" / "latest.html").read_text()
