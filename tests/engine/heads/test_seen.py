"""What a head sees."""

import torch

from specfair.engine.heads.seen import Seen, look, pad_right
from tests import tiny_models


def test_starts_find_their_states_and_tokens() -> None:
    ids = pad_right([[5, 6, 7], [8]], 1, torch.device("cpu"))
    assert ids.tolist() == [[5, 6, 7, 7], [8, 8, 8, 8]]
    states = torch.arange(8.0).view(2, 4, 1)
    seen = Seen(ids, [states], torch.tensor([[0, 1], [0, 0]]))
    assert seen.at(states).flatten(1).tolist() == [[0, 1], [4, 4]]
    assert seen.token(0).tolist() == [[6, 7], [8, 8]]
    assert seen.token(5).tolist() == [[7, 7], [8, 8]]  # behind the end: the end


def test_padding_on_the_right_changes_nothing() -> None:
    target = tiny_models.model("llama").eval()
    ids, last = torch.tensor([[5, 6, 7]]), torch.tensor([[2]])
    with torch.no_grad():
        hidden, logits = look(target, ids, last)
        wide = pad_right([[5, 6, 7]], 4, ids.device)
        padded, same = look(target, wide, last)
    torch.testing.assert_close(logits, same)
    torch.testing.assert_close(hidden[-1], padded[-1][:, :3])
    torch.testing.assert_close(target(ids).logits[:, -1:], logits)
