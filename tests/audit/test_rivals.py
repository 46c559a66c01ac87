"""Several drafts read one text, and are compared with the first prompt by prompt."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from specfair.audit.audit import Audit
from specfair.audit.rivals import METRIC, draft_rows
from specfair.engine import tracer
from specfair.errors import ModelError
from specfair.models.folders import Source, locate
from specfair.report import render_html
from specfair.run.drafts import DraftRow, drafts_said
from specfair.run.run import Run
from specfair.vocabulary import BASE
from tests.conftest import small_audit

DRAFTS = ("early-exit:2", "prompt-lookup:4")


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Audit, list[DraftRow]]:
    folder = tmp_path_factory.mktemp("rivals")
    audit, _ = small_audit(folder, drafts=list(DRAFTS), cost_ratio=0.2)
    return audit, list(draft_rows(audit))


def test_every_draft_has_everyone_and_every_group(
    compared: tuple[Audit, list[DraftRow]],
) -> None:
    audit, rows = compared
    groups = ("", *audit.base.groups(METRIC).by_group)
    assert [(r.draft, r.group) for r in rows] == [
        (draft, group) for draft in ("embedded", *DRAFTS) for group in groups
    ]
    assert {r.draft: r.lookahead for r in rows} == {
        "embedded": "constant-5",
        "early-exit:2": "constant-5",
        "prompt-lookup:4": "constant-4",
    }
    assert not any(r.doubt for r in rows)


def test_differences_are_of_the_same_prompts(
    compared: tuple[Audit, list[DraftRow]],
) -> None:
    audit, rows = compared
    value = {(r.draft, r.group): r.value for r in rows}
    for row in rows:
        if row.draft == "embedded":
            assert np.isnan(row.difference)
            continue
        expected = value[row.draft, row.group] - value["embedded", row.group]
        assert row.difference == pytest.approx(expected)
        assert row.difference_low <= row.difference <= row.difference_high
        assert 0 <= row.p_holm <= 1
    alone = small_audit(Path(audit.settings.store).parent, draft=DRAFTS[1])[0].base
    assert np.array_equal(alone.trace["token"], audit.base.trace["token"])


def test_the_text_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    writing = tracer.trace_drafts

    def watched(*asked: object, **how: object) -> object:
        written.append(1)
        return writing(*asked, **how)  # type: ignore[arg-type]  # passed on as it is

    monkeypatch.setattr(tracer, "trace_drafts", watched)
    audit, _ = small_audit(tmp_path, drafts=["prompt-lookup:4"])
    audit.measure([BASE])
    list(draft_rows(audit))
    assert len(written) == 1


def test_one_draft_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    assert list(draft_rows(small_audit(tmp_path)[0])) == []


def test_a_draft_that_cannot_be_opened_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracer, "trace_drafts", None)
    audit, _ = small_audit(tmp_path, drafts=["prompt-lookup:4", "early-exit:99"])
    with pytest.raises(ModelError, match="early-exit:99"):
        audit.measure([BASE])


def test_of_each_draft_stands_what_must_be_known_of_its_figures(tmp_path: Path) -> None:
    """In the terminal and on the page: another tokenizer than the target's."""
    other = Path(locate(Source("embedded"), "draft"))
    folder = shutil.copytree(other, tmp_path / "draft")
    rules = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    names = rules["model"]["vocab"]
    first, second = (next(n for n, at in names.items() if at == i) for i in (900, 901))
    names[first], names[second] = names[second], names[first]
    (folder / "tokenizer.json").write_text(json.dumps(rules), encoding="utf-8")
    audit, _ = small_audit(tmp_path, drafts=[str(folder)], cost_ratio=0.2)
    rows = tuple(draft_rows(audit))
    notes = {row.draft: row.note for row in rows}
    assert notes.pop("embedded") == ""
    (note,) = notes.values()
    assert "whose tokenizer is another" in note
    assert note in drafts_said(rows)[1]
    run = Run(created="now", command="c", groups=("a",), drafts=rows)
    assert note.replace("'", "&#39;") in render_html(run)
