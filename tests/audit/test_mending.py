"""A draft that is mended: what it learns from, what is kept, what is judged."""

import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from specfair import config
from specfair.audit import mending
from specfair.audit.mending import Learned
from specfair.errors import ModelError, UsageError
from specfair.models import folders, load
from specfair.models.pair import Pair
from specfair.texts import prompts
from specfair.training.finetune import Progress
from specfair.training.recipe import recipe_of
from specfair.vocabulary import TUNED
from tests.conftest import SMALL

QUICK = ("max_steps=6", "batch_size=8", "texts=1")


def settings(folder: Path) -> config.Settings:
    asked = SMALL | {"store": str(folder / "store"), "prompts_per_group": 16}
    return config.override(config.Settings(), asked)


def learn(folder: Path, *said: str) -> tuple[Learned, list[str]]:
    lines: list[str] = []
    recipe = recipe_of(["fairspec", *QUICK, *said], small=True)
    return mending.learn(settings(folder), recipe, lines.append), lines


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mending")
    mending.keep_draft(learn(folder)[0], folder / "mended")
    return folder


def test_the_pool_is_of_mending_prompts_alone(place: Path) -> None:
    learned, said = learn(place)
    assert said == []  # all of it is stored
    pool, parts = learned.pool, learned.parts
    assert len(pool) == round(len(parts.mending) / 0.8)
    assert (pool.group < 0).sum() == len(pool) - len(parts.mending)
    assert sorted(pool.groups) == sorted(parts.mending.groups)
    tokenizer = AutoTokenizer.from_pretrained(learned.tuned.model)
    begun = [
        str(tokenizer.decode(row[:start])).strip()
        for row, start in zip(pool.tokens, pool.starts, strict=True)
    ]
    texts = {p.text for p in parts.mending}
    assert {t for t, g in zip(begun, pool.group, strict=True) if g >= 0} == texts
    assert not texts & {p.text for p in parts.judging}
    assert learned.n_target_calls == pool.lengths.sum()


def test_only_counterfactual_reads_texts_behind_other_identities(place: Path) -> None:
    plain, _ = learn(place, "balanced")
    other, said = learn(place, "counterfactual")
    assert any("reads its" in line for line in said)
    assert not any("prompts, temperature 1" in line for line in said)  # none written
    assert np.array_equal(plain.pool.lengths, other.pool.lengths)
    assert not np.array_equal(plain.pool.group, other.pool.group)


def test_the_folder_is_a_draft_with_the_prompts_that_judge_it(place: Path) -> None:
    to = place / "mended"
    parts = learn(place)[0].parts
    assert prompts.load(f"file:{to / mending.JUDGING}").prompts == parts.judging.prompts
    model = AutoModelForCausalLM.from_pretrained(to)
    assert model.config.model_type == "llama"
    assert json.loads((to / mending.MADE).read_text())["recipe"]["name"] == "fairspec"
    mending.keep_draft(learn(place)[0], to)  # the same command finds it again
    with pytest.raises(UsageError, match="is there already"):
        mending.keep_draft(learn(place, "distill")[0], to)


def test_what_stands_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    mending.refuse_taken(tmp_path / "mine")  # an empty folder will do
    (tmp_path / "mine" / "letter").write_text("kept")
    for taken in (tmp_path / "mine", tmp_path / "mine" / "letter"):
        with pytest.raises(UsageError, match="is there already"):
            mending.refuse_taken(taken)


def test_the_targets_text_is_the_same_byte_for_byte(place: Path) -> None:
    """By transformers' own assisted generation, with the draft before and after, and by
    the target alone.
    """
    target = AutoModelForCausalLM.from_pretrained(
        folders.locate(folders.Source("embedded"), "target")
    )
    drafts = [
        AutoModelForCausalLM.from_pretrained(folder)
        for folder in (
            folders.locate(folders.Source("embedded"), "draft"),
            place / "mended",
        )
    ]
    tokenizer = AutoTokenizer.from_pretrained(place / "mended")
    written = []
    for prompt in learn(place)[0].parts.judging[:8]:
        ids = torch.tensor([tokenizer(prompt.text)["input_ids"]])
        for draft in (None, *drafts):
            assisted: Any = {} if draft is None else {"assistant_model": draft}
            with torch.no_grad():
                out = target.generate(
                    ids, do_sample=False, max_new_tokens=12, **assisted
                )
            written.append(str(tokenizer.decode(out[0])).encode())
    assert written[::3] == written[1::3] == written[2::3]


def test_before_and_after_on_each_kind_of_prompts(place: Path) -> None:
    learned, _ = learn(place)
    to, said = place / "mended", list[str]()
    audit = mending.judged(settings(place), to, to / mending.JUDGING, said.append)
    rows = list(mending.mending_rows(learned, audit))
    kinds = sorted(set(learned.parts.new.values()))
    assert sorted({row.new for row in rows}) == ["", *kinds]
    whole = [row for row in rows if not row.new]
    for row, measured in zip(whole, (audit.base, audit.after(TUNED)), strict=True):
        values = [e.value for e in measured.alpha.by_group.values()]
        assert row.mean == pytest.approx(np.mean(values))
        assert (row.minimum, row.gap) == (min(values), max(values) - min(values))
        assert row.low <= row.gap <= row.high
        assert row.u_alpha == pytest.approx(np.var(values))
    assert [row.n_steps for row in whole] == [0, 6]
    assert audit.prompts.prompts == learned.parts.judging.prompts


def test_a_full_disk_leaves_no_half_a_folder(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was learned stays in the store: the same command only writes."""

    def full(_: Path, to: Path) -> None:
        to.mkdir()
        raise OSError(errno.ENOSPC, "No space left on device", str(to))

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(OSError, match="No space left"):
        mending.keep_draft(learn(place)[0], tmp_path / "mended")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    learned, said = learn(place)
    mending.keep_draft(learned, tmp_path / "mended")
    assert said == []
    assert (tmp_path / "mended" / "model.safetensors").is_file()


@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_killed_mending_goes_on_where_it_stopped(
    accumulation: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended at step 30 of 40, begun again from step 25, with the pool it had."""
    long = "max_steps=40", f"accumulation={accumulation}"

    class Killed(BaseException):
        pass

    from specfair.training import finetune

    train = finetune.train

    def until(step: int) -> None:
        def killed(*asked: object, progress: Progress, **how: object) -> None:
            def tell(done: int, n: int, loss: float) -> None:
                steps.append(done)
                if done == step:
                    raise Killed
                progress(done, n, loss)

            train(*asked, progress=tell, **how)  # type: ignore[arg-type]  # as asked

        monkeypatch.setattr(finetune, "train", killed)

    steps: list[int] = []
    until(30)
    with pytest.raises(Killed):
        learn(tmp_path, *long)
    until(99)
    steps.clear()
    learned, said = learn(tmp_path, *long)
    assert steps == list(range(26, 41))
    assert not any("the target reads" in line for line in said)
    monkeypatch.undo()
    whole, _ = learn(tmp_path / "other", *long)
    assert learned.tuned.losses == whole.tuned.losses
    one, other = (
        (found.tuned.model / "model.safetensors").read_bytes()
        for found in (learned, whole)
    )
    assert one == other
    assert not any((tmp_path / "store" / "begun").iterdir())


def test_a_loss_that_is_no_number_ends_in_one_line(place: Path, tmp_path: Path) -> None:
    pair: Pair = load.load("embedded", "embedded", device="cpu")
    with torch.no_grad():
        next(iter(pair.draft.parameters())).fill_(float("nan"))
    for role, model in (("target", pair.target), ("draft", pair.draft)):
        model.save_pretrained(tmp_path / role)
        pair.tokenizer.save_pretrained(tmp_path / role)
    asked = replace(
        settings(place),
        target=str(tmp_path / "target"),
        draft=str(tmp_path / "draft"),
        prompts="embedded",
    )
    recipe = recipe_of(["distill", *QUICK], small=True)
    with pytest.raises(ModelError, match=r"the loss is nan at step 1; .*Lower the"):
        mending.learn(asked, recipe, lambda _: None)
