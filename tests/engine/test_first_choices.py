"""First choices under sampling, in law against a sampler written plainly and apart."""

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from specfair.decoding import Decoding, Lookahead
from specfair.engine import speculate, tracer
from specfair.models import load
from specfair.models.pair import Pair, encode
from specfair.texts.prompts import Prompt
from specfair.traces.replay import replay
from specfair.traces.tally import Tally
from tests import tiny_models

N, N_NEW, N_AHEAD = 600, 8, 3
DECODING = Decoding(N_NEW, 0.4, ignore_eos=True)
PROMPTS = [Prompt(f"p{i}", "g", f"c{i}", "", "the same words") for i in range(N)]


@pytest.fixture(scope="module")
def pair() -> Pair:
    """A draft that is the target with some noise on its output layer."""
    made = tiny_models.pair()
    draft = copy.deepcopy(made.target)
    rng = torch.Generator().manual_seed(3)
    weight = draft.get_output_embeddings().weight
    weight.data += 0.1 * torch.randn(weight.shape, generator=rng)
    found = load.assemble(made.target, draft, made.tokenizer)
    return replace(found, first_choice=True)


def plainly(pair: Pair, rng: np.random.Generator) -> np.ndarray:
    """Rounds, tested and accepted proposals of N texts. A proposal z is taken with
    probability p(z); otherwise the token is drawn from p without z.
    """
    ids = tuple(encode(pair, PROMPTS[:1], N_NEW)[0][0])

    @cache
    def after(text: tuple[int, ...]) -> tuple[np.ndarray, int]:
        with torch.inference_mode():
            read = [m(torch.tensor([text])).logits[0, -1] for m in pair.models]
        target = torch.softmax(read[0].double() / DECODING.temperature, -1).numpy()
        return target / target.sum(), int(read[1].argmax())

    counts = np.zeros((N, 3))
    for row in counts:
        text = ids
        while len(text) < len(ids) + N_NEW:
            row[0] += 1
            room, place = min(N_AHEAD, len(ids) + N_NEW - len(text) - 1), 0
            while True:
                target, choice = after(text)
                if place == room:
                    text += (int(rng.choice(len(target), p=target)),)
                    break
                row[1] += 1
                if rng.random() < target[choice]:
                    row[2] += 1
                    text, place = (*text, choice), place + 1
                    continue
                rest = np.where(np.arange(len(target)) == choice, 0, target)
                text += (int(rng.choice(len(rest), p=rest / rest.sum())),)
                break
    return counts


def test_replay_and_live_decoding_have_the_law_of_a_plain_sampler(pair: Pair) -> None:
    """600 texts a side, three counts, two comparisons: each within 4.5 standard errors,
    a false alarm once in 24,000 runs.
    """
    expected = plainly(pair, np.random.default_rng(5))
    trace = tracer.trace(pair, PROMPTS, DECODING)
    live = speculate.count(pair, PROMPTS, replace(DECODING, seed=1), N_AHEAD)
    assert set(trace["accept_prob"].tolist()) == {0.0, 1.0}
    for tally in (replay(trace, Lookahead(N_AHEAD)), live):
        found = _counts(tally)
        errors = np.sqrt((expected.var(0) + found.var(0)) / N)
        assert (np.abs(expected.mean(0) - found.mean(0)) < 4.5 * errors).all()
    accepted = expected[:, 2].sum() / expected[:, 1].sum()
    assert 0.1 < accepted < 0.9
    sampled = tracer.trace(replace(pair, first_choice=False), PROMPTS, DECODING)
    other = _counts(replay(sampled, Lookahead(N_AHEAD)))
    apart = np.abs(expected.mean(0) - other.mean(0))[2]
    assert apart > 8 * np.sqrt((expected.var(0) + other.var(0)) / N)[2]


def test_the_overlap_is_the_chance_of_the_first_choice(pair: Pair) -> None:
    trace = tracer.trace(pair, PROMPTS[:20], DECODING)
    assert np.array_equal(trace["overlap"], trace["proposal_target_prob"])
    coins, chance = trace["accept_prob"], trace["overlap"].astype(float)
    error = np.sqrt((chance * (1 - chance)).sum())
    assert abs(coins.sum() - chance.sum()) < 4.5 * error


def _counts(tally: Tally) -> np.ndarray:
    return np.column_stack([tally.n_rounds, tally.n_tested, tally.n_accepted])
