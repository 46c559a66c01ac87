"""An audit of a dataset of one's own, from the command line to the published page."""

import json
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import pytest

from specfair import cli

FOLDER = "of-this-machine"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a dataset and prompts that are named by whole paths, with an alias."""
    place = tmp_path_factory.mktemp(FOLDER)
    identities = ("she", "he")
    prompts = [
        {"group": who, "text": f"{who} was {i} and", "cluster": str(i % 5)}
        for who in identities
        for i in range(10)
    ]
    (place / "p.jsonl").write_text("\n".join(map(json.dumps, prompts)))
    texts = [f"she walked {i} miles, and he did not. " * 40 for i in range(40)]
    (place / "r.csv").write_text("body\n" + "".join(f'"{t}"\n' for t in texts))
    arguments = [
        *("audit", "--prompts", f"file:{place / 'p.jsonl'}", "--max-new-tokens", "3"),
        *("--datasets", f"reviews=file:{place / 'r.csv'}#body"),
        *("--gate", "reviews.gain>=-1", "--out", str(place / "run")),
        *("--store", str(place / "store")),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr("sys.argv", ["specfair", *arguments])
        with redirect_stderr(StringIO()) as said:
            assert cli.main(arguments) in (cli.OK, cli.UNDECIDED, cli.FAILED)
    (place / "said.txt").write_text(said.getvalue())
    return place / "run.json"


def test_a_dataset_goes_by_its_alias(published: Path) -> None:
    stored = json.loads(published.read_text())
    assert stored["datasets"] == ["reviews"]
    cases = {v["case"] for v in stored["verdicts"] if v["gate"] == "gain"}
    assert cases == {"reviews", "reviews-she", "reviews-he"}
    assert all("#" not in v["case"] for v in stored["verdicts"])
    assert stored["sources"]["reviews"].startswith(
        "reviews, a file of one's own: r.csv"
    )


@pytest.mark.parametrize("ending", [".json", ".html", ".md"])
def test_what_is_published_holds_no_folder(published: Path, ending: str) -> None:
    text = published.with_suffix(ending).read_text()
    assert FOLDER not in text
    assert "reviews" in text


def test_the_terminal_says_what_was_measured_and_where_to_look(published: Path) -> None:
    said = (published.parent / "said.txt").read_text().splitlines()
    assert any(line.startswith("specfair: measured: embedded / ") for line in said)
    assert any(line.startswith("specfair: worst gap: ") for line in said)
    assert said[-1] == f"specfair: report: {published.with_suffix('.html')}"


def test_one_group_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ["audit", "--groups", "female", "--store", "store"]
    monkeypatch.setattr("sys.argv", ["specfair", *asked])
    assert cli.main(asked) == cli.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert "fairness needs at least 2" in line
    assert not (tmp_path / "store").exists()
