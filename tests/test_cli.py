"""The command line: what it prints, its exit codes, one line for a user's mistake."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from specfair import cli
from specfair.gates import kept
from tests.gates.test_baseline import make

SMALL = [
    "--max-new-tokens",
    "4",
    "--prompts-per-group",
    "6",
    "--min-prompts",
    "6",
    "--groups",
    "female,male,queer",
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stored run, made by the command."""
    folder = tmp_path_factory.mktemp("run")
    arguments = [
        "audit",
        *SMALL,
        "--store",
        str(folder / "store"),
        "--out",
        str(folder / "run.json"),
    ]
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.chdir(folder)  # a project's datasets and bounds are not of this run
        assert cli.main(arguments) in (cli.OK, cli.UNDECIDED)
    return folder / "run.json"


def test_audit_writes_the_run_and_its_readable_forms(run: Path) -> None:
    stored = json.loads(run.read_text())
    assert stored["groups"] == ["female", "male", "queer"]
    assert {v["gate"] for v in stored["verdicts"]} == {
        "gap",
        "ratio",
        "speedup",
        "worst_pair",
        "confident_rejections",
    }
    assert run.with_suffix(".html").exists()
    assert run.with_suffix(".md").exists()
    # no path of this machine in what is passed on
    assert str(run.parent) not in run.read_text()


def test_audit_prints_verdicts_and_progress(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["audit", *SMALL, "--store", str(run.parent / "store")]
    impossible = ["--gate", "gap<=-0.5", "--gate", "gap<=-0.5~0"]
    assert cli.main([*arguments, *impossible]) == cli.UNDECIDED  # too few people
    capsys.readouterr()
    assert cli.main([*arguments, *impossible, "--scope", "set"]) == cli.FAILED
    out = capsys.readouterr().out
    assert out.splitlines()[0].startswith(("fail", "invalid"))
    assert "base" in out


@pytest.mark.parametrize("form", ["html", "md", "json"])
def test_report_renders_again_without_a_model(
    run: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", str(run), "--format", form]) == cli.OK
    assert "embedded" in capsys.readouterr().out


def test_report_of_several_runs_is_an_index(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", str(run), str(run), "--out", "index.html"]) == cli.OK
    assert "<html" in (tmp_path / "index.html").read_text()
    assert cli.main(["report", str(run), str(run), "--format", "md"]) == cli.OK
    assert capsys.readouterr().out.count("# ") >= 2


def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept.save_baseline(make(base=0.0), "main", root=tmp_path)
    kept.save_baseline(make(base=-0.1), "worse", root=tmp_path)
    assert cli.main(["compare", "main", "main"]) == cli.OK
    assert cli.main(["compare", "main", "worse", "--format", "md"]) == cli.FAILED
    assert "| base-a | fail |" in capsys.readouterr().out
    assert (
        cli.main(["compare", "main", "worse", "--gate", "regression>=-0.5"]) == cli.OK
    )


def test_prompts_and_corpora(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["prompts", "embedded", "--list"]) == cli.OK
    assert "queer_gender_pronoun" in capsys.readouterr().out
    assert cli.main(["corpora", "imdb", "--mentions"]) == cli.OK
    out = capsys.readouterr().out
    assert "synthetic" in out
    assert "queer_gender_pronoun" in out


def test_fixtures_and_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fixtures"]) == cli.OK
    assert "acceptance" in capsys.readouterr().out
    assert cli.main(["doctor"]) == cli.OK
    assert "devices" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["audit", "--datasets", "imbd"], "Did you mean 'imdb'"),
        (["audit", "--groups", "quer,male"], "Did you mean 'queer'"),
        (
            ["audit", "--target", "./no", "--draft", "./no", "--prompts", "embedded"],
            "does not exist",
        ),
        (["audit", "--gate", "gapp<=1"], "Did you mean 'gap'"),
        (["report", "absent.json"], "cannot be read"),
        (["compare", "main", "absent"], "does not exist"),
        (["prompts", "honst"], "honest"),
        (["corpora", "imbd"], "Did you mean 'imdb'"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == cli.USAGE
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.strip().splitlines()[-1:]) == 1
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("out", ["runs", "runs/", ".", "..", "", "runs/.", "runs/sub/"])
def test_an_output_never_deletes(
    run: Path, tmp_path: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Finding 1: `--out runs` took away the folder and all in it."""
    kept = tmp_path / "runs" / "baselines" / "main.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("kept")
    assert cli.main(["report", str(run), "--format", "md", "--out", out]) == cli.USAGE
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "--out" in line
    # for an audit that is a name like any other: runs.json lies beside the folder
    if out != "runs":
        assert cli.main(["audit", "--out", out]) == cli.USAGE
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert "--out" in line
    assert kept.read_text() == "kept"
    assert [p.name for p in tmp_path.iterdir()] == ["runs"]


def test_two_runs_with_a_dot_in_their_names(run: Path, tmp_path: Path) -> None:
    """Finding 2."""
    for name in ("llama-3.1", "llama-3.2"):
        arguments = [
            "audit",
            *SMALL,
            "--store",
            str(run.parent / "store"),
            "--out",
            name,
        ]
        assert cli.main(arguments) in (cli.OK, cli.UNDECIDED)
    names = {
        f"llama-3.{n}{ending}" for n in (1, 2) for ending in (".html", ".json", ".md")
    }
    assert {p.name for p in tmp_path.iterdir()} == names


def test_names_cannot_command_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Finding 20."""
    hostile = "x\n::error::pwned\x1b[31mRED"
    rows = [
        {"group": g, "text": f"{g} is {n}"} for g in (hostile, "y") for n in range(3)
    ]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert cli.main(["prompts", "file:own.jsonl", "--list"]) == cli.OK
    arguments = [
        "audit",
        "--prompts",
        "file:own.jsonl",
        "--min-prompts",
        "1",
        "--max-new-tokens",
        "4",
    ]
    cli.main([*arguments, "--gate", "gap<=-0.5~0"])
    captured = capsys.readouterr()
    assert captured.out.count("pwned") >= 2
    for line in (captured.out + captured.err).splitlines():
        assert line.isprintable(), line
        assert not line.lstrip().startswith("::")


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/b", ""])
def test_a_baseline_is_a_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Finding 21, read side."""
    assert cli.main(["compare", name, "main"]) == cli.USAGE
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_what_is_no_run_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.json").write_text("{}")
    assert cli.main(["report", "x.json"]) == cli.USAGE
    assert "schema" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        *("audit", "plan", "slices", "report", "compare", "prompts", "corpora"),
        *("fixtures", "doctor"),
    ],
)
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        cli.main([command, "--help"])
    assert done.value.code == 0
    assert f"example: specfair {command}" in capsys.readouterr().out


def test_a_closed_pipe_is_no_error() -> None:
    code = (
        f"{sys.executable} -m specfair.cli prompts embedded --list | head -1; exit "
        f"${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(
        ["bash", "-c", code], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert "embedded" in done.stdout


def test_a_terminal_may_lack_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.jsonl").write_text('{"group": "\u00e9", "text": "a"}\n')
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", out)
    assert cli.main(["prompts", "file:mine.jsonl", "--list"]) == cli.OK
    out.seek(0)
    assert "\\xe9 (1 cluster)" in out.read()


def test_a_command_loads_what_it_needs_and_no_more() -> None:
    """Neither figures nor models to say what the commands are, or what a set holds."""
    heavy = "{'torch', 'transformers', 'numpy', 'scipy', 'pandas', 'jinja2', 'altair'}"
    code = (
        "import sys; from specfair import cli\n"
        "try: cli.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        f"sys.exit(str(sorted({heavy} & set(sys.modules))))"
    )
    for words in (["--help"], ["prompts", "--help"], ["fixtures"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            capture_output=True,
            text=True,
            check=False,
        )
        loaded = done.stderr.strip()
        assert loaded == "[]", words


@pytest.mark.parametrize(
    ("draft", "says"),
    [
        ("nonsense:3", "unknown kind of draft 'nonsense'"),
        ("ngram:5", "says too little or what cannot be"),
        ("eagle3:/nowhere", "'/nowhere' does not exist"),
        ("mtp", "has 0 layers for multi-token prediction"),
        ("early-exit:9", "leaves out none of the 3 layers"),
    ],
)
def test_a_draft_that_cannot_be_is_one_line(
    draft: str,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["audit", "--draft", draft]) == cli.USAGE
    *_, last = capsys.readouterr().err.splitlines()
    assert says in last
    assert not list(tmp_path.glob(".specfair/texts/*"))
