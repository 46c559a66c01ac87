"""Several drafts in words: each in a line, and which is best."""

import math
from collections.abc import Mapping

from specfair.run.drafts import DraftRow, best_said, drafts_said

FOUND: Mapping[tuple[str, str], float] = {
    ("quick", ""): 1.5,
    ("quick", "male"): 2.0,
    ("quick", "queer"): 0.9,
    ("even", ""): 1.3,
    ("even", "male"): 1.4,
    ("even", "queer"): math.nan,
}


def rows() -> list[DraftRow]:
    nan = math.nan
    return [
        DraftRow(
            draft=draft,
            lookahead="constant-5",
            metric="speedup_predicted",
            group=group,
            value=value,
            low=value - 0.25,
            high=value + 0.25,
            difference=nan,
            difference_low=nan,
            difference_high=nan,
            p_holm=nan,
            n_prompts=9,
            doubt="",
        )
        for (draft, group), value in FOUND.items()
    ]


def test_every_draft_has_a_line_and_the_best_is_named() -> None:
    first, second, best = drafts_said(rows())
    assert first == (
        "draft quick: 1.50 [1.25, 1.75] times the target alone for everyone, 0.90 "
        "[0.65, 1.15] for queer, its slowest group; constant-5"
    )
    assert "1.40 [1.15, 1.65] for male" in second  # one that is no number says nothing
    assert best.startswith("of these drafts even is best: its slowest group, male, ")


def test_one_draft_is_not_compared() -> None:
    assert drafts_said([]) == []
    assert best_said([]) == ""
