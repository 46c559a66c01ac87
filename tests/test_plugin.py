"""The plugin: real evals on the shipped pair, mistakes,
baselines, silence when unused.
"""

import json
import shutil
from pathlib import Path

import pytest

from specfair.texts.prompts import fixtures
from tests import here

ROOT = Path(__file__).parents[1]
SMALL = """
[tool.specfair]
max_new_tokens = 5
prompts_per_group = 6
min_prompts = 6
groups = ["female", "male", "queer"]
"""
# a comparison without training: every gain is 0
READY = (f"--specfair-tuned-draft={fixtures() / 'pair' / 'draft'}",)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What one run measured, the next reads."""
    return f"store = '{tmp_path_factory.mktemp('store')}'\n"


@pytest.fixture
def project(pytester: pytest.Pytester, stored: str) -> pytest.Pytester:
    """A user's repository with the evals in it."""
    shutil.copytree(
        ROOT / "evals",
        pytester.path / "evals",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy(ROOT / "conftest.py", pytester.path)
    pytester.makepyprojecttoml(SMALL + stored)
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return here.run(project, "evals", *arguments)


def test_ids_select_datasets_and_groups(project: pytest.Pytester) -> None:
    text = run(project, "--collect-only", "-q", "-k", "imdb and queer").stdout.str()
    assert "test_group_is_not_slower[imdb-queer]" in text
    assert "sst2" not in text
    assert "test_regression" not in text  # no baseline was given


@pytest.mark.parametrize(
    "workers", [(), ("-n", "2", "--dist", "loadgroup")], ids=["serial", "n2"]
)
def test_evals_run_and_write_the_report(
    project: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """One gate is out of reach, so that this run has a failure; of people nothing could
    be said with so few of them, so it is asked of the set alone.
    """
    impossible = ("--specfair-scope=set", "--specfair-gate", "tuned.gap<=-0.5~0")
    result = run(
        project, "-k", "not lookahead and not speed", *READY, *impossible, *workers
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    alone = """alone*pytest 'evals/test_*[[]tuned]' --specfair-tuned-draft=* '--specfair-gate=tuned.gap<=-0.5~0'*"""
    result.stdout.fnmatch_lines([f"*{alone}"])
    result.stdout.fnmatch_lines(
        [
            "*= specfair =*",
            "verdicts: *fail*",
            "worst gap: *",
            "report: reports/latest.html",
        ]
    )
    stored = json.loads((project.path / "reports" / "latest.json").read_text())
    assert stored["datasets"] == ["tuned"]
    failed = {v["case"] for v in stored["verdicts"] if v["decision"] == "fail"}
    assert "tuned" in failed
    assert {v["decision"] for v in stored["verdicts"]} == {"pass", "fail"}
    gains = [v for v in stored["verdicts"] if v["gate"] == "gain"]
    assert len(gains) == 4
    assert all(v["value"] == 0 and v["decision"] == "pass" for v in gains)
    assert "queer" in (project.path / "reports" / "latest.html").read_text()
    assert (project.path / "reports" / "latest.md").exists()


MISTAKES = [
    (["--specfair-datasets", "imbd"], "unknown dataset 'imbd'"),
    (["--specfair-groups", "quer,male"], "unknown group 'quer'"),
    (["--specfair-gate", "gapp<=1"], "unknown gate 'gapp'"),
    (["--specfair-max-new-tokens", "0"], "it is at least 1"),
    (
        [
            "--specfair-target=./no",
            "--specfair-draft=./no",
            "--specfair-prompts=embedded",
        ],
        "does not exist",
    ),
    (["--specfair-prompts", "file:empty.jsonl"], "empty.jsonl"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=[m[1] for m in MISTAKES])
def test_mistakes_are_one_line_and_exit_code_4(
    project: pytest.Pytester, arguments: list[str], said: str
) -> None:
    (project.path / "empty.jsonl").write_text("")
    result = run(project, "-k", "test_difference", *arguments)
    text = result.stdout.str() + result.stderr.str()
    assert said in text
    assert "Traceback" not in text
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_damaged_trace_is_recomputed_and_said(project: pytest.Pytester) -> None:
    project.makepyprojecttoml(SMALL)
    run(project, "-k", "test_difference and base")
    kept = (project.path / ".specfair" / "texts").glob("*/*")
    stored = [p for p in kept if p.suffix == "" and not p.name.startswith(".")]
    assert len(stored) == 1
    stored[0].write_bytes(b"damaged")
    result = run(project, "-k", "test_difference and base")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*its checksum does not hold*is made again*"])


def test_baseline_saved_compared_and_updated(project: pytest.Pytester) -> None:
    only = ("-k", "test_difference or regressed", *READY)
    saved = run(project, *only, "--specfair-save-baseline", "main")
    saved.stdout.fnmatch_lines(["baseline 'main' saved: 2 stages, 18 prompts"])
    compared = run(
        project, *only, "--specfair-baseline", "main", "--specfair-update-baseline"
    )
    assert compared.ret == pytest.ExitCode.OK
    compared.assert_outcomes(passed=2 + 2 * 4)
    compared.stdout.fnmatch_lines(["baseline 'main' is unchanged"])
    again = run(project, *only, "--specfair-save-baseline", "main")
    again.stderr.fnmatch_lines(["*exists and is never overwritten unasked*"])
    assert again.ret == pytest.ExitCode.USAGE_ERROR


def test_unused_it_is_silent_and_light(pytester: pytest.Pytester) -> None:
    """A repository that has the plugin installed but does not use it pays nothing and
    sees nothing.
    """
    pytester.makepyfile("""
        import sys

        def test_nothing():
            heavy = {"torch", "transformers", "pandas", "scipy", "datasets"}
            assert not heavy & set(sys.modules)
    """)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    assert "specfair" not in "\n".join(
        line for line in result.outlines if not line.startswith("plugins:")
    )
    assert not (pytester.path / "reports").exists()
    assert not (pytester.path / ".specfair").exists()


def test_options_are_in_the_help(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--help")
    result.stdout.fnmatch_lines(
        [
            "*fairness of speculative decoding:",
            "*--specfair-target*",
            "*--specfair-gate*",
        ]
    )


MARKED = """
import pytest

pytestmark = pytest.mark.specfair(groups="female,male", min_prompts=3, lookahead="constant-2")


def pytest_generate_tests(metafunc):
    from specfair.plugin import cases
    cases(metafunc)


@pytest.mark.specfair(prompts_per_group=3)
def test_group(specfair, group):
    audit = specfair.audit()
    assert audit.prompts.groups == ("female", "male")
    assert len(audit.prompts) == 6
    assert str(audit.settings.deployed) == "constant-2"


def test_call_wins_over_the_marker(specfair):
    assert specfair.audit(lookahead="constant-1").settings.lookahead == "constant-1"


@pytest.mark.specfair(lookahed="constant-1")
def test_misspelt(specfair):
    specfair.audit()
"""


def test_a_marker_changes_the_settings_of_a_test(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml(SMALL)
    pytester.makepyfile(MARKED)
    result = here.run(pytester, "--strict-markers", "-v")
    result.stdout.fnmatch_lines(
        [
            "*test_group[[]female] PASSED*",
            "*test_group[[]male] PASSED*",
            "*call_wins* PASSED*",
        ]
    )
    result.stdout.fnmatch_lines(["*Did you mean 'lookahead'*"])
    assert "queer" not in result.stdout.str()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
