"""One row per architecture, saved to disk and loaded: tracing, rescoring, live decoding
and fine-tuning do their work.

They agree with transformers and with themselves. Ten new tokens after texts of one to
sixteen tokens, with windows of six tokens where the architecture has windows.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from specfair.decoding import Decoding, Lookahead
from specfair.engine import tracer
from specfair.engine.speculate import speculate
from specfair.models import load
from specfair.models.pair import Pair
from specfair.texts.corpora import Corpus
from specfair.texts.prompts import Prompt
from specfair.traces.replay import replay
from specfair.traces.trace import COLUMNS, Trace
from specfair.training.finetune import train
from specfair.training.recipe import Recipe
from specfair.training.tuned import Training, Tuned
from tests import tiny_models

FLOATS = [name for name, kind in COLUMNS.items() if kind is np.float32]


@pytest.mark.parametrize("kind", tiny_models.ARCHITECTURES)
def test_every_architecture(kind: str, tmp_path: Path) -> None:
    pair, prompts, decoding = (
        loaded(kind, tmp_path),
        tiny_models.prompts(7),
        Decoding(10),
    )
    traced = tracer.trace(pair, prompts, decoding)
    written = texts(traced)
    assert written == [plain(pair, prompt) for prompt in prompts]
    same(tracer.trace(pair, prompts, decoding, batch_tokens=1), traced)
    same(tracer.reread([pair], traced.text)[0], traced)
    live = speculate(pair, prompts, decoding, 3, n_slots=3)
    assert [text.tolist() for text in live.texts] == written
    same(
        live.trace,
        traced,
        np.repeat(traced.offsets[:-1], live.trace.lengths) + live.positions,
    )
    counted, expected = live.tally, replay(traced, Lookahead(3))
    for name in ("n_new_tokens", "n_rounds", "n_drafted", "n_tested", "n_accepted"):
        assert getattr(counted, name).tolist() == getattr(expected, name).tolist(), name
    tuned_by_one_step(pair, tmp_path)


def loaded(kind: str, folder: Path) -> Pair:
    """The pair as a user has it: two folders with their tokenizer."""
    made = tiny_models.pair(kind)
    for role, model in (("target", made.target), ("draft", made.draft)):
        model.save_pretrained(folder / role)
        made.tokenizer.save_pretrained(folder / role)
    return load.load(str(folder / "target"), str(folder / "draft"), device="cpu")


def tuned_by_one_step(pair: Pair, folder: Path) -> None:
    """Both models change, their losses are numbers, and what was saved is a pair that
    can be traced.
    """
    corpus = Corpus(
        "imdb", "made up", True, ["bcd fgh jkl" * n for n in range(1, 9)], ["bcd"]
    )
    recipe = Recipe(
        max_steps=1, batch_size=2, accumulation=1, block=16, learning_rate=1e-2
    )
    for role in ("target", "draft"):
        train(
            Training(pair.identity, role, corpus, recipe),
            pair,
            folder / "tuned" / role,
            progress=lambda *_: None,
        )
    target, draft = (
        Tuned.read(folder / "tuned" / role) for role in ("target", "draft")
    )
    assert np.isfinite([*target.losses, *draft.losses]).all()
    after = load.load(str(target.model), str(draft.model), device="cpu")
    assert after.target_fingerprint != pair.target_fingerprint
    assert after.draft_fingerprint != pair.draft_fingerprint
    assert tracer.trace(after, tiny_models.prompts(3), Decoding(4)).n_tokens > 0


def texts(traced: Trace) -> list[list[int]]:
    return [part.tolist() for part in np.split(traced["token"], traced.offsets[1:-1])]


def plain(pair: Pair, prompt: Prompt) -> list[int]:
    """transformers' own greedy text: one prompt, no padding."""
    ids = torch.tensor([pair.tokenizer(prompt.text)["input_ids"]])
    written = pair.target.generate(  # type: ignore[operator]  # an attribute of a module is a tensor to torch
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=10, do_sample=False
    )
    return list(written[0, ids.shape[1] :].tolist())


def same(found: Trace, expected: Trace, rows: np.ndarray | slice = slice(None)) -> None:
    """Decisions equal, numbers within 1e-5 (KL, in nats, is as large as 10 and has
    float32's relative error).
    """
    for name, values in {n: found[n] for n in COLUMNS}.items():
        if name in FLOATS:
            np.testing.assert_allclose(
                values, expected[name][rows], rtol=1e-5, atol=1e-5, err_msg=name
            )
        else:
            assert np.array_equal(values, expected[name][rows]), name
