"""An opened pair does its work with threads that suit it, and both are given back."""

from pathlib import Path

import pytest
import torch

from specfair.audit.audit import Audit
from specfair.audit.work import Work, at_work
from specfair.decoding import Decoding
from specfair.errors import StoreError
from specfair.models.identity import Choice
from specfair.texts import prompts
from tests.conftest import small_audit


def test_a_pair_at_work_has_its_names_and_writes_and_reads_along() -> None:
    choice = Choice("embedded", "embedded", ("one", "two"), device="cpu")
    some, decoding = prompts.load("embedded", n_per_group=1), Decoding(4)
    with at_work(choice, tiny=True) as work:
        assert (work.pair.target_name, work.pair.draft_name) == ("one", "two")
        heard = lambda *_: None  # noqa: E731 - nobody listens
        written = work.trace(some, decoding, progress=heard)
        again = work.read(written.text, progress=heard)
        assert (again["token"] == written["token"]).all()
        assert work.n_cut(some, 4) == 0
        assert work.cost_ratio() > 0


def test_threads_are_given_back(tmp_path: Path) -> None:
    before, during = torch.get_num_threads(), set[int]()
    torch.set_num_threads(2)
    made, _ = small_audit(tmp_path)
    said = Audit(
        made.settings,
        lambda _: during.add(torch.get_num_threads()),
        recipe=made.made.pairs.recipe,
    )
    _ = said.after("imdb")
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
    assert 1 in during


def test_threads_are_given_back_by_those_who_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        assert torch.get_num_threads() == 1
        raise StoreError("no")

    monkeypatch.setattr(Work, "trace", refuse)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with pytest.raises(StoreError):
        _ = small_audit(tmp_path)[0].base
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
