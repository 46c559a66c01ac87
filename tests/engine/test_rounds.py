"""One round at a time: who is accepted, what follows, where the text ends. Whole runs
are in test_speculate.py.
"""

import torch
from torch import Tensor

from specfair.decoding import Decoding
from specfair.engine.rounds import Round, decide

N = 10


def peaked(tokens: list[list[int]]) -> Tensor:
    """Logits that leave no doubt."""
    return torch.nn.functional.one_hot(torch.tensor(tokens), N) * 50.0


def a_round(
    proposals: list[list[int]], target: list[list[int]], n_drafted: list[int]
) -> Round:
    n_rows, n_places = len(proposals), len(proposals[0])
    drafted = torch.arange(n_places) < torch.tensor(n_drafted)[:, None]
    drawn = torch.full((n_rows, n_places + 1, 3), 0.5)
    return Round(
        torch.tensor(proposals), drafted, peaked(proposals), peaked(target), drawn
    )


def test_rows_accept_their_own_number_of_tokens() -> None:
    now = a_round(
        [[1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2, 3]],
        [[1, 2, 3, 4], [9, 2, 3, 4], [1, 9, 3, 4], [1, 2, 3, 4]],
        [3, 3, 3, 1],
    )
    for decoding in (Decoding(9), Decoding(9, temperature=1.0)):
        outcome = decide(now, decoding, eos=())
        assert outcome.n_accepted.tolist() == [3, 0, 1, 1]
        assert outcome.passed.tolist() == [
            [True] * 3,
            [False, True, True],
            [True, False, True],
            [True, False, False],
        ]
        written = [
            row[mask].tolist()
            for row, mask in zip(outcome.text, outcome.written, strict=True)
        ]
        assert written == [[1, 2, 3, 4], [9], [1, 9], [1, 2]]
        assert not outcome.ended.any()


def test_nothing_follows_the_end_of_the_text() -> None:
    """The end accepted as a draft, written instead of a rejected one, and proposed but
    never reached.
    """
    now = a_round(
        [[1, 0, 3], [1, 2, 3], [1, 2, 0]],
        [[1, 0, 3, 4], [1, 0, 3, 4], [9, 2, 0, 4]],
        [3, 3, 3],
    )
    outcome = decide(now, Decoding(9), eos=(0,))
    written = [
        row[mask].tolist()
        for row, mask in zip(outcome.text, outcome.written, strict=True)
    ]
    assert written == [[1, 0], [1, 0], [9]]
    assert outcome.ended.tolist() == [True, True, False]
