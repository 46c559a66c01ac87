"""One small audit that several modules' tests look at: measured once in each
process.
"""

from pathlib import Path

import pytest

from specfair import config
from specfair.audit.audit import Audit
from specfair.training.recipe import Recipe

SMALL = {
    "max_new_tokens": 8,
    "prompts_per_group": 6,
    "min_prompts": 6,
    "datasets": "imdb",
    "groups": "female,male,queer",
}


def small_audit(folder: Path, **changes: object) -> tuple[Audit, list[str]]:
    """An audit of three groups with two steps of fine-tuning, and what it said while
    working.
    """
    said: list[str] = []
    settings = config.override(
        config.Settings(), {**SMALL, "store": str(folder / "store"), **changes}
    )
    recipe = Recipe(
        max_steps=2,
        batch_size=2,
        accumulation=1,
        block=32,
        learning_rate=1e-3,
        checkpoints=settings.checkpoints,
    )
    return Audit(settings, said.append, recipe=recipe), said


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Before and after imdb."""
    made, _ = small_audit(tmp_path_factory.mktemp("audit"))
    _ = made.base, made.after("imdb")
    return made
