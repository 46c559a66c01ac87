"""The stages of an audit, each measured from the store: what its pair wrote, whether
live decoding agrees, how long it took.

Knows what a question about a stage depends on. A pair is opened where something is
missing and closed after; a stage that is stored whole opens none and loads no torch.
Does not know metrics, bounds or pages.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from specfair.audit import claimed, serving, tracing
from specfair.audit.chosen import prompt_set, traced_set
from specfair.audit.found import REWRITTEN, Found
from specfair.audit.lending import Lender, Loan, MissingError, Say
from specfair.audit.served import Served
from specfair.audit.values import remembered
from specfair.audit.written import scored
from specfair.config import Settings
from specfair.decoding import Lookahead
from specfair.engine import timing
from specfair.engine.agreement import (
    N_WRITTEN,
    Agreement,
    is_exact,
    most_live,
    sampled,
)
from specfair.engine.timing import Times
from specfair.models.folders import Source, locate
from specfair.models.identity import versions
from specfair.models.kinds import kind_of
from specfair.models.tokens import Decode, decoder
from specfair.store import Store
from specfair.texts.prompts import PromptSet
from specfair.traces.tally import Tally
from specfair.traces.trace import Trace
from specfair.training.recipe import Recipe
from specfair.vocabulary import BASE, EMBEDDED, Stage


class Stages:
    """Everything measured under some settings, stage by stage."""

    def __init__(self, settings: Settings, say: Say, recipe: Recipe) -> None:
        self.settings, self._say = settings, say
        self.store = Store(Path(settings.store), say)
        self.pairs = Lender(settings, self.store, self._tell, recipe)
        self._found: dict[Stage, Found] = {}

    @cached_property
    def prompts(self) -> PromptSet:
        """Those that are run, by their own groups."""
        return traced_set(self.settings)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of what was found."""
        found = [self._found[stage] for stage in self.measured]
        return tuple(dict.fromkeys(note for each in found for note in each.notes))

    @cached_property
    def texts(self) -> PromptSet:
        """The same, once for each text that is written after them."""
        return self.prompts.written(self.settings.continuations)

    @property
    def measured(self) -> tuple[Stage, ...]:
        """What was found so far, in the order of the settings."""
        return tuple(s for s in self.settings.stages if s in self._found)

    def plan(self, stages: Sequence[Stage]) -> tuple[Stage, ...]:
        """Those for which a pair must be opened, theirs or the base pair. The others
        are found; the way is the same, and it ends where a pair is called for.
        """
        if self.settings.server:
            return tuple(stage for stage in stages if stage not in self._found)
        self.pairs.closed = True
        try:
            return tuple(stage for stage in stages if not self._is_stored(stage))
        finally:
            self.pairs.closed = False

    def _is_stored(self, stage: Stage) -> bool:
        try:
            self.found(stage)
        except MissingError:
            return False
        return True

    def found(self, stage: Stage) -> Found:
        """Everything about the stage and about the checkpoints on the way to it; what
        is missing is made.
        """
        if self.settings.server and stage not in self._found:
            self._found[stage] = self._asked()
        if stage not in self._found:
            base = self.found(BASE).trace if stage.tuned else None
            with self.pairs.lent(stage) as loan:
                found = self._measure(loan, base)
            for step in self.checkpoints(stage):
                self.found(replace(stage, step=step))
            self._found[stage] = self._scored(stage, found)
        return self._found[stage]

    def _scored(self, stage: Stage, found: Found) -> Found:
        """With what is found of its texts once their writer is closed."""
        if stage.step is not None:  # shown, and not judged
            return found
        return scored(found, self.pairs, lambda: self.decode)

    def _asked(self) -> Found:
        found = serving.served(self.settings, self.store, self.prompts, self._tell)
        problem = found.problem
        if self.settings.target != EMBEDDED:
            found, problem = self._claimed(found)
        agrees = Agreement(len(found.trace), 0, problem) if problem else None
        return Found(found.identity, found.trace, agrees, found)

    def _claimed(self, found: Served) -> tuple[Served, str]:
        """Beside the pair that it is said to be."""
        settings, lookahead = self.settings, found.lookahead
        if settings.lookahead != Settings().lookahead:
            lookahead = settings.deployed
        with self.pairs.lent(BASE) as loan:
            if settings.decoding.greedy:
                own = self._trace(loan, found.trace)
                problem, said = claimed.of_own_texts(found, own, lookahead)
            else:
                read = loan.work().read_of_others(found.trace.text)
                problem, said = claimed.of_its_texts(found, read, lookahead)
        return replace(found, likeness=said), found.problem or problem

    def checkpoints(self, stage: Stage) -> tuple[int, ...]:
        """The steps on the way to a fine-tuned stage that are measured as well."""
        along = self.settings.checkpoints and not self.settings.ready_made
        if not along or not stage.tuned or stage.step is not None:
            return ()
        tuned = self.pairs.tunings(stage.dataset).values()
        return tuple(next(iter(tuned)).checkpoints)

    def _measure(self, loan: Loan, base: Trace | None) -> Found:
        trace, agrees = self._trace(loan, base), None
        if base is None:
            self._rules(loan)
            if self.settings.truncate:
                self._n_cut(loan)
        if loan.stage.step is not None:  # shown, and not judged
            return Found(loan.identity, trace, None)
        if self.settings.engine == "replay":
            agrees = self._agreement(loan, trace)
        else:
            for text in (self.settings.lookahead, *self.settings.other_lookaheads):
                self._count(loan, trace, Lookahead.parse(text))
        fidelity = self._fidelity(loan, trace)
        return Found(loan.identity, trace, agrees, fidelity=fidelity)

    def _trace(self, loan: Loan, base: Trace | None) -> Trace:
        writer = tracing.Writer(
            loan.identity,
            self.settings.decoding,
            loan.work,
            keep_states=self.settings.keep_states * 1e9,
            at_once=loan.at_once,
        )
        found = tracing.traced(
            self.store,
            writer,
            self.texts,
            lambda line: self._tell(f"tracing {loan.stage}: {line}"),
        )
        ratio = base.reading.cost_ratio if base else self._cost_ratio(loan)
        return replace(found, reading=replace(found.reading, cost_ratio=ratio))

    def _cost_ratio(self, loan: Loan) -> float:
        key = tracing.key_of(loan.identity, self.settings.decoding)
        return self.settings.cost_ratio or remembered(
            self.store, "costs", key, make=lambda: loan.work().cost_ratio(), read=float
        )

    def _agreement(self, loan: Loan, trace: Trace) -> Agreement:
        lookahead = self.settings.lookahead

        def make() -> Agreement:
            some = trace.select(sampled(trace, most_live(lookahead)))
            n = f"{len(some):,} prompts"
            self._tell(f"checking {loan.stage}: {n} decoded live, {lookahead}")
            return loan.work().agreement(some, self.settings.deployed)

        key = self._key(loan, lookahead)
        if not is_exact(trace):
            key["texts"] = True
        return remembered(
            self.store, "checks", key, make=make, read=lambda v: Agreement(**v)
        )

    def _by_library(self, loan: Loan) -> bool:
        """Whether what is deployed is transformers with a draft of another tokenizer,
        of which no replay has all.
        """
        settings, mapped = self.settings, loan.identity.n_beyond is not None
        library = settings.deployed_as == "transformers" and not settings.first_choice
        return library and mapped and kind_of(loan.choice.draft).of_files

    def _fidelity(self, loan: Loan, trace: Trace) -> tuple[str, str]:
        """Of what transformers writes with a draft of another tokenizer; other methods
        are known to keep the target's law.
        """
        if not self._by_library(loan):
            return "", ""
        if self.settings.decoding.greedy:
            return "", REWRITTEN[self.settings.engine]

        def make() -> tuple[str, str]:
            some = trace.select(sampled(trace, N_WRITTEN))
            n = f"{len(some):,} prompts"
            self._tell(f"checking {loan.stage}: {n} by transformers' own generate")
            return loan.work().fidelity(some, self.settings.deployed)

        key = self._key(loan, self.settings.lookahead)
        wrong, said = remembered(self.store, "fidelity", key, make=make, read=tuple)
        who = f"transformers {versions()['transformers']}"
        way_out = "set deployed_as to the engine that is meant, if it is another"
        return wrong and f"{who} {wrong}; {way_out}", f"{who} {said}"

    def times(self, stage: Stage) -> Times:
        """Seconds of the target alone and of speculative decoding."""
        settings, n_rounds = self.settings, timing.N_ROUNDS
        compared = prompt_set(settings)  # by what is compared: batches are of one group
        some = compared.limit(timing.N_PROMPTS)

        def make() -> Times:
            self._tell(f"timing {stage}: {len(some)} prompts in {n_rounds} rounds")
            return loan.work().times(some, settings.decoding, settings.deployed)

        with self.pairs.lent(stage) as loan:
            key = self._key(loan, settings.lookahead)
            key |= {"prompts": compared.fingerprint, "energy": True}
            return remembered(self.store, "times", key, make=make, read=Times.of)

    def count(self, stage: Stage, trace: Trace, lookahead: Lookahead) -> Tally:
        """What live decoding of the stage's prompts counts."""
        with self.pairs.lent(stage) as loan:
            return self._count(loan, trace, lookahead)

    def _count(self, loan: Loan, trace: Trace, lookahead: Lookahead) -> Tally:
        key, library = self._key(loan, str(lookahead)), self._by_library(loan)
        if library:
            key["by"] = "transformers"
        return remembered(
            self.store,
            "counts",
            key,
            make=lambda: loan.work().count(trace, lookahead, library=library),
            read=lambda v: Tally(**{name: np.array(v[name]) for name in v}),
        )

    @cached_property
    def decode(self) -> Decode:
        """Token ids to text."""
        with self.pairs.lent(BASE) as loan:
            rules = self._rules(loan)
        return decoder(rules, locate(Source(self.settings.located.target), "target"))

    def _rules(self, loan: Loan) -> str:
        fingerprint = loan.identity.tokenizer_fingerprint
        key = {"tokenizer": fingerprint, "by": version("tokenizers"), **versions()}
        return remembered(
            self.store, "tokenizers", key, make=lambda: loan.work().rules(), read=str
        )

    @property
    def n_cut(self) -> int:
        """How many prompts were cut to fit the context."""
        if not self.settings.truncate:
            return 0  # the first that does not fit is refused
        with self.pairs.lent(BASE) as loan:
            return self._n_cut(loan)

    def _n_cut(self, loan: Loan) -> int:
        def make() -> int:
            n_new = self.settings.max_new_tokens
            return loan.work().n_cut(list(self.prompts), n_new)

        return remembered(self.store, "cuts", self._key(loan), make=make, read=int)

    def _key(self, loan: Loan, lookahead: str = "") -> dict[str, Any]:
        key = tracing.key_of(loan.identity, self.settings.decoding)
        key["prompts"] = self.texts.fingerprint
        return key | {"lookahead": lookahead} if lookahead else key

    def _tell(self, line: str) -> None:
        if not self.pairs.closed:
            self._say(line)
