"""A worker's own side: which pair is open, and what is told of progress."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from specfair.audit.hand import Hand
from specfair.audit.lending import open_pair
from specfair.decoding import Decoding
from specfair.errors import UsageError
from specfair.models.identity import Choice, versions
from tests import tiny_models

EMBEDDED = Choice("embedded", "embedded", names=("embedded", "embedded"))


def test_a_worker_keeps_the_pair_it_was_asked_about_last(tmp_path: Path) -> None:
    opened: list[str] = []

    @contextmanager
    def watched(choice: Choice) -> Iterator[Any]:
        opened.append(choice.names[0])
        with open_pair(choice, tiny=True) as work:
            yield work
        opened.append("closed")

    hand = Hand(str(tmp_path / "elsewhere"), watched)
    other = replace(EMBEDDED, names=("other", "other"))
    for choice in (EMBEDDED, EMBEDDED, other):
        identity, ratio = hand.do(choice, "cost_ratio", (), {}, watched=False)
        assert identity.target_name == choice.names[0]
        assert ratio > 0
    assert opened == ["embedded", "closed", "other"]
    some = tiny_models.prompts(3)
    asked = ([*some], Decoding(4))
    _, trace = hand.do(other, "trace", asked, {}, watched=True)
    assert len(trace) == len(some)
    told = hand.told()
    assert told[-1] == (len(some), len(some))
    assert hand.told() == []


def test_workers_have_the_versions_that_results_are_stored_under() -> None:
    hand = Hand(".", partial(open_pair, tiny=True))
    hand.ready(versions())
    with pytest.raises(UsageError, match=r"a worker has torch .*, this process 1\.0"):
        hand.ready(versions() | {"torch": "1.0"})
