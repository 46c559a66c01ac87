"""Live decoding: the target's own text when greedy, the target's law when sampling, and
replay's counts.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from specfair.decoding import Decoding, Lookahead
from specfair.engine import sampling, tracer
from specfair.engine.speculate import Live, count, decode, speculate
from specfair.models import load
from specfair.models.pair import Pair
from specfair.texts.prompts import Prompt
from specfair.texts.prompts import load as load_prompts
from specfair.traces.replay import replay
from tests import tiny_models
from tests.made_traces import altered

COUNTS = ("n_new_tokens", "n_rounds", "n_drafted", "n_tested", "n_accepted")
GREEDY = Decoding(14)
SAMPLED = Decoding(14, temperature=1.0)


@pytest.fixture(scope="module")
def pair() -> Pair:
    """With many endings, so that texts are of many lengths."""
    made = tiny_models.pair(noise=0.3)
    made.target.generation_config.eos_token_id = list(range(0, 300, 25))
    return made


def words(live: Live) -> list[list[int]]:
    return [text.tolist() for text in live.texts]


@pytest.mark.parametrize(
    ("lookahead", "n_slots"),
    [
        (Lookahead(1), 5),
        (Lookahead(4), 1),
        (Lookahead(4), 5),
        (Lookahead(30), 64),
        (Lookahead(2, "heuristic_transient"), 5),
    ],
    ids=str,
)
def test_greedy_text_and_counts_are_those_of_the_trace(
    pair: Pair, lookahead: Lookahead, n_slots: int
) -> None:
    prompts = tiny_models.prompts(13)
    traced = tracer.trace(pair, prompts, GREEDY)
    live = speculate(pair, prompts, GREEDY, lookahead, n_slots=n_slots)
    assert words(live) == [
        part.tolist() for part in np.split(traced["token"], traced.offsets[1:-1])
    ]
    expected = replay(traced, lookahead)
    for name in COUNTS:
        assert getattr(live.tally, name).tolist() == getattr(expected, name).tolist(), (
            name
        )


def test_slots_and_order_do_not_matter_when_sampling(pair: Pair) -> None:
    prompts = tiny_models.prompts(17)
    live = speculate(pair, prompts, SAMPLED, 3, n_slots=4)
    other = speculate(pair, prompts[::-1], SAMPLED, 3, n_slots=64)
    assert words(live) == words(other)[::-1]
    assert live.tally.n_rounds.tolist() == other.tally.n_rounds[::-1].tolist()
    assert len(set(live.tally.n_new_tokens)) > 5


def test_the_trace_reconciles_with_the_counts(pair: Pair) -> None:
    live = speculate(pair, tiny_models.prompts(17), SAMPLED, 3)
    tally, traced = live.tally, live.trace
    assert traced.lengths.tolist() == tally.n_tested.tolist()
    assert traced.per_prompt(traced["accepted"]).tolist() == tally.n_accepted.tolist()
    assert (tally.n_rounds + tally.n_accepted).tolist() == tally.n_new_tokens.tolist()
    assert np.array_equal(traced["accepted"], traced["proposal"] == traced["token"])
    for i, text in enumerate(live.texts):
        rows = slice(*traced.offsets[i : i + 2])
        assert np.array_equal(text[live.positions[rows]], traced["token"][rows])
        assert (live.positions[rows] < len(text) - 1).all()


def test_columns_are_those_of_the_text_read_again(pair: Pair) -> None:
    """What was computed round by round equals a tracer's pass over the finished
    text.
    """
    prompts = tiny_models.prompts(11)
    live = speculate(pair, prompts, replace(SAMPLED, ignore_eos=True), 3)
    whole = tracer.trace(pair, prompts, replace(SAMPLED, ignore_eos=True))
    told = altered(whole, token=np.concatenate(live.texts))
    (again,) = tracer.reread([pair], told.text.bare)
    rows = np.repeat(again.offsets[:-1], live.trace.lengths) + live.positions
    for name in ("draft_prob", "overlap", "kl", "accept_prob"):
        np.testing.assert_allclose(
            live.trace[name], again[name][rows], atol=2e-5, rtol=1e-4, err_msg=name
        )


def test_decode_is_speculate_without_the_trace(pair: Pair) -> None:
    prompts = tiny_models.prompts(9)
    for decoding in (GREEDY, SAMPLED):
        live = speculate(pair, prompts, decoding, 4)
        texts, tally = decode(pair, prompts, decoding, 4)
        assert [text.tolist() for text in texts] == words(live)
        for counted in (tally, count(pair, prompts, decoding, Lookahead(4))):
            assert all(
                getattr(counted, name).tolist() == getattr(live.tally, name).tolist()
                for name in COUNTS
            )


def test_a_perfect_draft_is_always_accepted() -> None:
    made = tiny_models.pair()
    pair = load.assemble(made.target, made.target, made.tokenizer)
    for decoding in (GREEDY, replace(SAMPLED, temperature=0.8, top_p=0.9)):
        live = speculate(
            pair, tiny_models.prompts(6), replace(decoding, ignore_eos=True), 4
        )
        # 14 tokens: 4 + 1, 4 + 1, 3 + 1
        assert live.tally.n_rounds.tolist() == [3.0] * 6
        assert (
            live.tally.n_accepted.tolist()
            == live.tally.n_drafted.tolist()
            == [11.0] * 6
        )


def test_weights_that_are_not_numbers_are_never_an_acceptance() -> None:
    pair = tiny_models.pair()
    models: list[Any] = [pair.target, pair.draft]
    for model in models:
        with torch.no_grad():
            model.transformer.ln_f.weight[0] = torch.nan
    for decoding in (GREEDY, SAMPLED):
        live = speculate(
            pair, tiny_models.prompts(4), replace(decoding, ignore_eos=True), 3
        )
        assert np.isnan(live.tally.n_accepted).all()
        assert not live.trace["accepted"].any()
        assert np.isnan(live.trace["accept_prob"]).all()


def test_what_is_lost_in_one_prompt_is_lost_there_alone() -> None:
    """A token that one prompt holds, in either model: its counts are unknown, not
    refusals. Others are as they were.
    """
    prompts = tiny_models.prompts(6)
    for role in ("target", "draft"):
        pair = tiny_models.pair(noise=0.3, tie_word_embeddings=False)
        whole = count(pair, prompts, replace(GREEDY, ignore_eos=True), Lookahead(3))
        with torch.no_grad():
            getattr(pair, role).get_input_embeddings().weight[
                pair.tokenizer("x")["input_ids"][0], 0
            ] = torch.inf
        for tally in (
            count(pair, prompts, replace(GREEDY, ignore_eos=True), Lookahead(3)),
            speculate(pair, prompts, replace(GREEDY, ignore_eos=True), 3).tally,
        ):
            lost = np.isnan(tally.n_accepted)  # also where a draft proposes the token
            assert lost[0]
            assert lost.sum() < 4
            assert np.array_equal(np.isnan(tally.n_rounds), lost)
            assert tally.n_tested[~lost].tolist() == whole.n_tested[~lost].tolist()


def test_one_new_token_needs_no_draft(pair: Pair) -> None:
    live = speculate(pair, tiny_models.prompts(3), Decoding(1), 3)
    assert live.tally.n_drafted.sum() == 0
    assert live.trace.n_tokens == 0
    assert live.tally.n_rounds.tolist() == [1.0] * 3


DECODINGS = [
    Decoding(3, temperature=0.7),
    Decoding(3, temperature=1.0),
    Decoding(3, temperature=1.5),
    Decoding(3, temperature=1.0, top_p=0.8),
    Decoding(3, temperature=0.7, top_p=0.8),
]


@dataclass(frozen=True)
class Beginning:
    """The shipped pair, one of its prompts, and the target's logits of the first two
    tokens behind it.
    """

    pair: Pair
    prompt: Prompt
    first: torch.Tensor  # (vocabulary,)
    second: torch.Tensor  # (vocabulary, vocabulary), given the first

    def law(self, decoding: Decoding) -> np.ndarray:
        """Of both tokens together (vocabulary, vocabulary)."""
        first, second = (
            sampling.distribution(
                logits.double(),
                decoding.temperature,
                top_k=decoding.top_k,
                top_p=decoding.top_p,
            )
            for logits in (self.first, self.second)
        )
        return (first[:, None] * second).numpy()


@pytest.fixture(scope="module")
def beginning() -> Beginning:
    """From plain forward passes, without a cache. The prompt is one after which much may
    follow: behind the first, top_p 0.8 at temperature 0.7 leaves one text alone.
    """
    pair = load.load("embedded", "embedded", device="cpu")
    prompt = load_prompts("embedded").prompts[1]
    ids = torch.tensor([pair.tokenizer(prompt.text)["input_ids"]])
    with torch.inference_mode():
        every = torch.cat(
            [ids.expand(pair.n_vocab, -1), torch.arange(pair.n_vocab)[:, None]], dim=1
        )
        second = pair.target(every, logits_to_keep=1).logits[:, -1]
        return Beginning(pair, prompt, pair.target(ids).logits[0, -1], second)


def p_value(beginning: Beginning, decoding: Decoding, n: int = 2000) -> float:
    """Chi-square of the first two tokens of n live texts; cells expected under 8 times
    are pooled.
    """
    copies = [replace(beginning.prompt, id=str(i)) for i in range(n)]
    live = speculate(
        beginning.pair, copies, replace(decoding, ignore_eos=True), 2, n_slots=1000
    )
    expected = beginning.law(decoding) * n
    seen = np.zeros_like(expected)
    np.add.at(seen, tuple(np.array([text[:2] for text in live.texts]).T), 1)
    common = expected >= 8
    observed, cells = (
        [*seen[common], seen[~common].sum()],
        [*expected[common], expected[~common].sum()],
    )
    if cells[-1] < 8:
        observed, cells = observed[:-1], cells[:-1]
    assert len(cells) > 20, "hardly any text may follow: this says nothing of a law"
    return float(
        chisquare(observed, np.array(cells) * sum(observed) / sum(cells)).pvalue
    )


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
def test_the_text_has_the_targets_law(beginning: Beginning, decoding: Decoding) -> None:
    """The seeds are fixed: a new draw of them would fail one time in 1,000 for each of
    the five settings.
    """
    assert p_value(beginning, decoding) > 0.001


def inverted(own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return (own / other).clamp(max=1.0)


def another_draft(own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The draft's probability taken at a higher temperature than the one it was drawn
    at.
    """
    return (other / own.sqrt()).clamp(max=1.0)


@pytest.mark.parametrize("wrong", [inverted, another_draft])
def test_the_chi_square_has_power(
    beginning: Beginning, wrong: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same test at the same size refuses a ratio upside down, and a draft law that
    is not the one drawn from.
    """
    monkeypatch.setattr(sampling, "coin", wrong)
    assert p_value(beginning, DECODINGS[1]) < 1e-6


@pytest.fixture(scope="module")
def peaked() -> Pair:
    """A pair that disagrees: acceptance near 0.6."""
    return tiny_models.pair("llama", noise=0.6, initializer_range=0.5)


@pytest.mark.parametrize("decoding", [DECODINGS[1], DECODINGS[4]], ids=str)
def test_replay_foretells_the_counts(peaked: Pair, decoding: Decoding) -> None:
    """Live counts against expectations from an independent trace, by z over 300
    prompts; false alarm 1 in 1,000.
    """
    decoding = replace(decoding, max_new_tokens=12, ignore_eos=True)
    prompts = [
        replace(p, id=f"{p.id}/{i}") for p in tiny_models.prompts(12) for i in range(25)
    ]
    expected = replay(
        tracer.trace(peaked, prompts, replace(decoding, seed=1)), Lookahead(3)
    )
    live = speculate(peaked, prompts, decoding, 3, n_slots=300).tally
    for name in ("n_rounds", "n_tested", "n_accepted"):
        difference = getattr(live, name) - getattr(expected, name)
        assert abs(difference.mean()) < 3.3 * difference.std() / len(prompts) ** 0.5, (
            name
        )


def test_acceptance_is_the_overlap_of_distributions_processed_once(
    peaked: Pair,
) -> None:
    """First positions at temperature 0.7: accepted share against the analytic overlap,
    4 standard errors.
    """
    text = tiny_models.prompts(4)[2]
    decoding = Decoding(2, temperature=0.7, ignore_eos=True)
    live = speculate(
        peaked,
        [replace(text, id=str(i)) for i in range(3000)],
        decoding,
        1,
        n_slots=1500,
    )
    ids = torch.tensor([peaked.tokenizer(text.text)["input_ids"]])
    with torch.inference_mode():
        laws = [
            sampling.distribution(m(ids).logits[0, -1], 0.7)
            for m in (peaked.target, peaked.draft)
        ]
    overlap = float(sampling.overlap(*laws))
    assert live.trace["accepted"].mean() == pytest.approx(
        overlap, abs=4 * (overlap * (1 - overlap) / 3000) ** 0.5
    )
