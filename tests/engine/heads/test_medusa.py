"""Medusa against a plain loop over one text: every head's first choice, from the last
hidden state that a round knows.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from specfair.decoding import Decoding, Lookahead
from specfair.models.pair import encode
from specfair.texts import prompts
from specfair.traces.replay import replay
from tests.engine.heads.trained import N_NEW, School, traced


@torch.inference_mode()
def decode(
    target: Any, weights: dict[str, Tensor], ids: list[int], n_new: int
) -> tuple[int, int]:
    """Rounds and accepted tokens."""
    text, n_rounds, n_accepted = list(ids), 0, 0
    proposals: list[int] = []
    while len(text) < len(ids) + n_new and (text[-1] or len(text) == len(ids)):
        left = len(ids) + n_new - len(text) - 1
        proposals = proposals[:left]
        read = target(torch.tensor([[*text, *proposals]]), output_hidden_states=True)
        own = read.logits[0, len(text) - 1 :].argmax(-1).tolist()
        taken = 0
        while taken < len(proposals) and proposals[taken] == own[taken] and own[taken]:
            taken += 1
        text = [*text, *own[: taken + 1]]
        n_rounds, n_accepted = n_rounds + 1, n_accepted + taken
        state = read.hidden_states[-1][0, len(text) - 2]
        proposals = []
        for head in range(3):
            inner = state @ weights[f"{head}.0.linear.weight"].T
            inner = inner + weights[f"{head}.0.linear.bias"]
            mixed = state + inner * torch.sigmoid(inner)
            proposals.append(int((weights[f"{head}.1.weight"] @ mixed).argmax()))
    return n_rounds, n_accepted


def test_greedy_rounds_are_those_of_a_plain_loop(of: School, medusa: Path) -> None:
    chosen, asked = prompts.load("embedded")[::9], Decoding(max_new_tokens=N_NEW)
    tally = replay(traced(of, "medusa", medusa, chosen, asked), Lookahead(5))
    weights = load_file(medusa / "model.safetensors")
    ids, _ = encode(of.pair, chosen, N_NEW)
    found = [decode(of.pair.target, weights, each, N_NEW) for each in ids]
    assert len(chosen) >= 100
    assert tally.n_rounds.tolist() == [n for n, _ in found]
    assert tally.n_accepted.tolist() == [n for _, n in found]
    assert 0.2 < tally.n_accepted.sum() / tally.n_tested.sum() < 0.95
