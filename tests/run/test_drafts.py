"""Several drafts in words: each in a line, and which is best."""

import math
from collections.abc import Mapping

from specfair.run.drafts import DraftRow, best_said, drafts_said
from tests.report_samples import draft_row

FOUND: Mapping[tuple[str, str], float] = {
    ("quick", ""): 1.5,
    ("quick", "male"): 2.0,
    ("quick", "queer"): 0.9,
    ("even", ""): 1.3,
    ("even", "male"): 1.4,
    ("even", "queer"): math.nan,
}


def rows() -> list[DraftRow]:
    return [draft_row(*names, value) for names, value in FOUND.items()]


def test_every_draft_has_a_line_and_the_best_is_named() -> None:
    first, second, best = drafts_said(rows())
    assert first == (
        "draft quick: 1.50 [1.45, 1.55] times the target alone for everyone, 0.90 "
        "[0.85, 0.95] for queer, its slowest group; constant-5"
    )
    assert "1.40 [1.35, 1.45] for male" in second  # one that is no number says nothing
    assert best.startswith("of these drafts even is best: its slowest group, male, ")


def test_one_draft_is_not_compared() -> None:
    assert drafts_said([]) == []
    assert best_said([]) == ""
