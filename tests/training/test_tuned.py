"""What a training's weights depend on, and what it leaves."""

from dataclasses import Field, fields, replace
from pathlib import Path

import pytest

from specfair.errors import StoreError, UsageError
from specfair.models import load
from specfair.models.pair import Pair
from specfair.store import digest
from specfair.texts.corpora import Corpus
from specfair.training.recipe import Recipe, recipe_of
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
    first = Training(pair.identity, "target", corpus, replace(RECIPE, models="both"))
    half = replace(pair, target=tiny(0).bfloat16())
    short = load.assemble(tiny(0, context=32), tiny(1), pair.tokenizer)
    endless = load.assemble(tiny(0, eos=None), tiny(1), pair.tokenizer)
    changed = {f.name: _another(f) for f in fields(Recipe)} | {"name": "distill"}
    recipes = [
        replace(RECIPE, **{"models": "draft", name: value})  # type: ignore[arg-type]  # as they are named
        for name, value in changed.items()
    ]
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


def _another(key: Field) -> object:
    """A value that the usual recipe does not have there."""
    if isinstance(key.default, str):
        return next(c for c in key.metadata["choices"] if c != key.default)
    return (
        True if key.default is False else 0.5 if isinstance(key.default, float) else 9
    )


def test_a_draft_that_learns_depends_on_its_teacher(pair: Pair, corpus: Corpus) -> None:
    other = replace(pair, target_fingerprint="z").identity
    for name, same in (("clm", True), ("distill", False)):
        recipe = replace(RECIPE, name=name, models="draft")
        ours, theirs = (
            Training(who, "draft", corpus, recipe).key for who in (pair.identity, other)
        )
        assert (ours == theirs) is same


def test_a_corpus_has_no_groups(pair: Pair, corpus: Corpus) -> None:
    recipe = recipe_of(["fairspec"])
    with pytest.raises(UsageError, match=r"'fairspec' needs groups, .*specfair mend"):
        Training(pair.identity, "draft", corpus, recipe)
