"""The clock: what it times and how it sums up; never how long anything took."""

import pytest
import torch

from specfair.decoding import Decoding
from specfair.engine import clock as module
from specfair.engine.clock import batched, clock, cost_ratio
from specfair.errors import UsageError
from tests import tiny_models


def test_times_by_round_and_group() -> None:
    pair, prompts = tiny_models.pair(), tiny_models.prompts(12)
    times = clock(pair, prompts, Decoding(4, ignore_eos=True), 2, n_rounds=3)
    assert times.groups == ("a", "b")
    assert times.n_tokens.tolist() == [[8, 8]] * 3
    assert times.alone.shape == times.speculative.shape == (3, 2)
    assert (times.alone > 0).all()
    assert (times.speculative > 0).all()


def test_every_round_has_other_prompts_and_all_batches_one_size() -> None:
    prompts = tiny_models.prompts(14)
    found = batched(
        [p for p in prompts if p.group == "a"][:4]
        + [p for p in prompts if p.group == "b"],
        2,
        largest=99,
    )
    assert {len(batch) for rounds in found.values() for batch in rounds} == {2}
    assert not {p.id for p in found["b"][0]} & {p.id for p in found["b"][1]}
    assert [len(rounds) for rounds in batched(prompts[:2], 5, largest=2).values()] == [
        5,
        5,
    ]  # one prompt each, five times


def test_one_round_has_no_interval() -> None:
    with pytest.raises(UsageError, match="n_rounds is 1; an interval needs at least 2"):
        clock(tiny_models.pair(), tiny_models.prompts(2), Decoding(2), 2, n_rounds=1)


def test_a_draft_much_smaller_than_its_target_costs_less() -> None:
    """Twelve layers against two of the same width: true by a factor of six, asserted
    without one.
    """
    from specfair.models import load

    pair = load.assemble(
        tiny_models.model(n_layer=12), tiny_models.model(), tiny_models.tokenizer()
    )
    assert 0 < cost_ratio(pair, n_repeats=9) < 1
    assert cost_ratio(pair, n_rows=4, n_context=500, n_repeats=3) > 0


@pytest.mark.parametrize("context", [2, 3, 8, 16, 17])
def test_a_context_shorter_than_the_steps(context: int) -> None:
    """The models read anew where it is full, and never one token more than it holds."""
    pair, longest = tiny_models.pair(n_positions=context), []

    def hook(_: object, __: object, given: dict[str, torch.Tensor]) -> None:
        longest.append(int(given["position_ids"].max()) + 1)

    pair.target.register_forward_pre_hook(hook, with_kwargs=True)
    assert cost_ratio(pair) > 0
    assert max(longest) == context


def test_without_a_context_limit() -> None:
    assert cost_ratio(tiny_models.pair("bloom"), n_repeats=3) > 0


def test_accelerators_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the work and after it, or only its start would be timed."""
    waits: list[str] = []
    monkeypatch.setattr(
        torch.cuda, "synchronize", lambda device: waits.append(str(device))
    )
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waits.append("mps"))
    for name in ("cuda:0", "mps", "cpu"):
        module._seconds(
            torch.device(name), lambda name=name: waits.append(f"work on {name}")
        )
    assert waits == [
        "cuda:0",
        "work on cuda:0",
        "cuda:0",
        "mps",
        "work on mps",
        "mps",
        "work on cpu",
    ]
