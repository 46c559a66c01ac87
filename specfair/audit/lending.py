"""Which pair a stage is, and its loan: the pair is opened if it is called for, and
closed when the loan ends.

Knows settings, what the store remembers of pairs, and how a tuned pair comes about. It
does not know what a pair is called for.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from specfair.audit.values import remembered
from specfair.config import Settings
from specfair.models.identity import (
    Choice,
    Identity,
    Loading,
    refuse_another,
    versions,
)
from specfair.store import Store
from specfair.texts import corpora
from specfair.training.recipe import Recipe
from specfair.training.tuned import ROLES, Training, Tuned
from specfair.vocabulary import BASE, Stage

if TYPE_CHECKING:
    from specfair.audit.work import Work

Say = Callable[[str], None]


class MissingError(Exception):
    """A pair would have to be opened, and nobody wants that now."""


def open_pair(choice: Choice, *, tiny: bool) -> AbstractContextManager["Work"]:
    """The one door behind which models are: nothing before it loads torch."""
    from specfair.audit.work import at_work

    return at_work(choice, tiny=tiny)


@dataclass(slots=True)
class Loan:
    """A stage's pair on loan."""

    stage: Stage
    choice: Choice
    store: Store
    opening: Callable[[Choice], AbstractContextManager["Work"]]
    closing: ExitStack
    _work: "Work | None" = None
    _identity: Identity | None = None

    def work(self) -> "Work":
        """The pair, opened by now."""
        if self._work is None:
            self._work = self.closing.enter_context(self.opening(self.choice))
            if self._identity is not None:
                place = self.store.path("pairs", self.choice.key)
                refuse_another(self._identity, self._work.pair.identity, place)
        return self._work

    @property
    def identity(self) -> Identity:
        """Which pair it is: remembered, or asked of the pair once it is open."""
        if self._identity is None:
            self._identity = remembered(
                self.store,
                "pairs",
                self.choice.key,
                make=lambda: self.work().pair.identity.kept,
                read=lambda plain: Identity.of(plain, self.choice.names),
            )
        return self._identity

    def end(self) -> None:
        """Let go of the models."""
        self._work = None


@dataclass(slots=True)
class Lender:
    """The pairs of an audit. With `closed` set, opening any is refused."""

    settings: Settings
    store: Store
    say: Say
    recipe: Recipe
    closed: bool = False
    _choices: dict[Stage, Choice] = field(default_factory=dict)
    _tuned: dict[str, tuple[Tuned, ...]] = field(default_factory=dict)

    @contextmanager
    def lent(self, stage: Stage) -> Iterator[Loan]:
        """A stage's pair, for as long as the block takes."""
        choice = self.choice(stage)
        with ExitStack() as closing:
            loan = Loan(stage, choice, self.store, self._open, closing)
            try:
                yield loan
            finally:
                loan.end()

    def _open(self, choice: Choice) -> AbstractContextManager["Work"]:
        if self.closed:
            raise MissingError
        return open_pair(choice, tiny=self.settings.embedded)

    def choice(self, stage: Stage) -> Choice:
        """The models of a stage; those that have to be tuned first are tuned."""
        if stage not in self._choices:
            asked = self.settings
            loading = Loading(
                asked.allow_pickle, asked.device_map or None, asked.truncate
            )
            self._choices[stage] = Choice(
                *self._models(stage),
                names=self._names(stage),
                device=asked.device,
                dtype=asked.dtype,
                loading=loading,
            )
        return self._choices[stage]

    def _models(self, stage: Stage) -> tuple[str, str]:
        at = self.settings.located
        if not stage.tuned:
            return at.target, at.draft
        if at.ready_made:
            return at.tuned_target or at.target, at.tuned_draft or at.draft
        tunings = self.tunings(stage.dataset)
        if stage.step is None:
            target, draft = (one.model for one in tunings)
        else:
            target, draft = (one.checkpoints[stage.step] for one in tunings)
        return str(target), str(draft)

    def _names(self, stage: Stage) -> tuple[str, str]:
        asked = self.settings.shown
        if not stage.tuned:
            return asked.target, asked.draft
        if asked.ready_made:
            return asked.tuned_target or asked.target, asked.tuned_draft or asked.draft
        how = stage.dataset
        if stage.step is not None:
            how += f" at step {stage.step}"
        return f"{asked.target} + {how}", f"{asked.draft} + {how}"

    def tunings(self, dataset: str) -> tuple[Tuned, ...]:
        """The target and the draft after the dataset, each stored by itself: what is
        finished is never made again.
        """
        if dataset not in self._tuned:
            corpus = self.corpus(dataset)
            with self.lent(BASE) as loan:
                trainings = [
                    Training(loan.identity, role, corpus, self.recipe) for role in ROLES
                ]
                self._tuned[dataset] = tuple(
                    self._trained(training, loan) for training in trainings
                )
        return self._tuned[dataset]

    def _trained(self, training: Training, loan: Loan) -> Tuned:
        what = f"fine-tuning the {training.role} on {training.corpus.source}"

        def progress(step: int, n_steps: int) -> None:
            if step % max(1, n_steps // 4) == 0:
                self.say(f"{what}: step {step} of {n_steps}")

        return self.store.get_or_make(
            "tuned",
            training.key | versions(),
            make=lambda folder: loan.work().train(training, folder, progress),
            read=Tuned.read,
        )

    def corpus(self, dataset: str) -> corpora.Corpus:
        located = self.settings.located
        source = located.corpora_source
        place = Path(source) / dataset if Path(source).is_dir() else source
        return corpora.load(located.dataset(dataset), str(place))
