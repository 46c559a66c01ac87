"""What a training's weights depend on, and what it leaves."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from specfair.errors import StoreError
from specfair.models import load
from specfair.models.pair import Pair
from specfair.store import digest
from specfair.texts.corpora import Corpus
from specfair.training.recipe import Recipe
from specfair.training.tuned import Training, Tuned, due
from tests.training.conftest import RECIPE, tiny


@pytest.mark.parametrize(
    ("n_steps", "n", "steps"),
    [
        (40, 3, [10, 20, 30]),
        (10, 0, []),
        (2, 1, [1]),
        (1, 3, []),
        (3, 9, [1, 2]),
    ],
)
def test_checkpoints_are_evenly_spaced(n_steps: int, n: int, steps: list[int]) -> None:
    assert due(n_steps, n) == steps


@pytest.mark.parametrize(
    "content", [None, "{", "[]", "{}", '{"losses": 1}', '{"losses": ["a"]}']
)
def test_a_damaged_folder_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "training.json").write_text(content)
    with pytest.raises(StoreError, match=r"tuned model .* cannot be read"):
        Tuned.read(tmp_path)


def test_a_key_holds_all_that_the_weights_depend_on(pair: Pair, corpus: Corpus) -> None:
    first = Training(pair.identity, "target", corpus, RECIPE)
    half = replace(pair, target=tiny(0).bfloat16())
    short = load.assemble(tiny(0, context=32), tiny(1), pair.tokenizer)
    endless = load.assemble(tiny(0, eos=None), tiny(1), pair.tokenizer)
    changed: dict[str, object] = {
        "epochs": 2.0,
        "max_steps": 9,
        "batch_size": 9,
        "accumulation": 9,
        "block": 9,
        "learning_rate": 9.0,
        "schedule": "linear",
        "seed": 9,
        "checkpoints": 9,
    }
    assert set(changed) == {f.name for f in fields(Recipe)}
    recipes = [replace(RECIPE, **{name: value}) for name, value in changed.items()]  # type: ignore[arg-type]  # as above
    others = [
        replace(first, role="draft"),
        replace(first, corpus=replace(corpus, train=corpus.train[1:])),
        replace(first, pair=half.identity),
        replace(first, pair=replace(pair, tokenizer_fingerprint="x").identity),
        replace(first, pair=short.identity),
        replace(first, pair=endless.identity),
        *(replace(first, recipe=recipe) for recipe in recipes),
    ]
    names = [digest(training.key) for training in (first, *others)]
    assert len(set(names)) == len(names)
    another_draft = replace(
        first, pair=replace(pair, draft=tiny(2), draft_fingerprint="y").identity
    )
    assert digest(another_draft.key) == names[0]
