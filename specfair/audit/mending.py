"""Mending a draft: a pool of the target's texts, a training, and a judgement on prompts
that had no part in it.

Knows what is learned from what, and what a reader wants to know of it. Only the draft
changes: the target, and so every text, stays as it was. Does not know how it is said.
"""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from specfair.audit import tracing
from specfair.audit.audit import Audit
from specfair.audit.chosen import prompt_set
from specfair.audit.lending import Lender, Loan, Say
from specfair.config import Settings
from specfair.decoding import Decoding
from specfair.errors import UsageError
from specfair.models.identity import versions
from specfair.run.mended import MendingRow
from specfair.store import Store, digest
from specfair.texts.prompts import Prompt, PromptSet
from specfair.texts.prompts.parts import NEW, Parts, as_lines, in_parts, swapped
from specfair.traces.causes import unfairness
from specfair.traces.measured import Measured
from specfair.training.pool import N_TOP, Pool
from specfair.training.recipe import Recipe
from specfair.training.tuned import Training, Tuned
from specfair.vocabulary import BASE, TUNED, Stage

JUDGING = "judging.jsonl"  # in the folder of a mended draft: prompts it never saw
MADE = "mended.json"  # likewise: how it was made
METRIC = "alpha"


@dataclass(frozen=True, slots=True)
class Learned:
    """A draft after a recipe, and what that took."""

    training: Training
    tuned: Tuned
    parts: Parts
    seconds: float  # of this call: little, where the store had it

    @property
    def pool(self) -> Pool:
        texts = self.training.corpus
        assert isinstance(texts, Pool)  # as `learn` made it
        return texts

    @property
    def n_target_calls(self) -> int:
        """Tokens that the target wrote, one call each."""
        return int(self.pool.lengths.sum())


def learn(settings: Settings, recipe: Recipe, say: Say) -> Learned:
    """Let the draft learn; what the store has of pool and training is not made
    again.
    """
    began, parts = time.monotonic(), in_parts(prompt_set(settings))
    store = Store(Path(settings.store), say)
    lender = Lender(settings, store, say, recipe)
    with lender.lent(BASE) as loan:
        pool = _pool(
            loan, parts.mending, recipe, n_new=settings.max_new_tokens, say=say
        )
        training = Training(loan.identity, "draft", pool, recipe)
        tuned = lender.trained(training, loan)
    return Learned(training, tuned, parts, time.monotonic() - began)


def _pool(
    loan: Loan, mending: PromptSet, recipe: Recipe, *, n_new: int, say: Say
) -> Pool:
    """The target's own texts at temperature 1, several after each prompt and some after
    none; of one seed the same whatever the recipe.
    """
    several = [
        replace(p, id=f"{p.id}#{k}") for k in range(recipe.texts) for p in mending
    ]
    n_rest = round(len(several) * recipe.general / (1 - recipe.general))
    several += [Prompt(f"nobody#{k}", "", "", "", "") for k in range(n_rest)]
    asked = PromptSet(
        mending.name,
        tuple(several),
        crossed=False,
        synthetic=mending.synthetic,
        licence=mending.licence,
        sentence="",
    )
    decoding = Decoding(n_new, temperature=1.0, seed=recipe.seed)
    writer = tracing.Writer(loan.identity, decoding, loan.work, at_once=loan.at_once)
    behind: Sequence[Prompt] = several
    if recipe.name == "counterfactual":
        behind = swapped(several, recipe.seed)
    key = tracing.key_of(writer.pair, writer.decoding) | {
        "prompts": asked.fingerprint,
        "behind": digest({"texts": [p.text for p in behind]}),
        "n_top": N_TOP,
    }

    def make(path: Path) -> None:
        trace = tracing.traced(loan.store, writer, asked, say)
        say(f"the target reads its {len(several):,} texts once, to be learned from")
        loan.work().taught(trace, behind).save(path)

    return loan.store.get_or_make("pools", key | versions(), make=make, read=Pool.read)


def keep_draft(learned: Learned, to: Path) -> None:
    """The draft's folder, whole or not at all, with the prompts to judge it by."""
    made = {"training": digest(learned.training.key)}
    if (to / MADE).is_file():
        there = json.loads((to / MADE).read_text("utf-8"))
        if there["training"] == made["training"]:
            return
    refuse_taken(to, anew=True)
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f".{to.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        shutil.copytree(learned.tuned.model, part)
        (part / JUDGING).write_text(as_lines(learned.parts.judging), "utf-8")
        about = made | {"recipe": asdict(learned.training.recipe)}
        (part / MADE).write_text(json.dumps(about, indent=1), "utf-8")
        if to.is_dir():
            to.rmdir()  # it is empty
        part.rename(to)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def refuse_taken(to: Path, *, anew: bool = False) -> None:
    """What stands there already is nobody's to replace; what the same command left is
    found again.
    """
    there = to.exists() and (not to.is_dir() or any(to.iterdir()))
    if there and (anew or not (to / MADE).is_file()):
        raise UsageError(
            f"{str(to)!r} is there already; a mended draft takes a folder of its own. "
            "Name another with --out, or remove it."
        )


def judged(settings: Settings, draft: Path, prompts: Path, say: Say) -> Audit:
    """The pair before and after, on prompts that had no part in mending."""
    asked = replace(
        settings,
        tuned_draft=str(draft.absolute()),
        prompts=f"file:{prompts.absolute()}",
        prompts_per_group=0,
        min_prompts=1,
        groups=(),
        datasets=(),
    )
    return Audit(asked, say)


def mending_rows(learned: Learned, audit: Audit) -> Iterator[MendingRow]:
    """Before and after, on each kind of prompts that judge and on all of them."""
    recipe, pool = learned.training.recipe, learned.pool
    for new in ("", *NEW):
        if new and new not in learned.parts.new.values():
            continue
        names = (("the draft as it was", BASE), (recipe.name, Stage(TUNED)))
        for name, stage in names:
            after = stage.tuned
            yield MendingRow(
                recipe=name,
                new=new,
                decoding=str(audit.settings.decoding),
                **figures(part_of(audit.measured(stage), learned.parts, new)),
                n_steps=learned.tuned.n_steps if after else 0,
                n_texts=len(pool) if after else 0,
                n_target_calls=learned.n_target_calls if after else 0,
                seconds=learned.seconds if after else 0.0,
            )


def part_of(measured: Measured, parts: Parts, new: str) -> Measured:
    """The same, of the prompts in which this is new."""
    if not new:
        return measured
    kept = np.array([parts.new[p.id] == new for p in measured.trace.prompts])
    return Measured(
        measured.trace.select(kept), measured.lookahead, scope=measured.scope
    )


def figures(measured: Measured) -> dict[str, Any]:
    """Mean, minimum, gap and ratio over groups, and the three variances."""
    groups = measured.groups(METRIC)
    values = {g: e.value for g, e in groups.by_group.items()}
    gap, least = groups.difference(), min(values, key=lambda g: values[g])
    spread = unfairness(measured.trace)
    return {
        "mean": float(np.mean(list(values.values()))),
        "minimum": values[least],
        "lowest_group": least,
        "gap": gap.value,
        "low": gap.low,
        "high": gap.high,
        "ratio": values[least] / max(values.values()),
        "u_cross_entropy": spread["cross_entropy"],
        "u_kl": spread["kl"],
        "u_alpha": spread["alpha"],
    }
