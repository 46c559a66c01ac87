"""Recipes, and which pair gets which."""

import pytest

from specfair import config
from specfair.errors import UsageError
from specfair.training.recipe import NAMES, Recipe, as_words, recipe_of


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"max_steps": -1},
        {"warmup": 1},
        {"floor": 1.5},
        {"loss": "kl"},
        {"schedule": "step"},
        {"learning_rate": float("inf")},
        {"tau": float("nan")},
        {"batch_size": 0},
        {"accumulation": 0},
        {"block": 1},
        {"learning_rate": 0},
        {"checkpoints": -1},
    ],
)
def test_a_recipe_that_means_nothing_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(change))):
        Recipe(**change)  # type: ignore[arg-type]  # mypy does not follow the names


def test_settings_choose_the_recipe() -> None:
    shipped = config.Settings(seed=3, checkpoints=2).tuning
    assert (shipped.max_steps, shipped.seed, shipped.checkpoints) == (32, 3, 2)
    assert config.Settings(target="gpt2", draft="distilgpt2").tuning == Recipe()


def test_a_recipe_is_said_in_words_or_as_a_table() -> None:
    told = ("fairspec", "tau = 80", "gradient_checkpointing=true", "max_steps=7")
    table = {"name": "fairspec", "tau": 80, "gradient_checkpointing": True}
    found = recipe_of(told)
    assert found == recipe_of((*as_words(table), "max_steps=7"))
    assert (found.tau, found.models, found.loss) == (80.0, "draft", "half")
    assert recipe_of(told, small=True).batch_size == 40
    assert recipe_of(["fairspec", "loss=fkl"]).loss == "fkl"


def test_an_option_changes_some_keys_of_the_table() -> None:
    table = {"recipe": {"name": "distill", "loss": "rkl", "learning_rate": 1e-3}}
    settings = config.override(config.Settings(), table)
    found = config.override(settings, {"recipe": "fairspec,learning_rate=2e-3"})
    recipe = found.recipe_for("clm")
    assert (recipe.name, recipe.loss, recipe.learning_rate) == ("fairspec", "rkl", 2e-3)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "clm"])
def test_only_the_draft_learns_from_a_target(name: str) -> None:
    assert recipe_of([name]).roles == ("draft",)
    with pytest.raises(UsageError, match=r"models = 'both' does not fit .*models = 'd"):
        recipe_of([name, "models=both"])


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("fairspc", "unknown recipe 'fairspc'. Did you mean 'fairspec'"),
        ("taw=3", "unknown key of a recipe 'taw'. Did you mean 'tau'"),
        ("seed=3", "unknown key of a recipe 'seed'"),
        ("tau=much", "tau = 'much' is not a number"),
        ("lora=1.5", "lora = '1.5' is not a whole number"),
        ("gradient_checkpointing=2", "is not true or false"),
    ],
)
def test_a_mistake_is_named(said: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        config.override(config.Settings(), {"recipe": said})


def test_steps() -> None:
    recipe = recipe_of(["distill", "epochs=2", "batch_size=4", "accumulation=3"])
    assert recipe.n_steps(13) == 3
    assert recipe.n_steps(13, 2) == 2
    assert recipe_of(["distill", "max_steps=9"]).n_steps(13) == 9
