"""Fine-tuning on models of a few thousand weights: what is learned, what is written,
what is left alone.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from specfair.errors import DataError, ModelError, StoreError, UsageError
from specfair.models import pairs
from specfair.models.folders import Source, locate
from specfair.models.pairs import Pair
from specfair.store import digest
from specfair.texts.corpora import Corpus
from specfair.training.finetune import Recipe, Training, Tuned, due, pack, read, train

RECIPE = Recipe(max_steps=6, batch_size=4, accumulation=1, block=16, learning_rate=1e-2)
WORDS = ("north", "south", "house", "letter", "river", "garden", "window", "morning")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def unheard(*_: object) -> None:
    """Progress nobody looks at."""


def tune(
    pair: Pair,
    corpus: Corpus,
    recipe: Recipe,
    out: Path,
    progress: Callable[[str, int, int], None] | None = unheard,
) -> tuple[Tuned, Tuned]:
    """Both models, one after the other."""
    made = []
    for role in ("target", "draft"):
        heard = None if progress is None else partial(progress, role)
        train(Training(pair, role, corpus, recipe), out / role, heard)
        made.append(read(out / role))
    return made[0], made[1]


def tiny(seed: int, *, eos: int | None = 0, context: int = 64) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=2048,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=context,
            bos_token_id=None,
            eos_token_id=eos,
            pad_token_id=0,
            tie_word_embeddings=True,
        )
    )


@pytest.fixture
def pair() -> Pair:
    tokenizer = AutoTokenizer.from_pretrained(locate(Source("embedded"), "target"))
    return pairs.assemble(
        tiny(0), tiny(1), tokenizer, target_name="big", draft_name="small"
    )


@pytest.fixture
def corpus() -> Corpus:
    rng = random.Random(3)
    documents = [
        (
            f"The {rng.choice(WORDS)} and the {rng.choice(WORDS)} of the "
            f"{rng.choice(WORDS)}."
        )
        for _ in range(120)
    ]
    return Corpus(
        "walks",
        "walks, made up",
        synthetic=True,
        train=documents,
        heldout=documents[:2],
    )


def test_both_models_learn_and_load_again(
    pair: Pair, corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: list[tuple[str, int, int]] = []
    recipe = replace(RECIPE, max_steps=15)
    before = [pairs.fingerprint_model(model) for model in (pair.target, pair.draft)]
    target, draft = tune(
        pair, corpus, recipe, tmp_path / "tuned", lambda *at: steps.append(at)
    )

    assert steps == [
        (role, step, 15) for role in ("target", "draft") for step in range(1, 16)
    ]
    for losses in (target.losses, draft.losses):
        assert len(losses) == 15
        assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])

    again = pairs.load(str(target.model), str(draft.model), device="cpu")
    assert again.tokenizer_fingerprint == pair.tokenizer_fingerprint
    assert again.eos == pair.eos
    assert again.target.config.use_cache
    assert again.target.dtype == pair.target.dtype
    after = [pairs.fingerprint_model(model) for model in (again.target, again.draft)]
    assert not set(before) & set(after)
    assert before == [
        pairs.fingerprint_model(model) for model in (pair.target, pair.draft)
    ]
    assert not any(parameter.requires_grad for parameter in pair.target.parameters())

    assert sorted(path.name for path in (tmp_path / "tuned" / "draft").iterdir()) == [
        "model",
        "training.json",
    ]
    assert capsys.readouterr() == ("", "")


def test_the_trainers_bar_is_shown_where_nobody_asks_for_progress(
    pair: Pair, corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tune(pair, corpus, replace(RECIPE, max_steps=2), tmp_path / "tuned", None)
    shown = capsys.readouterr()
    assert "2/2" in shown.err
    assert "loss" not in shown.out + shown.err


def test_the_seed_decides(pair: Pair, corpus: Corpus, tmp_path: Path) -> None:
    weights = {}
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        torch.manual_seed(len(name))  # what the process did before must not matter
        tuned = tune(
            pair, corpus, replace(RECIPE, max_steps=3, seed=seed), tmp_path / name
        )
        weights[name] = [
            (one.model / "model.safetensors").read_bytes() for one in tuned
        ]
    assert weights["one"] == weights["again"]
    assert weights["one"][0] != weights["other"][0]
    assert weights["one"][1] != weights["other"][1]


def test_random_numbers_elsewhere_go_on_as_if_nothing_had_happened(
    pair: Pair, corpus: Corpus, tmp_path: Path
) -> None:
    def draws() -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), float(torch.rand(()))

    def seed() -> None:
        random.seed(1), np.random.seed(1), torch.manual_seed(1)

    seed()
    expected = draws()
    seed()
    tune(pair, corpus, replace(RECIPE, max_steps=1), tmp_path / "tuned")
    assert draws() == expected


def test_a_key_holds_all_that_the_weights_depend_on(pair: Pair, corpus: Corpus) -> None:
    first = Training(pair, "target", corpus, RECIPE)
    half = replace(pair, target=tiny(0).bfloat16())
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
        replace(first, pair=half),
        replace(first, pair=replace(pair, tokenizer_fingerprint="x")),
        replace(
            first, pair=pairs.assemble(tiny(0, context=32), tiny(1), pair.tokenizer)
        ),
        replace(first, pair=pairs.assemble(tiny(0, eos=None), tiny(1), pair.tokenizer)),
        *(replace(first, recipe=recipe) for recipe in recipes),
    ]
    names = [digest(training.key) for training in (first, *others)]
    assert len(set(names)) == len(names)
    another_draft = replace(
        first, pair=replace(pair, draft=tiny(2), draft_fingerprint="y")
    )
    assert digest(another_draft.key) == names[0]


def test_a_disk_that_is_full_is_an_error_of_the_system(
    pair: Pair, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer of weights has errors of its own; whoever keeps the folder must
    recognise them.
    """
    monkeypatch.setattr(
        pair.tokenizer,
        "save_pretrained",
        lambda _: (_ for _ in ()).throw(RuntimeError("os error 28")),
    )
    with pytest.raises(OSError, match="os error 28"):
        tune(pair, corpus, replace(RECIPE, max_steps=1), tmp_path / "tuned")


def test_checkpoints_along_the_way(pair: Pair, corpus: Corpus, tmp_path: Path) -> None:
    target, draft = tune(
        pair, corpus, replace(RECIPE, checkpoints=2), tmp_path / "tuned"
    )
    assert list(target.checkpoints) == list(draft.checkpoints) == [2, 4]
    folders = zip(
        *([*one.checkpoints.values(), one.model] for one in (target, draft)),
        strict=True,
    )
    course = [pairs.load(str(a), str(b), device="cpu") for a, b in folders]
    assert len({p.target_fingerprint for p in course}) == 3
    assert len({p.draft_fingerprint for p in course}) == 3


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
        read(tmp_path)


def test_a_loss_that_is_no_number_is_named(
    pair: Pair, corpus: Corpus, tmp_path: Path
) -> None:
    with torch.no_grad():
        pair.draft.model.norm.weight.fill_(float("nan"))
    with pytest.raises(
        ModelError,
        match=r"'small' on 'walks': the loss is nan at step 1.*Lower the learning rate",
    ):
        tune(pair, corpus, RECIPE, tmp_path / "tuned")
    assert not (tmp_path / "tuned" / "draft" / "model").exists()


def test_a_corpus_too_small_for_a_block_is_refused(
    pair: Pair, corpus: Corpus, tmp_path: Path
) -> None:
    with pytest.raises(
        DataError, match=r"'walks' has .* tokens to train on; a block takes 16"
    ):
        tune(pair, replace(corpus, train=["Short."]), RECIPE, tmp_path / "tuned")


def test_blocks_are_the_documents_one_after_the_other(
    pair: Pair, corpus: Corpus
) -> None:
    blocks = pack(pair, corpus, Recipe(block=16))
    flat = blocks.flatten().tolist()
    ends = [i for i, token in enumerate(flat) if token == 0]
    documents = [
        pair.tokenizer.decode(flat[a + 1 : b])
        for a, b in zip([-1, *ends], ends, strict=False)
    ]
    assert len(documents) >= 118  # a last one may be cut off with the incomplete block
    assert set(documents) <= set(corpus.train)
    assert documents != list(corpus.train[: len(documents)])


def test_no_more_documents_are_read_than_steps_need(pair: Pair, corpus: Corpus) -> None:
    many = replace(corpus, train=list(corpus.train) * 30)
    few, everything = (
        pack(pair, many, RECIPE),
        pack(pair, many, replace(RECIPE, max_steps=None)),
    )
    assert few.shape == (24, 16)
    np.testing.assert_array_equal(few, everything[:24])


def test_blocks_fit_the_models(pair: Pair, corpus: Corpus) -> None:
    short = pairs.assemble(tiny(0, context=32), tiny(1), pair.tokenizer)
    assert pack(short, corpus, Recipe(block=512)).shape[1] == 32


def test_models_without_an_end_of_text_get_none(pair: Pair, corpus: Corpus) -> None:
    endless = pairs.assemble(tiny(0, eos=None), tiny(1, eos=None), pair.tokenizer)
    assert 0 not in pack(endless, corpus, Recipe(block=16))


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
