"""Whole runs seen from outside: a broken draft and a good baseline, what JUnit says of
the run, where seconds go.
"""

import json
import os
import shutil
import statistics
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from safetensors.torch import load_file, save_file

from specfair.texts.prompts import fixtures
from tests import here

ROOT = Path(__file__).parents[1]
PROJECT = """
[tool.specfair]
max_new_tokens = 4
prompts_per_group = 36  # with fewer than eight clusters nothing fails
min_prompts = 6
groups = ["female", "male"]
"""
ASKS = """
def test_gap(specfair):
    specfair.ask("gap", "base")
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    pytester.makepyprojecttoml(PROJECT)
    pytester.makepyfile(ASKS)
    return here.run(pytester, *arguments)


def broken_draft(folder: Path) -> Path:
    """The shipped draft with one number in its weights that is none."""
    shutil.copytree(fixtures() / "pair" / "draft", folder)
    weights = load_file(folder / "model.safetensors")
    name = next(n for n, tensor in weights.items() if tensor.dim() == 2)
    weights[name] = weights[name].clone().index_fill(0, torch.arange(50), torch.nan)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_a_run_with_nan_weights_fails_and_leaves_the_good_baseline_alone(
    pytester: pytest.Pytester,
) -> None:
    saved = run(pytester, "--specfair-save-baseline=main")
    assert saved.ret == pytest.ExitCode.OK
    file = pytester.path / "reports" / "baselines" / "main.json"
    good = file.read_bytes()
    target = f"--specfair-target={fixtures() / 'pair' / 'target'}"
    pair = (
        target,
        f"--specfair-draft={broken_draft(pytester.path / 'broken')}",
        "--specfair-prompts=embedded",
    )
    broken = run(
        pytester, *pair, "--specfair-baseline=main", "--specfair-update-baseline"
    )
    text = broken.stdout.str()
    assert "could not be measured" in text
    assert "NaN" in text
    assert "baseline 'main' is not written" in text
    assert "Traceback" not in text
    assert broken.ret != pytest.ExitCode.OK
    assert file.read_bytes() == good


def test_junit_names_the_pair_the_prompts_and_the_decoding(
    pytester: pytest.Pytester,
) -> None:
    """So that a run on the shipped pair cannot pass for a run on another."""
    result = run(pytester, "--junitxml=junit.xml")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["measured: embedded / embedded; 72 prompts of 2 groups*; greedy*; constant-5"]
    )
    suite = ElementTree.parse(pytester.path / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    of_suite = {
        p.get("name"): p.get("value") for p in suite.findall("properties/property")
    }
    assert of_suite["specfair.target"] == of_suite["specfair.draft"] == "embedded"
    assert of_suite["specfair.groups"] == "female, male"
    assert "greedy" in str(of_suite["specfair.decoding"])
    of_case = {
        p.get("name"): p.get("value")
        for p in suite.findall("testcase/properties/property")
    }
    assert str(of_case["specfair.about"]).startswith(
        "embedded / embedded; 72 prompts of 2 groups"
    )


def test_a_repository_that_does_not_use_the_plugin_pays_little_for_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processor time of importing it, an eighth of pytest's own: about 10 ms on a quiet
    machine. The median of nine processes; one before them compiles it, as an
    installation does.
    """
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(pytester.path / "compiled"))
    for name in [name for name in os.environ if name.startswith("COV")]:
        monkeypatch.delenv(name)  # a tracer in the process would be timed as well
    code = (
        "from time import process_time as t; a = t(); import pytest, dataclasses; "
        "b = t(); import specfair.plugin; print((t() - b) / (b - a))"
    )
    shares = [
        float(pytester.run(sys.executable, "-c", code).outlines[0]) for _ in range(10)
    ]
    assert statistics.median(shares[1:]) < 0.18


def test_the_command_line_judges_what_the_evals_judge(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three bounds were ignored by the command line, and nothing failed."""
    from specfair import cli

    pytester.makepyprojecttoml(
        PROJECT + f"tuned_draft = {json.dumps(str(fixtures() / 'pair' / 'draft'))}\n"
    )
    command = [
        "audit",
        "--store",
        str(pytester.path / "store"),
        "--gate",
        "improve>=0.9",
        "--gate",
        "worst_pair<=-1",
    ]
    assert cli.main(command) == cli.FAILED
    failed = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("fail")
    ]
    assert [
        sum(word in line for line in failed) for word in ("gain in", "worst pair")
    ] == [1, 2]
    assert cli.main([*command, "--gate", "equivalence<=0.1"]) == cli.USAGE
    assert "gate equivalence<=0.1 was held against nothing" in capsys.readouterr().err


def test_the_command_line_and_the_evals_give_the_same_verdicts(
    pytester: pytest.Pytester,
) -> None:
    """Case by case: decision, value, interval, bound and p-value after Holm's
    correction.
    """
    from specfair import cli

    shutil.copytree(
        ROOT / "evals",
        pytester.path / "evals",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy(ROOT / "conftest.py", pytester.path)
    pair = f"tuned_draft = {json.dumps(str(fixtures() / 'pair' / 'draft'))}\n"
    pytester.makepyprojecttoml(
        PROJECT + pair + "\n[tool.specfair.gates]\nimprove = 0.0\nalpha.gap = 0.2\n"
    )
    options = ("-p", "no:benchmark", "--ignore=evals/test_speed.py")
    assert here.run(pytester, "evals", *options).ret == pytest.ExitCode.OK
    assert cli.main(["audit", "--out", "reports/cli"]) in (cli.OK, cli.UNDECIDED)
    found = [
        json.loads((pytester.path / "reports" / f"{name}.json").read_text())["verdicts"]
        for name in ("latest", "cli")
    ]
    names = (
        "case",
        "gate",
        "metric",
        "decision",
        "value",
        "low",
        "high",
        "bound",
        "min_effect",
        "p_holm",
    )
    by_tests, by_command = (
        {tuple(v[name] for name in names) for v in verdicts} for verdicts in found
    )
    assert by_tests == by_command
    assert len(by_command) == len(found[1]) > 30
