"""An Audit: the questions that can be asked about measured stages.

Knows what is compared with what. What is missing is measured by the stages when it is
first asked for; this module opens nothing itself. It does not know pytest, bounds or
pages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from specfair import stats, workers
from specfair.audit.chosen import prompt_set
from specfair.audit.lending import Say
from specfair.audit.stages import Stages
from specfair.audit.worst import Swapped, worst
from specfair.config import Settings
from specfair.decoding import COUNTINGS, Lookahead
from specfair.engine import timing
from specfair.models.identity import Identity
from specfair.models.kinds import kind_of
from specfair.stats import Estimate
from specfair.texts import corpora
from specfair.texts.mentions import Mentions, count_mentions
from specfair.texts.prompts import PromptSet
from specfair.traces.counting import COUNTED
from specfair.traces.groups import Groups
from specfair.traces.measured import Measured
from specfair.traces.metrics import Engine
from specfair.traces.replay import replay as replayed
from specfair.traces.trace import Ints, Trace
from specfair.training.recipe import Recipe
from specfair.vocabulary import BASE, GATED, METRICS, TUNED, Stage


class Audit:
    """What was measured under some settings. A metric's name is an attribute: that of
    the base pair, before any fine-tuning.
    """

    def __init__(
        self,
        settings: Settings,
        say: Say | None = None,
        *,
        recipe: Recipe | None = None,
    ) -> None:
        self.settings = settings
        self.say: Say = say or (lambda _: None)
        self.made = Stages(settings, self.say, recipe or settings.tuning)
        self._measured: dict[Stage, Measured] = {}
        self._gains: dict[tuple[Stage, str], Mapping[str, Estimate]] = {}
        self._widenings: dict[tuple[Stage, str], Estimate] = {}
        self.swaps: dict[Stage, Swapped] = {}  # searched so far
        self.timed: dict[Stage, timing.Times] = {}  # likewise

    @cached_property
    def prompts(self) -> PromptSet:
        """The prompts of the chosen groups, by what they are compared by."""
        return prompt_set(self.settings)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the prompts: what was dropped, and what was
        cut.
        """
        notes, n_cut = (*self.prompts.notes, *self.made.notes), self.made.n_cut
        notes += tuple(filter(None, [COUNTINGS[self.settings.counting]]))
        if not n_cut:
            return notes
        context = self.identity(BASE).context
        cut = f"{n_cut:,} of {len(self.prompts):,} prompts were cut from the left"
        return (*notes, f"{cut} to fit {context} tokens")

    def measure(self, stages: Sequence[Stage]) -> None:
        """Measure all that is missing of these stages, so that what is asked of them
        later opens no pair.
        """
        for each in self.rivals:
            with each.made.pairs.lent(BASE) as loan:
                _ = loan.identity  # one that cannot be opened is refused before it all
        missing = self.made.plan(stages)
        if len(missing) > 1:
            self.say(f"to be measured: {', '.join(map(str, missing))}")
        if BASE in missing:
            self.made.found(BASE)  # all others start from it
        after = [stage for stage in missing if stage != BASE]
        turned = after if workers.together() else workers.here().turned(after)
        self.made.pairs.each([partial(self.made.found, stage) for stage in turned])

    @cached_property
    def rivals(self) -> tuple["Audit", ...]:
        """The same with each of the drafts that the first is compared with, under the
        usual lookahead of its kind where none was asked for.
        """
        asked, found = self.settings, list[Audit]()
        for draft in asked.drafts:
            ahead = asked.lookahead
            if ahead == _usual(asked.draft):
                ahead = _usual(draft)
            alone = replace(asked, draft=draft, drafts=(), lookahead=ahead)
            found.append(Audit(alone, self.say))
        return tuple(found)

    @property
    def base(self) -> Measured:
        """The pair before any fine-tuning."""
        return self.measured(BASE)

    def after(self, stage: Stage | str) -> Measured:
        """The pair fine-tuned on the dataset, or the ready-made one."""
        return self.measured(stage)

    def measured(self, stage: Stage | str) -> Measured:
        """`base`, or a dataset's name for the pair after it."""
        stage = Stage.of(stage)
        if stage not in self._measured:
            found = self.made.found(stage)
            served, whole = found.served, found.trace
            place = {prompt.stream: i for i, prompt in enumerate(whole.prompts)}
            texts = self.prompts.written(self.settings.continuations).prompts
            kept = np.array([place[text.stream] for text in texts])
            by = self.settings.by
            given, scored = served.sums if served else {}, found.scores
            self._measured[stage] = Measured(
                whole.relabelled(kept, texts) if by else whole,
                served.lookahead if served else self.settings.deployed,
                engine=self._engine(stage, whole, kept),
                scope=self.settings.scope,
                given={name: (n[kept], d[kept]) for name, (n, d) in given.items()},
                scores={name: (n[kept], d[kept]) for name, (n, d) in scored.items()},
            )
        return self._measured[stage]

    def _engine(self, stage: Stage, whole: Trace, kept: Ints) -> Engine:
        # checkpoints are shown and not judged
        counting = COUNTED[self.settings.counting]
        if self.settings.engine == "replay" or stage.step is not None:
            return lambda _, k: replayed(whole, k, counting=counting)[kept]
        return lambda _, lookahead: self.made.count(stage, whole, lookahead)[kept]

    def identity(self, stage: Stage) -> Identity:
        """Which pair was measured."""
        return self.made.found(stage).pair

    def doubt(self, stage: Stage | str) -> str:
        """Why counts cannot be relied on; empty where live decoding of a sample of
        prompts agreed, and what is deployed writes the target's texts.
        """
        return self.made.found(Stage.of(stage)).problem

    def clocked(self, stage: Stage | str) -> Groups:
        """The measured speed-up by group: seconds of the target alone over seconds
        speculative.
        """
        served = self.made.found(Stage.of(stage)).served
        if not served:
            self.timed[Stage.of(stage)] = self.made.times(Stage.of(stage))
        sample = served.speedup if served else self.timed[Stage.of(stage)].sample
        if served and self.settings.by:
            groups = {prompt.id: prompt.group for prompt in self.prompts}
            sample = sample[np.isin(sample.prompt, list(groups))]
            named = [groups[name] for name in sample.prompt.tolist()]
            sample = replace(sample, group=np.array(named), known={})
        return Groups(sample.within(self.settings.scope), timing.METRIC)

    def by_order(self, stage: Stage | str) -> Mapping[str, Estimate]:
        """For each group, how much tokens for each verification moved when a server was
        asked again in reverse, whichever way.
        """
        served = self.made.found(Stage.of(stage)).served
        return served.by_order(self.settings.scope) if served else {}

    def worst_swap(self, stage: Stage | str) -> Swapped:
        """The identity whose text takes more target calls than another's in the same
        context: searched, and confirmed in contexts that the search never saw.
        """
        stage = Stage.of(stage)
        if stage not in self.swaps:
            self.swaps[stage] = worst(self.made, stage)
        return self.swaps[stage]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What has been measured so far, in the order of the settings."""
        return self.made.measured

    def __getattr__(self, name: str) -> Any:
        if name in METRICS:
            return getattr(self.base, name)
        raise AttributeError(
            f"an audit has no {name!r}; metrics: {', '.join(METRICS)}."
        )

    def corpus(self, dataset: str) -> corpora.Corpus:
        """What the pair is fine-tuned on."""
        return self.made.pairs.corpus(dataset)

    def mentions(self, dataset: str) -> Mapping[str, Mentions]:
        """How often each group's identity terms occur in the training split; unknown
        for a ready-made pair.
        """
        if dataset == TUNED:
            return {}
        return count_mentions(self.corpus(dataset).train, self.prompts.terms)

    def tokens(self, ids: Sequence[int]) -> str:
        """Token ids as text."""
        return self.made.decode(ids)

    def gains(self, stage: Stage | str, metric: str = GATED) -> Mapping[str, Estimate]:
        """For each group, after minus before on the same prompts."""
        key = (Stage.of(stage), metric)
        if key not in self._gains:
            self._gains[key] = stats.changes(
                self.base.sample(metric), self.after(stage).sample(metric)
            )
        return self._gains[key]

    def gain(self, stage: Stage | str, metric: str = GATED) -> Estimate:
        """After minus before over all groups."""
        return stats.change(self.base.sample(metric), self.after(stage).sample(metric))

    def widening(self, stage: Stage | str, metric: str = GATED) -> Estimate:
        """The gap between groups after, minus the gap before."""
        key = (Stage.of(stage), metric)
        if key not in self._widenings:
            before, after = self.base.sample(metric), self.after(stage).sample(metric)
            self._widenings[key] = stats.widening(before, after)
        return self._widenings[key]

    def spread(self, stage: Stage | str, metric: str = GATED) -> Estimate:
        """The variance between groups after, minus that before, without the noise."""
        return stats.spread(self.base.sample(metric), self.after(stage).sample(metric))

    def frequency(self, stage: Stage | str, metric: str = GATED) -> stats.Trend:
        """How a group's gain follows how often the dataset mentions it."""
        counts = self.mentions(Stage.of(stage).dataset)
        return stats.frequency(
            self.gains(stage, metric),
            {group: c.n_words for group, c in counts.items()},
        )

    def across_lookaheads(
        self, stage: Stage | str, method: str, metric: str
    ) -> Mapping[str, Estimate]:
        """The `difference` or `ratio` of a metric over groups, under the lookaheads
        beside the deployed one.
        """
        measured = self.measured(stage)
        asked = {
            text: measured.groups(metric, Lookahead.parse(text))
            for text in self.settings.other_lookaheads
        }
        return {text: getattr(groups, method)() for text, groups in asked.items()}

    def training(self, dataset: str) -> Mapping[int, Measured]:
        """What was measured at each checkpoint of the fine-tuning, by step, from the
        start to the end of it.
        """
        after = Stage.of(dataset)
        steps = self.made.checkpoints(after)
        if not self.settings.checkpoints or self.settings.ready_made:
            return {}
        along = {step: self.measured(Stage(dataset, step)) for step in steps}
        tuned = self.made.pairs.tunings(dataset).values()
        end = next(iter(tuned)).n_steps
        return {0: self.base, **along, end: self.after(after)}


def _usual(draft: str) -> str:
    """The lookahead where none is asked for."""
    length = kind_of(draft).length
    return str(Lookahead(length) if length else Lookahead())
