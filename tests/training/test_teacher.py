"""What models make of texts, compared with the tracer's own account and with
transformers' own reading.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from specfair.errors import DataError
from specfair.models import load
from specfair.models.pair import Pair
from specfair.traces.trace import Trace
from specfair.training import objectives, teacher
from specfair.training.lessons import with_rest
from specfair.training.pool import N_TOP
from specfair.training.teacher import blocks_as_texts, logs_at, taught, written
from tests.training.conftest import prompts


@pytest.mark.parametrize("n_top", [N_TOP, 2048])
def test_a_pool_holds_what_the_tracer_saw(
    pair: Pair, trace: Trace, monkeypatch: pytest.MonkeyPatch, n_top: int
) -> None:
    """The draft's overlap with the target, found again from the pool alone: the
    trace's to 16 bits where every token is kept, a little more where the rest is one.
    """
    monkeypatch.setattr(teacher, "N_TOP", n_top)
    pool = taught(pair, trace, prompts())
    assert pool.groups.tolist() == ["ours", "theirs"]
    assert pool.group.tolist() == [0, 0, 0, 1, 1, 1, -1]
    assert pool.logs.shape == (7, 6, n_top)
    assert pool.lengths.tolist() == trace.lengths.tolist()
    batch = {n: torch.from_numpy(v) for n, v in pool.batch(range(7)).items()}
    draft = objectives.coarse(logs_at(pair.draft, batch, pair.n_vocab), batch["ids"])
    target = with_rest(batch["logs"], draft.shape[-1])
    found = objectives.alpha(target, draft)[batch["kept"]].numpy()
    if n_top == 2048:
        assert found == pytest.approx(trace["overlap"], abs=2e-3)
    else:
        assert (found >= trace["overlap"] - 2e-3).all()
    coins = trace.per_prompt(trace["accept_prob"])[:3].sum()
    assert pool.alphas[0] == pytest.approx(coins / trace.lengths[:3].sum())


def test_texts_are_read_behind_other_prompts(pair: Pair, trace: Trace) -> None:
    """As counterfactual wants it: the identity is another's, and so is the group."""
    other = [replace(p, group="theirs", text=f"theirs {p.id}") for p in prompts()[:6]]
    some = trace.select(np.arange(6))
    pool = taught(pair, some, other)
    assert pool.groups.tolist() == ["theirs"]
    start = pair.tokenizer(other[0].text)["input_ids"]
    assert pool.tokens[0, : len(start)].tolist() == start
    text = some["token"][: some.lengths[0]].tolist()
    assert pool.tokens[0, len(start) : len(start) + len(text)].tolist() == text


def test_padding_changes_nothing(pair: Pair, trace: Trace) -> None:
    pool = taught(pair, trace, prompts())
    alone = {n: torch.from_numpy(v) for n, v in pool.batch([2]).items()}
    among = {n: torch.from_numpy(v) for n, v in pool.batch(range(7)).items()}
    with torch.no_grad():
        one = logs_at(pair.draft, alone, pair.n_vocab)[0]
        other = logs_at(pair.draft, among, pair.n_vocab)[2, : len(one)]
    assert torch.allclose(one, other, atol=1e-5)


def test_no_texts_are_refused(pair: Pair, trace: Trace) -> None:
    with pytest.raises(DataError, match="0 texts to learn from"):
        taught(pair, trace.select(np.arange(0)), [])


def test_blocks_are_learned_from_their_second_token_on() -> None:
    batch = blocks_as_texts(torch.arange(12).reshape(2, 6))
    assert batch["places"].tolist() == [[0, 1, 2, 3, 4]] * 2
    assert batch["starts"].tolist() == [3, 3]
    assert (batch["group"] == -1).all()


@pytest.mark.parametrize("absolute", [False, True])
def test_what_is_written_now_follows_its_beginning(
    pair: Pair, trace: Trace, absolute: bool
) -> None:
    """Ragged beginnings, with rotary and with learned positions: every row is what a
    model that copies would write, and ends where the text does.
    """
    if absolute:
        torch.manual_seed(0)
        config = GPT2Config(
            vocab_size=2048,
            n_positions=64,
            n_embd=16,
            n_layer=1,
            n_head=2,
            eos_token_id=0,
            bos_token_id=0,
        )
        target, draft = GPT2LMHeadModel(config), GPT2LMHeadModel(config)
        pair = load.assemble(target, draft, pair.tokenizer)
    pool = taught(pair, trace, prompts())
    batch = {n: torch.from_numpy(v) for n, v in pool.batch(range(7)).items()}
    found = written(pair.draft, batch, pair.eos)
    assert "logs" not in found
    for row in range(7):
        start, length = int(pool.starts[row]), int(found["kept"][row].sum())
        assert length == 6 or found["input_ids"][row, start + length - 1] == 0
        assert found["attention_mask"][row].sum() == start + length
        assert (
            found["input_ids"][row, :start].tolist()
            == pool.tokens[row, :start].tolist()
        )
        assert found["places"][row, 0] == start - 1
    assert not pair.draft.training
    with torch.no_grad():  # its own probabilities of its own text are no accident
        logs = logs_at(pair.draft, found, pair.n_vocab)
    text = found["input_ids"].gather(
        1, (found["places"] + 1).clamp(max=found["input_ids"].shape[1] - 1)
    )
    assert torch.isfinite(logs.gather(2, text[..., None])[found["kept"]]).all()


def test_what_is_written_is_drawn_from_the_model(pair: Pair) -> None:
    """First tokens after one beginning, 4,000 of them, against the model's own law of
    the ten likeliest: chi-square of 10 degrees below 35 (one in ten thousand above).
    """
    torch.manual_seed(1)
    with torch.no_grad():
        pair.draft.lm_head.weight.mul_(0.5)
    tokens = torch.tensor([[5, 6, 0]]).expand(4000, -1).contiguous()
    batch = {
        "input_ids": tokens,
        "starts": torch.full((4000,), 2),
        "places": torch.full((4000, 1), 1),
        "group": torch.full((4000,), -1),
        "attention_mask": torch.ones_like(tokens),
    }
    first = written(pair.draft, batch, pair.eos)["input_ids"][:, 2]
    with torch.no_grad():
        law = pair.draft(tokens[:1, :2]).logits[0, -1].softmax(-1)
    top = law.topk(10)
    expected = torch.cat([top.values, 1 - top.values.sum(0, keepdim=True)]) * 4000
    counts = torch.tensor([int((first == t).sum()) for t in top.indices])
    counts = torch.cat([counts, 4000 - counts.sum(0, keepdim=True)])
    assert float(expected.min()) > 5
    assert float(((counts - expected) ** 2 / expected).sum()) < 35
