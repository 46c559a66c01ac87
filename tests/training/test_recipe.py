"""Recipes, and which pair gets which."""

import pytest

from specfair import config
from specfair.errors import UsageError
from specfair.training.recipe import Recipe


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"max_steps": 0},
        {"batch_size": 0},
        {"accumulation": 0},
        {"block": 1},
        {"learning_rate": 0},
        {"checkpoints": -1},
    ],
)
def test_a_recipe_that_means_nothing_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(change))):
        Recipe(**change)  # type: ignore[arg-type]  # mypy does not follow the names


def test_settings_choose_the_recipe() -> None:
    shipped = config.Settings(seed=3, checkpoints=2).recipe
    assert (shipped.max_steps, shipped.seed, shipped.checkpoints) == (32, 3, 2)
    assert config.Settings(target="gpt2", draft="distilgpt2").recipe == Recipe()
