"""`specfair mend`, from the outside."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from specfair import cli
from specfair.run.run import Run
from tests.conftest import SMALL

GROUPS = str(SMALL["groups"])
ASKED = [f"--groups={GROUPS}", f"--max-new-tokens={SMALL['max_new_tokens']}"]


def mend(*asked: str) -> int:
    return cli.main(["mend", *ASKED, "--prompts-per-group=16", "--out=mended", *asked])


def test_it_says_what_came_of_it_and_what_gates_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = "--recipe=fairspec,max_steps=4,batch_size=8,texts=1"
    assert mend(quick, "--checkpoints=1") == cli.OK
    said = capsys.readouterr()
    assert "step 4 of 4, loss 0." in said.err
    assert "to mend with" in said.out
    assert "of its calls; 4 steps of 8 texts" in said.out
    assert "the target is as it was, so its text is the same byte for byte" in said.out
    rows = re.findall(r"^ 0\.\d{3}  0\.\d{3}  [+-]0\.\d{3}  .* to .*$", said.out, re.M)
    assert len(rows) == len(GROUPS.split(","))
    command = said.out.rpartition("gate it: ")[2].strip()
    assert "--specfair-tuned-draft=mended" in command
    assert "--specfair-prompts=file:mended/judging.jsonl" in command
    run = Run.from_json((tmp_path / "mended" / "report.json").read_text())
    assert {row.recipe for row in run.mending} == {"the draft as it was", "fairspec"}
    assert {row.stage.step for row in run.training} == {0, 2, 4}
    page = (tmp_path / "mended" / "report.html").read_text()
    assert "What did mending do" in page
    assert "fairspec" in (tmp_path / "mended" / "report.md").read_text()
    assert mend(quick, "--checkpoints=1") == cli.OK  # finds all of it again
    assert "fine-tuning" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("--recipe=fairspc",), "unknown recipe 'fairspc'. Did you mean 'fairspec'"),
        (("--recipe=clm",), "recipe 'clm' tunes 'both'; mending leaves the target's"),
        (("--groups=queer",), "fairness needs at least 2"),
        (("--prompts-per-group=10", "--prompts=file:few.jsonl"), "group 'b' has 0"),
        (("--prompts=file:none.jsonl",), "'none.jsonl' has 0 prompts"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asked: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [
        {"group": g, "identity": f"{g}{i}", "template": str(t), "text": f"{g}{i} {t}"}
        for g, n in (("a", 8), ("b", 1))
        for i in range(n)
        for t in range(10 if g == "a" else 1)
    ]
    lines = [json.dumps(r) for r in rows] + [
        json.dumps({"group": "b", "identity": "b0", "template": "0", "text": f"b {n}"})
        for n in range(12)
    ]
    (tmp_path / "few.jsonl").write_text("\n".join(lines))
    (tmp_path / "none.jsonl").write_text("")
    assert cli.main(["mend", "--out=mended", *asked]) == cli.USAGE
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "mended").exists()


def test_a_folder_that_is_taken_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mended").mkdir()
    (tmp_path / "mended" / "mine").write_text("kept")
    assert mend() == cli.USAGE
    assert "'mended' is there already" in capsys.readouterr().err


def test_several_processes_mend_one_draft(tmp_path: Path) -> None:
    """As `accelerate launch` starts them: one speaks, keeps and judges."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    quick = "--recipe=fairspec,max_steps=4,batch_size=4,texts=1"
    asked = [*ASKED, "--prompts-per-group=16", "--out=mended", quick]
    done = subprocess.run(
        [*launch, "--nproc_per_node=2", "-m", "specfair.cli", "mend", *asked],
        env={**os.environ, "ACCELERATE_USE_CPU": "true"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("gate it: ") == 1
    assert "4 steps of 4 texts" in done.stdout
    assert (tmp_path / "mended" / "model.safetensors").is_file()
    stored = list((tmp_path / ".specfair" / "tuned").glob("[0-9a-f]*[0-9a-f]"))
    assert len(stored) == 1
