"""The scenarios in which other regression gates stay silent: each fails its item, in
JUnit too, also with -n 2.
"""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from specfair.audit.audit import Audit
from specfair.audit.session import snapshot
from specfair.gates import kept
from specfair.vocabulary import BASE, Stage
from tests import here
from tests.conftest import small_audit

CASES = """
import pytest

@pytest.mark.parametrize("name", ["same", "faster", "nan", "absent", "missing", "truncated", "other_prompts", "schema"])
def test_against(specfair, name):
    specfair.gate(specfair.against_baseline(name, "base").overall, kind="regression")
"""
SAID = {
    "faster": "falls short of",
    "nan": "is not a whole baseline file",
    "absent": "baseline has no 'base'",
    "missing": "does not exist; stored here",
    "truncated": "not a whole baseline file",
    "other_prompts": "answers another question: prompts_fingerprint",
    "schema": "has schema 99",
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """The base pair, with enough clusters to fail."""
    made, _ = small_audit(tmp_path_factory.mktemp("audit"), prompts_per_group=36)
    _ = made.base
    return made


@pytest.fixture
def project(pytester: pytest.Pytester, measured: Audit) -> pytest.Pytester:
    """A repository with one sound baseline and what can become of baselines."""
    same = snapshot(measured, [BASE])
    numerator, denominator = same.counts[BASE]
    named = {
        "same": same,
        "faster": replace(same, counts={BASE: (denominator, denominator)}),
        "absent": replace(same, counts={Stage("imdb"): same.counts[BASE]}),
        "other_prompts": replace(
            same, about={**same.about, "prompts_fingerprint": "other"}
        ),
    }
    for name, made in named.items():
        kept.save_baseline(made, name, root=pytester.path)
    folder = pytester.path / kept.FOLDER
    text = (folder / "same.json").read_text()
    (folder / "truncated.json").write_text(text[: len(text) // 2])
    (folder / "nan.json").write_text(text.replace(f"[{numerator[0]}, ", "[NaN, ", 1))
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
def test_every_silent_scenario_fails_its_item(
    project: pytest.Pytester, workers: list[str]
) -> None:
    result = here.run(project, "--junitxml=junit.xml", *workers)
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
    specfair.gate(specfair.against_baseline("old", "base").overall, kind="regression")
"""


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["serial", "n2"])
def test_a_stage_that_is_measured_no_more_is_reported(
    pytester: pytest.Pytester, measured: Audit, workers: list[str]
) -> None:
    old = snapshot(measured, [BASE])
    kept.save_baseline(
        replace(old, counts={**old.counts, Stage("sst2"): old.counts[BASE]}),
        "old",
        root=pytester.path,
    )
    _configure(pytester, measured)
    pytester.makepyfile(STALE)
    result = here.run(
        pytester, "--specfair-baseline=old", "--specfair-datasets=imdb", *workers
    )
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["stale in the baseline, measured no more: sst2; *"])
    stored = json.loads((pytester.path / "reports" / "latest.json").read_text())[
        "baseline"
    ]
    assert [row[0] for row in stored["rows"]] == [
        "base",
        "base-female",
        "base-male",
        "base-queer",
        "sst2",
    ]


def test_the_first_run_on_main_makes_the_baseline(
    pytester: pytest.Pytester, measured: Audit
) -> None:
    """Finding 34: examples/fairness.yml on its first day; what is to be written is not
    missed.
    """
    _configure(pytester, measured)
    pytester.makepyfile("""
        def test_regressed(specfair, specfair_baseline):
            specfair.gate(specfair.against_baseline(specfair_baseline, "base").overall, kind="regression")

        def test_gap(specfair):
            specfair.gate(specfair.audit().acceptance_rate.difference(), at_most=0.9)
    """)
    options = ("--specfair-baseline=main", "--specfair-update-baseline")
    first = here.run(pytester, *options)
    first.assert_outcomes(passed=1, deselected=1)
    first.stdout.fnmatch_lines(["baseline 'main' saved: 1 stage, 108 prompts"])
    second = here.run(pytester, *options)
    second.assert_outcomes(passed=2)
    second.stdout.fnmatch_lines(["baseline 'main' is unchanged"])
    for wrong in (
        ["--specfair-save-baseline=main"],
        ["--specfair-baseline=mian"],
        ["--specfair-update-baseline"],
    ):
        refused = here.run(pytester, *wrong)
        assert refused.ret == pytest.ExitCode.USAGE_ERROR
        # said before, not after
        assert "test session starts" not in refused.stdout.str()
        assert "Traceback" not in refused.stderr.str()
