"""The plugin beside others: repositories that do not use it, runs from another folder,
own tests with slips.
"""

import json
import os
from pathlib import Path

import pytest

from specfair.texts.prompts import fixtures
from tests import here

STRANGERS = """
import numpy as np
import pytest

@pytest.mark.parametrize("dataset", [np.zeros(3), np.ones(2)])
@pytest.mark.parametrize("stage", ["base", np.eye(2)])
def test_arrays(dataset, stage, request):
    assert not [mark.name for mark in request.node.iter_markers() if mark.name == "xdist_group"]
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["serial", "n1"])
def test_parameters_of_others_are_left_alone(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """An array named `dataset` ended the whole run: its truth value is ambiguous."""
    pytester.makepyfile(STRANGERS)
    result = here.run(pytester, *workers)
    result.assert_outcomes(passed=4)


def test_hypothesis_is_not_dragged_in() -> None:
    """Its pytest plugin made an unrelated test run twice as long; who searches with it
    installs it.
    """
    from importlib.metadata import requires

    needed = [text for text in requires("specfair") or [] if "extra ==" not in text]
    assert not [text for text in needed if text.startswith("hypothesis")]


OWN = """
import pytest

def test_pair(specfair):
    audit = specfair.audit()
    assert str(audit.settings.deployed) == "constant-2"
    assert audit.settings.seed == 7
"""


@pytest.mark.parametrize(
    "told",
    [
        ("proj/t",),
        ("proj/t", "--rootdir", "proj", "-c", "proj/pyproject.toml"),
        ("proj/t/test_own.py", "proj/t/sub"),
    ],
    ids=["plain", "told", "two"],
)
def test_the_project_is_that_of_the_tests_and_not_of_the_folder_one_stands_in(
    pytester: pytest.Pytester, told: tuple[str, ...]
) -> None:
    """From the folder above, the embedded pair was measured instead of the project's,
    and the test passed.
    """
    proj = pytester.path / "proj"
    (proj / "t" / "sub").mkdir(parents=True)
    (proj / "pyproject.toml").write_text(
        '[tool.specfair]\nlookahead = "constant-2"\nseed = 7\n'
    )
    (proj / "t" / "test_own.py").write_text(OWN)
    result = here.run(pytester, *told)
    result.assert_outcomes(passed=1)
    assert not (pytester.path / "reports").exists()
    assert (proj / "reports" / "latest.json").exists()


SLIPS = """
def test_typo(specfair):
    specfair.audit().after("imbd")

def test_groups_for_an_estimate(specfair):
    specfair.gate(specfair.audit().acceptance_rate, at_most=0.1)

def test_good(specfair):
    assert len(specfair.audit().prompts) > 0
"""


def test_one_slip_does_not_end_the_run(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml(
        "[tool.specfair]\nmax_new_tokens = 3\nprompts_per_group = "
        '3\nmin_prompts = 3\ngroups = ["female", "male"]'
    )
    pytester.makepyfile(SLIPS)
    result = here.run(pytester)
    result.assert_outcomes(passed=1, failed=2)
    text = result.stdout.str()
    assert "Did you mean 'imdb'" in text
    assert "was given Groups" in text
    assert "Traceback" not in text
    assert result.ret == pytest.ExitCode.USAGE_ERROR


EVERY = """
import pytest

@pytest.mark.parametrize("i", [1, 2])
def test_a(specfair, i):
    specfair.audit().base

def test_b(specfair):
    specfair.audit().base

def test_c(specfair):
    specfair.audit().base
"""


def test_a_mistake_that_every_test_would_meet_ends_the_run(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(EVERY)
    options = (
        "--specfair-target=./no",
        "--specfair-draft=./no",
        "--specfair-prompts=embedded",
    )
    result = here.run(pytester, *options)
    result.assert_outcomes(failed=3)
    assert result.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[tool]\nspecfair = 5", "is not a table"),
        ("[tool.specfair]\ndatasets = 5", "not a list of names"),
        ("[tool.specfair]\ngates = 5", "is not a table"),
        ("[tool.specfair]\ngates = [1]", "is not a table"),
        ("[tool.specfair.gates]\ngap = nan", "not a finite number"),
        ("[tool.specfair.gates]\ngap = true", "not a finite number"),
        ('[tool.specfair]\nstrict = "yes"', "not true or false"),
    ],
)
def test_a_table_that_cannot_be_meant_is_one_line(
    pytester: pytest.Pytester, table: str, said: str
) -> None:
    pytester.makepyprojecttoml(table)
    pytester.makepyfile("def test_x(specfair):\n    specfair.audit()\n")
    result = here.run(pytester)
    assert said in result.stdout.str() + result.stderr.str()
    assert "Traceback" not in result.stdout.str()
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_positional_marker_and_a_suspect_table_are_said(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyprojecttoml("[tool.specfiar]\nseed = 1\n")
    pytester.makepyfile("""
        import pytest

        @pytest.mark.specfair("honest")
        def test_marked(specfair):
            specfair.audit()
    """)
    result = here.run(pytester)
    text = result.stdout.str()
    assert "has values without names" in text
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    pytester.makepyfile(test_used="def test_used(specfair):\n    specfair.audit()\n")
    result = here.run(pytester, "test_used.py")
    result.stdout.fnmatch_lines(["*[[]tool.specfiar], which nothing reads*"])


BOTH = """
import pytest

def test_timed_by_somebody(specfair, benchmark):
    assert benchmark(lambda: 1) == 1

@pytest.mark.specfair_needs("clock")
def test_slow(specfair):
    raise AssertionError
"""


def test_a_benchmark_of_ones_own_runs_and_a_marker_leaves_out_what_is_slow(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(BOTH)
    result = here.run(pytester)
    result.assert_outcomes(passed=1, deselected=1)
    result = here.run(pytester, "--specfair-gate", "clock>=0.5")
    result.assert_outcomes(passed=1, failed=1)


def test_a_marker_that_needs_what_nobody_can_ask_for_is_refused(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(BOTH.replace('"clock"', '"clok"'))
    result = here.run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = result.stdout.str() + result.stderr.str()
    assert "unknown name in specfair_needs 'clok'" in said
    assert "clock" in said
    assert "Traceback" not in said


HELD = f"""
[tool.specfair]
max_new_tokens = 3
prompts_per_group = 36  # with fewer than eight clusters nothing fails
min_prompts = 3
groups = ["female", "male"]
tuned_draft = {json.dumps(str(fixtures() / "pair" / "draft"))}

[tool.specfair.gates]
gap = 1.0
"""
ASKS = """
def test_gap(specfair):
    specfair.ask("gap", "base")

def test_gain(specfair):
    specfair.ask("gain", "tuned", of="female")
"""


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), 0, ""),
        (
            ("--specfair-gate=equivalence<=0.1",),
            4,
            "ERROR: gate equivalence<=0.1 was held against nothing",
        ),
        (
            ("--specfair-gate=sst2.gain>=0.5",),
            4,
            "ERROR: gate sst2.gain>=0.5 was held against nothing",
        ),
        (
            ("--specfair-gate=female.gap<=0.5",),
            4,
            "ERROR: gate female.gap<=0.5 was held against nothing",
        ),
        (("--specfair-gate=alpha.gap<=-2",), 1, "gap of alpha"),
        (("--specfair-gate=kl.gain>=5",), 1, "gain in kl"),
        (
            ("--specfair-gate=sst2.gain>=0.5", "-k", "gap"),
            0,
            "held against nothing in this run: sst2.gain>=0.5",
        ),
    ],
    ids=["held", "kind", "dataset", "group", "metric", "falls", "chosen"],
)
def test_every_bound_is_accounted_for(
    pytester: pytest.Pytester, options: tuple[str, ...], code: int, said: str
) -> None:
    """Rules by metric never applied, and rules that no test asked were passed over in
    silence.
    """
    pytester.makepyprojecttoml(HELD)
    pytester.makepyfile(ASKS)
    result = here.run(pytester, *options)
    assert said in result.stdout.str()
    assert "Traceback" not in result.stdout.str()
    assert result.ret == code


def test_after_a_mistake_its_bounds_are_not_called_one_too(
    pytester: pytest.Pytester,
) -> None:
    """The prompts could not be read, so nothing was asked: the one line that matters is
    that one.
    """
    pytester.makepyprojecttoml(HELD)
    pytester.makepyfile("def test_gap(specfair):\n    specfair.ask('gap', 'base')\n")
    options = ("--specfair-gate=gap<=0.5",)
    result = here.run(pytester, *options, "--specfair-prompts=file:absent.jsonl")
    assert "absent.jsonl" in result.stdout.str()
    assert "ERROR: gate" not in result.stdout.str()
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_the_command_of_a_case_is_quoted_for_a_shell_and_runs_from_where_one_stands(
    pytester: pytest.Pytester,
) -> None:
    """A group's name ran as a command when the line was pasted."""
    inner = pytester.mkdir("inner")
    rows = [
        {"group": g, "text": f"{g} goes {i}"}
        for g in ("$(touch PWNED)", "`touch x`")
        for i in range(12)
    ]
    (pytester.path / "p.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    pytester.makepyprojecttoml(
        HELD.replace('groups = ["female", "male"]', 'prompts = "file:p.jsonl"')
    )
    (inner / "conftest.py").write_text(
        "from specfair.plugin import cases as pytest_generate_tests\n"
    )
    (inner / "test_own.py").write_text(
        "def test_x(specfair, group):\n    "
        "specfair.gate(specfair.audit().kl.overall, at_most=-1)\n"
    )
    os.chdir(inner)
    result = here.run(pytester)
    # under CI they come again
    lines = dict.fromkeys(
        line for line in result.outlines if line.startswith("  alone")
    )
    assert [*lines] == [
        "  alone     pytest 'test_own.py::test_x[$(touch PWNED)]'",
        "  alone     pytest 'test_own.py::test_x[`touch x`]'",
    ]
    assert not list(Path(pytester.path).rglob("PWNED"))
