"""What is in the data, line by line."""

import json
from argparse import Namespace
from pathlib import Path

import pytest

from specfair.doors import listing
from specfair.vocabulary import OK


def test_prompts_by_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"group": group, "text": f"{group} {i}", "cluster": cluster}
        for group, cluster in (("a", "one"), ("b", ""))
        for i in range(2)
    ]
    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert listing.list_prompts(Namespace(spec=f"file:{path}", list=True)) == OK
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "      2  a (1 cluster)",
        "      2  b (2 clusters)",
    ]


def test_a_corpus_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.csv"
    path.write_text("body\n" + "".join(f"she is {i}\n" for i in range(20)))
    asked = Namespace(
        name=f"reviews=file:{path}#body", source="", mentions=True, prompts="embedded"
    )
    assert listing.list_corpus(asked) == OK
    first, head, female, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("reviews, a file of one's own: r.csv, a tenth of it held")
    assert head.split() == ["words", "documents", "substrings", "group"]
    assert female.endswith("female")
