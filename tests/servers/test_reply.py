"""One count for all servers, and replies that cannot be true."""

import numpy as np
import pytest

from specfair.servers.reply import BrokenError, Reply, Rounds, row

NAN = np.nan


def counted(n_tokens: int, rounds: Rounds, budget: int = 20) -> tuple[float, ...]:
    found = row(Reply(n_tokens, tuple(range(n_tokens))), rounds, budget)
    return tuple(-1.0 if np.isnan(v) else v for v in found)


def test_a_text_that_ends_with_its_rounds() -> None:
    """1 + (2 + 1) + (0 + 1) tokens; the second round drafts beyond the end, which is
    not counted, so its rejection is not either.
    """
    assert counted(5, Rounds((2, 0), (3, 3))) == (4, 2, 3, 3, 2)


def test_accepted_beyond_the_end_is_not_counted() -> None:
    """The last round accepted five of five; one of them was within the text, which the
    target wrote as well.
    """
    assert counted(5, Rounds((2, 5), (5, 5))) == (4, 2, 3, 3, 2)


def test_a_last_draft_that_ends_the_text_is_the_target_s_own() -> None:
    assert counted(6, Rounds((2, 2), (5, 5))) == (5, 2, 5, 4, 3)


def test_a_histogram_tells_rounds_and_acceptance_only() -> None:
    assert counted(6, Rounds((0, 4), in_order=False)) == (5, 2, -1, -1, 3)


def test_rounds_without_a_draft_are_rounds() -> None:
    """Where they stood is not told, and so not what reached beyond the end; but where
    every draft has one length, only a full budget's last round has none.
    """
    assert counted(7, Rounds((1,), (3,))) == (6, 5, -1, -1, 1)
    full = Rounds((1,), (3,), width=3)
    assert counted(4, full, budget=4) == (3, 2, 2, 2, 1)
    assert counted(4, full, budget=5) == (3, 2, -1, -1, 1)


def test_a_text_of_one_token_has_no_round() -> None:
    assert counted(1, Rounds(()))[:2] == (0, 0)
    assert counted(0, Rounds(()))[:2] == (0, 0)


@pytest.mark.parametrize(
    ("n_tokens", "rounds", "said"),
    [
        (5, Rounds((2, -1), (3, 3)), "below zero"),
        (25, Rounds((2, 0), (3, 3)), "25 tokens of at most 20"),
        (5, Rounds((2, 4), (3, 3)), "more accepted than drafted"),
        (5, Rounds((2, 0), (3,)), "1 rounds that drafted, 2 that were verified"),
        (5, Rounds((3, 1, 0), (3, 3, 3)), "3 tokens more than the text has"),
        (5, Rounds((1, 1, 1, 3), in_order=False), "6 tokens more than the text has"),
    ],
)
def test_what_cannot_be_true_is_named(n_tokens: int, rounds: Rounds, said: str) -> None:
    with pytest.raises(BrokenError, match=said):
        counted(n_tokens, rounds)


def test_ids_are_as_many_as_tokens() -> None:
    with pytest.raises(BrokenError, match="2 token ids of 3 tokens"):
        row(Reply(3, (1, 2)), Rounds((1,), (1,)), 9)


def test_a_reply_comes_back_as_it_was_kept() -> None:
    reply = Reply(2, (5, 6), (0.1, 0.2), {"x": [1]})
    kept = {
        "n_tokens": 2,
        "tokens": [5, 6],
        "seconds": [0.1, 0.2],
        "reported": {"x": [1]},
    }
    assert Reply.of(kept) == reply
