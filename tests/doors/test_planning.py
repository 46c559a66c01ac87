"""`specfair plan` from the outside: what it says, and that it opens no model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from specfair import cli
from specfair.gates import kept
from tests.gates.test_baseline import make

FEW = ["plan", "--groups", "female,male,queer"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_table_by_group_then_gates_and_sets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main([*FEW, "--gate", "gap<=0.2~0"]) == cli.OK
    lines = capsys.readouterr().out.splitlines()
    (head,) = [i for i, line in enumerate(lines) if line.startswith("prompts  ident")]
    rows = [line.split() for line in lines[head + 1 : head + 4]]
    assert [row[-1] for row in rows] == ["female", "male", "queer"]
    assert [row[0] for row in rows] == ["168", "168", "168"]
    assert lines[1].startswith("assumed, as nothing is measured")
    assert any(line.startswith("  gap<=0.2~0 ") for line in lines)
    assert lines[-2].startswith("a gap of 0.05 takes, in each of 3 groups: ")


def test_groups_with_too_few_identities_are_named_with_what_helps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("own.jsonl").write_text(
        "\n".join(
            json.dumps({"group": g, "text": f"{g} {i}", "cluster": f"{i % k}"})
            for g, k in (("a", 10), ("b", 10), ("c\x1b[31m", 3))
            for i in range(30)
        )
    )
    arguments = ["plan", "--prompts", "file:own.jsonl"]
    assert cli.main(arguments) == cli.OK
    out = capsys.readouterr().out
    assert "fewer than 8 effective identities: c" in out
    assert "--scope prompts" in out
    assert all(line.isprintable() for line in out.splitlines())
    assert cli.main([*arguments, "--scope", "prompts"]) == cli.OK
    out = capsys.readouterr().out
    assert "exploratory" not in out
    assert "scope prompts" in out


def test_as_json_with_a_pilot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.save_baseline(make(base=0.0), "first", root=tmp_path)
    assert cli.main([*FEW, "--pilot", "first", "--format", "json"]) == cli.OK
    found = json.loads(capsys.readouterr().out)
    assert found["pilot"] == "first"
    assert len(found["groups"]) == 3
    assert found["figures"]["rate"] != 0.7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--pilot", "absent"], "'absent' does not exist"),
        (["--prompts", "honst"], "honest"),
        (["--gate", "gapp<=1"], "Did you mean 'gap'"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["plan", *arguments]) == cli.USAGE
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line


def test_no_model_is_opened_nor_what_opens_one() -> None:
    code = (
        "import sys; from specfair import cli; cli.main(['plan', '--groups', "
        "'female,male']); sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], check=False)
    assert done.returncode == 0


def test_a_promise_that_unequal_groups_break_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for k, said in ((12, False), (80, True)):
        Path("own.jsonl").write_text(
            "\n".join(
                json.dumps({"group": g, "text": f"{g} {i} {j}", "cluster": f"{g}{i}"})
                for g, n in (("a", k), ("b", 12), ("c", 12))
                for i in range(n)
                for j in range(5)
            )
        )
        assert cli.main(["plan", "--prompts", "file:own.jsonl"]) == cli.OK
        out = capsys.readouterr().out
        assert ("for widening is too hopeful" in out) == said
