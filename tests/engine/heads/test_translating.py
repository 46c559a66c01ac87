"""A draft with another tokenizer against a plain loop, and in law against transformers'
own where that is lossless: with its output layer whole.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.generation import candidate_generator

from specfair.decoding import Decoding, Lookahead
from specfair.engine import agreement, speculate, tracer
from specfair.models import load
from specfair.models.pair import Pair, encode
from specfair.models.translating import Translated
from specfair.texts import prompts
from specfair.traces.replay import replay
from tests.engine.heads.generated import generated
from tests.engine.heads.trained import N_NEW

N_DRAFTED = 4
TARGET = str(prompts.fixtures() / "pair" / "target")


@pytest.fixture(scope="module")
def pair(foreign: Path) -> Pair:
    return load.load(TARGET, str(foreign), device="cpu")


@torch.inference_mode()
def decode(pair: Pair, ids: list[int]) -> tuple[int, int]:
    """Rounds and accepted tokens, from texts alone."""
    draft, eos = pair.draft, pair.eos[0]
    assert isinstance(draft, Translated)
    back = {theirs: own for own, theirs in draft.twins.items()}
    allowed = torch.tensor(sorted(back))
    text, n_rounds, n_accepted = list(ids), 0, 0
    while len(text) < len(ids) + N_NEW and (text[-1] != eos or len(text) == len(ids)):
        read = draft.written(ids) + [
            p for t in text[len(ids) :] for p in draft.piece(t)
        ]
        proposals: list[int] = []
        for _ in range(min(N_DRAFTED, len(ids) + N_NEW - len(text) - 1)):
            logits = draft.model(torch.tensor([read])).logits[0, -1]
            chosen = int(allowed[logits[allowed].argmax()])
            proposals.append(back[chosen])
            read = [*read, chosen]
        whole = torch.tensor([[*text, *proposals]])
        own = pair.target(whole).logits[0, len(text) - 1 :].argmax(-1).tolist()
        taken = 0
        while taken < len(proposals) and proposals[taken] == own[taken] and own[taken]:
            taken += 1
        text = [*text, *own[: taken + 1]]
        n_rounds, n_accepted = n_rounds + 1, n_accepted + taken
    return n_rounds, n_accepted


def test_greedy_rounds_are_those_of_a_plain_loop(pair: Pair) -> None:
    chosen, asked = prompts.load("embedded")[::9], Decoding(max_new_tokens=N_NEW)
    tally = replay(tracer.trace(pair, chosen, asked), Lookahead(N_DRAFTED))
    found = [decode(pair, each) for each in encode(pair, chosen, N_NEW)[0]]
    assert len(chosen) >= 100
    assert tally.n_rounds.tolist() == [n for n, _ in found]
    assert tally.n_accepted.tolist() == [n for _, n in found]
    assert 0.2 < tally.n_accepted.sum() / tally.n_tested.sum() < 0.95


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_live_decoding_agrees(pair: Pair, temperature: float) -> None:
    """Sampled: false alarms, one in 10,000, and the seed is fixed."""
    chosen = prompts.load("embedded")[::7]
    asked = Decoding(max_new_tokens=12, temperature=temperature)
    trace = tracer.trace(pair, chosen, asked)
    live = speculate.speculate(pair, chosen, asked, Lookahead(3), n_slots=40)
    assert not agreement.compare(trace, live).problem


def test_sampled_counts_have_the_law_of_generate(
    pair: Pair, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As shipped, transformers prunes the draft's output layer in one order and reads
    it in another, and the text is no longer the target's: unpruned it is. Two means
    of 200 texts, five standard errors: one false alarm in a million.
    """
    monkeypatch.setattr(
        candidate_generator.AssistantVocabTranslatorCache,
        "get_translator",
        lambda own, theirs, size, **_: candidate_generator.AssistantToTargetTranslator(
            own, theirs, size
        ),
    )
    chosen = prompts.load("embedded")[::5]
    asked = Decoding(max_new_tokens=8, temperature=1.0)
    tally = replay(tracer.trace(pair, chosen, asked), Lookahead(3))
    assistant: Any = AutoModelForCausalLM.from_pretrained(foreign)
    assistant.generation_config.update(
        num_assistant_tokens=3,
        num_assistant_tokens_schedule="constant",
        assistant_confidence_threshold=0.0,
    )
    torch.manual_seed(3)
    ids, _ = encode(pair, chosen, 8)
    counts = generated(
        pair.target,
        ids,
        asked,
        assistant_model=assistant,
        tokenizer=pair.tokenizer,
        assistant_tokenizer=AutoTokenizer.from_pretrained(foreign),
        top_k=0,
    )
    pairs = ((tally.n_rounds, counts[:, 1]), (tally.n_accepted, counts[:, 4]))
    for expected, found in pairs:
        error = np.std(found - expected) / np.sqrt(len(chosen))
        assert abs(np.mean(found - expected)) < 5 * error
    assert 0.2 < counts[:, 4].sum() / counts[:, 3].sum() < 0.95
