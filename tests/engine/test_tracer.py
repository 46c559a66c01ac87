"""Tracing: what must not matter (batch size, order, company, padding) does not, and
what cannot be computed shows.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from specfair.decoding import Decoding
from specfair.engine import sampling, speculate, tracer
from specfair.engine.task import task
from specfair.errors import DataError, ModelError
from specfair.models import load
from specfair.models.pair import Pair
from specfair.traces.trace import COLUMNS, Trace, concatenate
from tests import tiny_models

GREEDY = Decoding(12)
SAMPLED = Decoding(12, temperature=1.0)
FILTERED = Decoding(12, temperature=0.7, top_k=50, top_p=0.9, seed=4)
DECODINGS = [GREEDY, SAMPLED, FILTERED]


@pytest.fixture(scope="module")
def pair() -> Pair:
    return tiny_models.pair(noise=0.3)


def assert_same(one: Trace, other: Trace) -> None:
    assert np.array_equal(one.offsets, other.offsets)
    for name, kind in COLUMNS.items():
        np.testing.assert_allclose(
            one[name],
            other[name],
            atol=1e-5 if kind is np.float32 else 0,
            rtol=1e-5,
            err_msg=name,
        )


def order(traced: Trace, by: list[int]) -> Trace:
    return concatenate([traced.select(np.arange(len(traced)) == i) for i in by])


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
def test_batch_size_order_and_company_do_not_matter(
    pair: Pair, decoding: Decoding
) -> None:
    prompts = tiny_models.prompts(9)
    together = tracer.trace(pair, prompts, decoding)
    assert_same(tracer.trace(pair, prompts, decoding, batch_tokens=1), together)
    assert_same(tracer.trace(pair, prompts, decoding, batch_tokens=90), together)
    shuffled = [4, 0, 8, 2, 1, 7, 3, 6, 5]
    assert_same(
        tracer.trace(pair, [prompts[i] for i in shuffled], decoding),
        order(together, shuffled),
    )
    added = concatenate(
        [
            tracer.trace(pair, prompts[:4], decoding),
            tracer.trace(pair, prompts[4:], decoding),
        ]
    )
    assert_same(added, together)


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
def test_columns_against_plain_forward_passes(pair: Pair, decoding: Decoding) -> None:
    """Each prompt alone, unpadded, without a cache; every column from its
    definition.
    """
    prompts = tiny_models.prompts(5)
    traced = tracer.trace(pair, prompts, decoding)
    for i, prompt in enumerate(prompts):
        rows = slice(*traced.offsets[i : i + 2])
        expected = defined(
            pair,
            pair.tokenizer(prompt.text)["input_ids"],
            traced["token"][rows].tolist(),
            decoding,
        )
        drawn = sampling.uniforms(decoding.seed, [prompt.id], decoding.max_new_tokens)[
            0
        ]
        if not decoding.greedy:
            coins = (
                drawn[: len(expected["accept_prob"]), 1]
                < expected["accept_prob"].numpy()
            )
            assert np.array_equal(traced["accepted"][rows], coins)
        for name, values in expected.items():
            np.testing.assert_allclose(
                traced[name][rows], values, atol=2e-5, rtol=1e-4, err_msg=name
            )


def defined(
    pair: Pair, prompt: list[int], text: list[int], decoding: Decoding
) -> dict[str, torch.Tensor]:
    with torch.inference_mode():
        logits = [
            model(torch.tensor([prompt + text])).logits[0, len(prompt) - 1 : -1]
            for model in (pair.target, pair.draft)
        ]
    token = torch.tensor(text)
    target, draft = (torch.softmax(x, -1) for x in logits)
    used = [
        sampling.distribution(
            x, decoding.temperature or 1.0, top_k=decoding.top_k, top_p=decoding.top_p
        )
        for x in logits
    ]
    p, q = (sampling.at(x, token) for x in used)
    first = draft.argmax(-1)
    found = {
        "target_prob": p,
        "draft_prob": q,
        "overlap": torch.minimum(*used).sum(-1),
        "accept_prob": (first == token).float()
        if decoding.greedy
        else (q / p).clamp(max=1),
        "target_entropy": torch.distributions.Categorical(target).entropy(),
        "kl": (target * (target.log() - draft.log())).sum(-1),
        "margin": target.topk(2).values @ torch.tensor([1.0, -1.0]),
    }
    return found | ({"proposal": first} if decoding.greedy else {})


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
def test_proposals_agree_with_their_columns(pair: Pair, decoding: Decoding) -> None:
    traced = tracer.trace(pair, tiny_models.prompts(20), decoding)
    accepted = traced["accepted"]
    assert 0 < accepted.mean() < 1
    assert np.array_equal(traced["proposal"] == traced["token"], accepted)
    assert np.array_equal(
        traced["proposal_target_prob"][accepted], traced["target_prob"][accepted]
    )
    # a rejected proposal comes from where the draft gives more than the target
    if not decoding.greedy:
        assert (traced["proposal_draft_prob"] > traced["proposal_target_prob"])[
            ~accepted
        ].all()


def test_realised_proposals_have_the_drafts_law() -> None:
    """2,000 first positions of one text: chi-square of proposals against the draft.
    False alarm 1 in 1,000, once.
    """
    from scipy.stats import chisquare

    pair = tiny_models.pair(noise=0.6)
    text = tiny_models.prompts(4)[2]
    traced = tracer.trace(
        pair,
        [replace(text, id=str(i)) for i in range(2000)],
        Decoding(1, temperature=1.0),
    )
    with torch.inference_mode():
        law = torch.softmax(
            pair.draft(torch.tensor([pair.tokenizer(text.text)["input_ids"]]))
            .logits[0, -1]
            .double(),
            -1,
        )
    counts = np.bincount(traced["proposal"], minlength=len(law))
    common = (law * 2000 > 8).numpy()
    observed = [*counts[common], counts[~common].sum()]
    expected = np.array([*law[common], law[~common].sum()]) * 2000
    assert chisquare(observed, expected).pvalue > 0.001
    assert traced["accepted"].mean() == pytest.approx(
        traced["overlap"][0], abs=4 * 0.5 / 2000**0.5
    )


@pytest.mark.parametrize("decoding", [SAMPLED, FILTERED], ids=str)
def test_the_overlap_is_what_the_coins_are_expected_to_be(decoding: Decoding) -> None:
    """Prompt by prompt the sums of both have one mean, also where a text ends early: 4
    standard errors over 1,500 prompts, a false alarm in 16,000, and seeds are fixed.
    """
    pair = tiny_models.pair(noise=0.6)
    pair.target.generation_config.eos_token_id = list(range(0, 300, 12))
    traced = tracer.trace(pair, tiny_models.prompts(1500), decoding)
    assert (traced.lengths < decoding.max_new_tokens).any()
    sums = (traced.per_prompt(traced[c]) for c in ("accept_prob", "overlap"))
    luck = np.subtract(*sums) / traced.lengths.mean()
    error = luck.std() / 1500**0.5
    assert abs(luck.mean()) < 4 * error
    assert 4 * error < 0.02  # it would see two points


def test_texts_end_at_the_end_of_text() -> None:
    """A wide vocabulary of endings, so that rows leave the batch at different steps."""
    pair = tiny_models.pair()
    pair.target.generation_config.eos_token_id = list(range(0, 300, 12))
    prompts = tiny_models.prompts(30)
    traced = tracer.trace(pair, prompts, SAMPLED)
    assert len(set(traced.lengths)) > 5
    ends = np.isin(traced["token"], traced.header.eos)
    assert set(np.flatnonzero(ends)) <= set(traced.offsets[1:] - 1)
    assert (ends[traced.offsets[1:] - 1] | (traced.lengths == 12)).all()
    endless = tracer.trace(pair, prompts, replace(SAMPLED, ignore_eos=True))
    assert (endless.lengths == 12).all()
    assert endless.header.eos == ()
    for i in range(len(prompts)):
        start = endless.offsets[i]
        assert np.array_equal(
            endless["token"][start : start + traced.lengths[i]],
            traced["token"][traced.offsets[i] : traced.offsets[i + 1]],
        )
    assert_same(tracer.reread([pair], traced.text)[0], traced)


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
def test_the_text_alone_is_the_traces(decoding: Decoding) -> None:
    pair = tiny_models.pair()
    pair.target.generation_config.eos_token_id = list(range(0, 300, 20))
    prompts = tiny_models.prompts(12)
    traced = tracer.trace(pair, prompts, decoding)
    written = tracer.generate(pair, prompts, decoding)
    assert [len(text) for text in written] == traced.lengths.tolist()
    assert np.array_equal(np.concatenate(written), traced["token"])


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
def test_another_draft_on_the_same_text(pair: Pair, decoding: Decoding) -> None:
    prompts = tiny_models.prompts(9)
    other = load.assemble(
        pair.target,
        tiny_models.relative(pair.target, 0.1),
        pair.tokenizer,
        draft_name="other",
    )
    traced = tracer.trace(pair, prompts, decoding)
    (again,) = tracer.reread([other], traced.text, batch_tokens=70)
    assert_same(again, tracer.trace(other, prompts, decoding))
    assert again.text is traced.text
    assert again.reading.draft == "other"
    assert (
        again.reading.draft_fingerprint
        == other.draft_fingerprint
        != traced.reading.draft_fingerprint
    )


def test_prompts_that_were_kept_as_tokens_are_not_tokenised_again(pair: Pair) -> None:
    traced = tracer.trace(pair, tiny_models.prompts(6), SAMPLED)
    silent: Any = None
    mute = replace(pair, tokenizer=silent)
    assert_same(tracer.reread([mute], traced.text)[0], traced)


def test_rescoring_needs_the_same_target(pair: Pair) -> None:
    traced = tracer.trace(pair, tiny_models.prompts(2), GREEDY)
    other = load.assemble(
        tiny_models.model(seed=9), pair.draft, pair.tokenizer, target_name="nine"
    )
    with pytest.raises(
        DataError,
        match=r"written by 'target', the pair's target 'nine' has other weights",
    ):
        tracer.reread([other], traced.text)


def test_the_header_says_what_was_traced(pair: Pair) -> None:
    prompts = tiny_models.prompts(3)
    head = tracer.trace(pair, prompts, GREEDY).header
    assert (head.target, head.decoding, head.dtype, head.device, head.prompts) == (
        "target",
        GREEDY,
        "float32",
        "cpu",
        "prompts",
    )
    assert head.target_fingerprint == pair.target_fingerprint
    assert (
        head.prompts_fingerprint
        == task(pair, list(prompts), SAMPLED).header.prompts_fingerprint
    )
    assert (
        head.prompts_fingerprint
        != task(pair, prompts[:2], GREEDY).header.prompts_fingerprint
    )
    assert set(head.versions) == {"specfair", "torch", "transformers"}


def test_a_prompt_set_brings_its_own_name(pair: Pair) -> None:
    class Named(list):  # any sequence with a name and a fingerprint
        name, fingerprint = "honest", "abc"

    head = tracer.trace(pair, Named(tiny_models.prompts(2)), GREEDY).header
    assert (head.prompts, head.prompts_fingerprint) == ("honest", "abc")


def test_no_prompts_make_an_empty_trace(pair: Pair) -> None:
    traced = tracer.trace(pair, [], GREEDY)
    assert (len(traced), traced.n_tokens) == (0, 0)


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
@pytest.mark.parametrize("which", ["target", "draft", "both"])
def test_weights_that_are_not_numbers_are_never_an_acceptance(
    decoding: Decoding, which: str
) -> None:
    pair = tiny_models.pair()
    for name in ("target", "draft") if which == "both" else (which,):
        with torch.no_grad():
            getattr(pair, name).transformer.ln_f.weight[0] = torch.nan
    traced = tracer.trace(pair, tiny_models.prompts(3), decoding)
    assert np.isnan(traced["accept_prob"]).all()
    assert np.isnan(traced["kl"]).all()
    assert not traced["accepted"].any()


def test_near_ties_show_in_the_margin(pair: Pair) -> None:
    """The commonest first choice gets a twin of the same weights: wherever it is chosen
    again, it is a tie.
    """
    prompts = tiny_models.prompts(20)
    commonest = int(np.bincount(tracer.trace(pair, prompts, GREEDY)["token"]).argmax())
    twins = tiny_models.pair()
    with torch.no_grad():
        twins.target.lm_head.weight[299] = twins.target.lm_head.weight[commonest]
    traced = tracer.trace(twins, prompts, GREEDY)
    tied = np.isin(traced["token"], [commonest, 299])
    assert tied.any()
    assert (traced["margin"][tied] < 1e-6).all()
    assert (traced["margin"][~tied] > 1e-6).all()


def test_half_precision_traces_too() -> None:
    made = tiny_models.pair()
    for model in (made.target, made.draft):
        torch.nn.Module.to(model, torch.bfloat16)
    pair = load.assemble(made.target, made.draft, made.tokenizer)
    traced = tracer.trace(pair, tiny_models.prompts(4), SAMPLED)
    assert traced.header.dtype == "bfloat16"
    assert np.isfinite(traced["accept_prob"]).all()


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
def test_several_drafts_in_one_go_are_traced_as_if_alone(
    pair: Pair, decoding: Decoding
) -> None:
    other = load.assemble(
        pair.target,
        tiny_models.relative(pair.target, 0.1),
        pair.tokenizer,
        draft_name="other",
    )
    prompts = tiny_models.prompts(9)
    together = tracer.trace_drafts([pair, other], prompts, decoding)
    for alone, traced in zip((pair, other), together, strict=True):
        expected = tracer.trace(alone, prompts, decoding)
        assert_same(traced, expected)
        assert traced.provenance == expected.provenance
        assert traced.text is together[0].text


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
def test_several_drafts_read_a_text_there_is(pair: Pair, decoding: Decoding) -> None:
    other = load.assemble(
        pair.target, tiny_models.relative(pair.target, 0.1), pair.tokenizer
    )
    prompts = tiny_models.prompts(9)
    text = tracer.trace(pair, prompts, decoding).text
    for alone, found in zip(
        (pair, other), tracer.reread([pair, other], text), strict=True
    ):
        assert_same(found, tracer.trace(alone, prompts, decoding))


def test_drafts_of_different_targets_are_not_traced_together(pair: Pair) -> None:
    with pytest.raises(
        DataError,
        match=(
            r"'target' with 300 tokens, 'target' with 300 tokens. Trace them one "
            r"by one"
        ),
    ):
        tracer.trace_drafts(
            [pair, tiny_models.pair(seed=5)], tiny_models.prompts(2), GREEDY
        )


def test_a_model_without_an_end_of_text_token_needs_to_be_told_so() -> None:
    pair, prompts = tiny_models.pair(), tiny_models.prompts(3)
    pair.target.generation_config.eos_token_id = pair.target.config.eos_token_id = None
    for work in (tracer.trace, lambda *asked: speculate.speculate(*asked, 2)):
        with pytest.raises(
            ModelError, match=r"declares no end-of-text token; .* or ignore_eos = true"
        ):
            work(pair, prompts, Decoding(4))
        work(pair, prompts, Decoding(4, ignore_eos=True))
