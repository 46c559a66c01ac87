"""Which pair a stage is, and its loan: the pair is opened if it is called for, and
closed when the loan ends.

Knows settings, what the store remembers of pairs, and how a tuned pair comes about. It
does not know what a pair is called for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING

from specfair import workers
from specfair.audit.crew import Crew
from specfair.audit.pace import Pace
from specfair.audit.portions import side_by_side
from specfair.audit.values import remembered
from specfair.config import Settings
from specfair.models.identity import (
    Choice,
    Identity,
    Loading,
    refuse_another,
    versions,
)
from specfair.models.kinds import kind_of
from specfair.store import Store
from specfair.texts import corpora
from specfair.training.recipe import Recipe
from specfair.training.tuned import Training, Tuned
from specfair.vocabulary import Stage, steps_to
from specfair.workers import Hired

if TYPE_CHECKING:
    from specfair.audit.work import Work
    from specfair.engine.readers import Read

Say = Callable[[str], None]


class MissingError(Exception):
    """A pair would have to be opened, and nobody wants that now."""


def _door() -> ModuleType:
    """The one behind which models are: nothing before it loads torch."""
    from specfair.audit import work

    return work


def open_pair(choice: Choice, *, tiny: bool) -> AbstractContextManager["Work"]:
    """Its models, for as long as they are needed."""
    opened: AbstractContextManager[Work] = _door().at_work(choice, tiny=tiny)
    return opened


@dataclass(slots=True)
class Loan:
    """A stage's pair on loan."""

    stage: Stage
    choice: Choice
    store: Store
    opening: Callable[[Choice], AbstractContextManager["Work"]]
    closing: ExitStack
    at_once: Callable[[], int] = lambda: 1  # portions that can be in work
    lock: Lock = field(default_factory=Lock)  # several threads may call for it
    _work: "Work | None" = None
    _identity: Identity | None = None

    def work(self) -> "Work":
        """The pair, opened by now."""
        with self.lock:
            if self._work is None:
                self._work = self.closing.enter_context(self.opening(self.choice))
                if self._identity is not None:
                    place = self.store.path("pairs", self.choice.key)
                    refuse_another(self._identity, self._work.identity, place)
            return self._work

    @property
    def identity(self) -> Identity:
        """Which pair it is: remembered, or asked of the pair once it is open."""
        if self._identity is None:
            self._identity = remembered(
                self.store,
                "pairs",
                self.choice.key,
                make=lambda: self.work().identity.kept,
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
    _tuned: dict[str, Mapping[str, Tuned]] = field(default_factory=dict)
    _crew: Crew | None = None

    def __post_init__(self) -> None:
        hired = Hired.of(self.settings.workers)
        if hired:
            opening = partial(open_pair, tiny=self.settings.embedded)
            self._crew = Crew(hired, opening, self.say)

    def _at_once(self) -> int:
        """How many portions can be in work: where others work, one more than they are,
        so that none of them waits for what it did to be stored.
        """
        return self._crew.n + 1 if self._crew and not self.closed else 1

    def each(self, jobs: Sequence[Callable[[], object]]) -> None:
        """Do all of these; where others do the work, side by side."""
        with self._crew.at_work() if self._crew else nullcontext():
            side_by_side(jobs, max(1, len(jobs)) if self._crew else 1)

    @contextmanager
    def lent(self, stage: Stage) -> Iterator[Loan]:
        """A stage's pair, for as long as the block takes."""
        choice = self.choice(stage)
        with ExitStack() as closing:
            loan = Loan(
                stage, choice, self.store, self._open, closing, at_once=self._at_once
            )
            try:
                yield loan
            finally:
                loan.end()

    def _open(self, choice: Choice) -> AbstractContextManager["Work"]:
        if self.closed:
            raise MissingError
        if self._crew:
            return self._crew.opened(choice)
        return open_pair(choice, tiny=self.settings.embedded)

    def reader(self, how: str, name: str) -> AbstractContextManager["Read"]:
        """A third model that reads texts."""
        if self.closed:
            raise MissingError
        opened: AbstractContextManager[Read] = _door().reading(
            how, name, self.settings.device, dtype=self.settings.dtype
        )
        return opened

    def choice(self, stage: Stage) -> Choice:
        """The models of a stage; those that have to be tuned first are tuned."""
        if stage not in self._choices:
            asked = self.settings
            loading = Loading(
                asked.allow_pickle,
                asked.device_map or None,
                asked.truncate,
                asked.first_choice,
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
        given = self.settings.located
        if not stage.tuned:
            return given.target, given.draft
        if given.ready_made:
            return given.tuned_target or given.target, given.tuned_draft or given.draft
        before, _ = steps_to(stage.dataset)
        start = self._models(Stage(before))
        models = dict(zip(("target", "draft"), start, strict=True))
        for role, tuned in self.tunings(stage.dataset).items():
            at = tuned.model if stage.step is None else tuned.checkpoints[stage.step]
            models[role] = str(at)
        return models["target"], models["draft"]

    def _names(self, stage: Stage) -> tuple[str, str]:
        asked = self.settings.shown
        if not stage.tuned:
            return asked.target, asked.draft
        if asked.ready_made:
            return asked.tuned_target or asked.target, asked.tuned_draft or asked.draft
        how = stage.dataset
        if stage.step is not None:
            how += f" at step {stage.step}"
        given = {"target": asked.target, "draft": asked.draft}
        tuned = {role: f"{given[role]} + {how}" for role in self._roles}
        return tuned.get("target", asked.target), tuned.get("draft", asked.draft)

    @property
    def _roles(self) -> tuple[str, ...]:
        """Whose weights are tuned: a draft without its own follows the target's."""
        own = kind_of(self.settings.located.draft).of_files
        return tuple(role for role in self.recipe.roles if own or role == "target")

    def tunings(self, dataset: str) -> Mapping[str, Tuned]:
        """The models that are tuned on the dataset, by role, each stored by itself:
        what is finished is never made again. A dataset such as sst2->imdb starts from
        the pair after sst2.
        """
        if dataset not in self._tuned:
            corpus, (before, _) = self.corpus(dataset), steps_to(dataset)
            with self.lent(Stage(before)) as loan:
                self._tuned[dataset] = {
                    role: self.trained(
                        Training(loan.identity, role, corpus, self.recipe), loan
                    )
                    for role in self._roles
                }
        return self._tuned[dataset]

    def trained(self, training: Training, loan: Loan) -> Tuned:
        """One model after one training, from the store if it is there. A killed
        training goes on from the Trainer's last checkpoint.
        """
        what = f"fine-tuning the {training.role} on {training.source}"
        pace, key = Pace(), training.key | versions()

        def progress(step: int, n_steps: int, loss: float) -> None:
            left = pace.left(step, n_steps)
            if step % max(1, n_steps // 4) == 0:
                self.say(f"{what}: step {step} of {n_steps}, loss {loss:.3f}, {left}")

        def make(folder: Path) -> None:
            place = self.store.path("begun", key)
            loan.work().train(training, folder, progress=progress, resume=place)

        # of processes that train together the first has the lock, and needs the others
        # at its side
        aside = workers.together() and workers.here().nth
        if aside and not self.store.path("tuned", key).exists():
            with TemporaryDirectory() as folder:
                make(Path(folder, "aside"))
        return self.store.get_or_make("tuned", key, make=make, read=Tuned.read)

    def corpus(self, dataset: str) -> corpora.Corpus:
        """The dataset, of several in turn the last."""
        located, (_, last) = self.settings.located, steps_to(dataset)
        source = located.corpora_source
        place = Path(source) / last if Path(source).is_dir() else source
        return corpora.load(located.dataset(last), str(place))
