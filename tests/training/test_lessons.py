"""The loss that a recipe takes from a batch, by hand and by transformers' own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import TrainingArguments

from specfair.models.pair import Pair
from specfair.training import objectives as o
from specfair.training.lessons import Learning, with_rest
from specfair.training.pool import Pool
from specfair.training.recipe import recipe_of
from specfair.training.teacher import logs_at
from specfair.training.turns import Turns


def learning(pair: Pair, pool: Pool, folder: Path, *said: str) -> Learning:
    recipe = recipe_of(said)
    arguments = TrainingArguments(str(folder), use_cpu=True, report_to=[])
    turns = Turns(recipe, pool.group, pool.alphas, 8)
    return Learning(pair.draft, arguments, pool, pair=pair, recipe=recipe, turns=turns)


def whole(pool: Pool) -> dict[str, Any]:
    found = pool.batch(range(len(pool)))
    return {name: torch.from_numpy(value) for name, value in found.items()}


def by_text(pair: Pair, pool: Pool, loss: str) -> Tensor:
    """Each text's mean distance, without the batch's machinery."""
    found = []
    for i in range(len(pool)):
        batch = {n: torch.from_numpy(v) for n, v in pool.batch([i]).items()}
        with torch.no_grad():
            draft = o.coarse(logs_at(pair.draft, batch, pair.n_vocab), batch["ids"])
        target = with_rest(batch["logs"], draft.shape[-1])
        each = o.LOSSES[loss](target, draft)
        found.append(each.mean())
    return torch.stack(found)


def test_texts_count_alike(pair: Pair, pool: Pool, tmp_path: Path) -> None:
    for said in (("distill",), ("balanced", "loss=tvd"), ("fairspec",)):
        trainer = learning(pair, pool, tmp_path, *said)
        loss = trainer.compute_loss(pair.draft, whole(pool))
        expected = by_text(pair, pool, trainer.recipe.loss).mean()
        assert float(loss) == pytest.approx(float(expected), rel=1e-4)


def test_fairspec_tells_the_turns_each_groups_alpha(
    pair: Pair, pool: Pool, tmp_path: Path
) -> None:
    trainer = learning(pair, pool, tmp_path, "fairspec")
    trainer.compute_loss(pair.draft, whole(pool))
    alphas = 1 - by_text(pair, pool, "tvd").numpy()
    now = [alphas[pool.group == g].mean() for g in range(2)]
    turns = trainer.turns
    assert turns is not None
    assert turns.alphas == pytest.approx(
        0.9 * pool.alphas + 0.1 * np.array(now), abs=1e-5
    )


def test_group_dro_weighs_groups_and_leaves_nobody_its_share(
    pair: Pair, pool: Pool, tmp_path: Path
) -> None:
    """Six texts of two groups and one after no prompt, which keeps a seventh."""
    trainer = learning(pair, pool, tmp_path, "group_dro", "eta=2")
    loss = trainer.compute_loss(pair.draft, whole(pool))
    each = by_text(pair, pool, "fkl").numpy()
    means = np.array([each[pool.group == g].mean() for g in range(2)])
    weights = np.exp(2 * means) / np.exp(2 * means).sum()
    expected = 6 / 7 * (weights * means).sum() + each[pool.group < 0].sum() / 7
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert trainer.turns is not None
    assert trainer.turns.weights == pytest.approx(weights, rel=1e-4)


def test_scdf_learns_nothing_of_the_best_group(
    pair: Pair, pool: Pool, tmp_path: Path
) -> None:
    """With two groups, all weight is the worse one's, whose loss is its cross-entropy;
    the gradient is that of its KL.
    """
    trainer = learning(pair, pool, tmp_path, "scdf")
    loss = trainer.compute_loss(pair.draft, whole(pool))
    entropies = []
    for i in range(len(pool)):
        logs = torch.from_numpy(pool.batch([i])["logs"])
        target = with_rest(logs, logs.shape[-1] + 1)
        entropies.append(float(o.entropy(target).mean()))
    crossed = by_text(pair, pool, "fkl").numpy() + entropies
    worst = max(crossed[pool.group == g].mean() for g in range(2))
    expected = 6 / 7 * worst + crossed[pool.group < 0].sum() / 7
    assert float(loss) == pytest.approx(expected, rel=1e-3)


def test_clm_on_a_pool_is_the_models_own_loss_on_the_texts(
    pair: Pair, pool: Pool, tmp_path: Path
) -> None:
    trainer = learning(pair, pool, tmp_path, "clm", "models=draft")
    loss = float(trainer.compute_loss(pair.draft, whole(pool)))
    sums, n = 0.0, 0
    for row, start, length in zip(pool.tokens, pool.starts, pool.lengths, strict=True):
        tokens = torch.from_numpy(row[: start + length].astype(np.int64))[None]
        labels = tokens.clone()
        labels[:, :start] = -100
        with torch.no_grad():
            mean = pair.draft(input_ids=tokens, labels=labels).loss
        sums, n = sums + float(mean) * length, n + length
    assert loss == pytest.approx(sums / n, rel=1e-4)
