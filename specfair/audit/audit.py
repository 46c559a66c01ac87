"""An Audit: settings turned into traces, each computed once and stored by content.

Knows the order of things (prompts, pair, base trace, fine-tuning, trace after) and what
each depends on. It does not know pytest, bounds or pages. Models are loaded only when
something has to be computed.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specfair import config, stats
from specfair.audit import tracing
from specfair.audit.tracing import Say, versions
from specfair.engine.live import live_engine
from specfair.errors import DataError, UsageError, counted, unknown
from specfair.gates import bounds
from specfair.stats import Estimate
from specfair.store import Store
from specfair.texts import corpora, prompts
from specfair.texts.mentions import Mentions, count_mentions
from specfair.traces.measured import Measured
from specfair.traces.metrics import METRICS, Groups
from specfair.traces.replay import Lookahead
from specfair.traces.replay import replay as replayed
from specfair.traces.trace import Trace
from specfair.vocabulary import BASE, TUNED, dataset_name

if TYPE_CHECKING:
    from specfair.engine.agreement import Agreement
    from specfair.models.pairs import Pair
    from specfair.training.finetune import Recipe, Tuned

GATED = "acceptance_rate"  # the metric that gates look at unless told otherwise


class Audit:
    """What was measured under some settings, computed when first asked for."""

    def __init__(self, settings: config.Settings, say: Say | None = None) -> None:
        self.settings = settings
        self._located = settings.located
        self.say: Say = say or (lambda _: None)
        self.store = Store(Path(settings.store), self.say)
        self._measured: dict[str, Measured] = {}
        self._pairs: dict[str, Pair] = {}
        self._gains: dict[tuple[str, str], Mapping[str, Estimate]] = {}
        self._widenings: dict[tuple[str, str], Estimate] = {}

    @cached_property
    def prompts(self) -> prompts.PromptSet:
        """The prompts of the chosen groups."""
        return prompt_set(self.settings)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the prompts: what was dropped, and what was
        cut.
        """
        from specfair.models import pairs

        _, n_cut = pairs.encode(
            self.pair, list(self.prompts), self.settings.max_new_tokens
        )
        cut = (
            f"{n_cut:,} of {len(self.prompts):,} prompts were cut from the left to "
            f"fit {self.pair.context} tokens"
        )
        return (*self.prompts.notes, *[cut] * bool(n_cut))

    @cached_property
    def pair(self) -> "Pair":
        return self._load(self._located.target, self._located.draft)

    @property
    def base(self) -> Measured:
        """The pair before any fine-tuning."""
        return self.measured(BASE)

    def after(self, dataset: str) -> Measured:
        """The pair fine-tuned on the dataset, or the ready-made one."""
        return self.measured(dataset_name(dataset))

    def measured(self, stage: str) -> Measured:
        """`base`, or a dataset's name for the pair after it."""
        if stage not in self._measured:
            trace = self._traced(self.pair_of(stage), stage)
            engine = (
                replayed
                if self.settings.engine == "replay"
                else live_engine(lambda: self.pair_of(stage))
            )
            self._measured[stage] = Measured(trace, self.settings.deployed, engine)
        return self._measured[stage]

    def pair_of(self, stage: str) -> "Pair":
        """The models of a stage, loaded once."""
        if stage == BASE:
            return self.pair
        if stage not in self._pairs:
            self._pairs[stage] = self.tuned_pair(stage)
        return self._pairs[stage]

    def agreement(self, stage: str) -> "Agreement":
        """Whether live decoding of a sample of prompts counts what the replay
        counts.
        """
        from specfair.engine import agreement, speculate

        def make(path: Path) -> None:
            whole = self.measured(stage).trace
            some = whole.select(agreement.sampled(whole))
            self.say(
                f"checking {stage}: {len(some):,} prompts decoded live, "
                f"{self.settings.lookahead}"
            )
            settings, pair = self.settings, self.pair_of(stage)
            live = speculate.speculate(
                pair, some.prompts, settings.decoding, settings.deployed
            )
            agreement.save(agreement.compare(some, live), path)

        key = self._key(stage) | {"lookahead": self.settings.lookahead}
        return self.store.get_or_make("checks", key, make=make, read=agreement.load)

    def clocked(self, stage: str) -> Groups:
        """The measured speed-up by group: seconds of the target alone over seconds
        speculative.
        """
        from specfair.engine import clock, timing

        def make(path: Path) -> None:
            some = self.prompts.limit(timing.N_PROMPTS)
            self.say(f"timing {stage}: {len(some)} prompts in {timing.N_ROUNDS} rounds")
            settings, pair = self.settings, self.pair_of(stage)
            times = clock.clock(
                pair,
                some,
                settings.decoding,
                settings.deployed,
                n_rounds=timing.N_ROUNDS,
            )
            timing.save(times, path)

        key = self._key(stage) | {"lookahead": self.settings.lookahead}
        return Groups(
            timing.sample(
                self.store.get_or_make("times", key, make=make, read=timing.load)
            ),
            timing.METRIC,
        )

    @property
    def stages(self) -> tuple[str, ...]:
        """What has been measured so far, in the order of the settings."""
        return tuple(s for s in (BASE, *self.settings.compared) if s in self._measured)

    def __getattr__(self, name: str) -> Any:
        if name in METRICS:
            return getattr(self.base, name)
        raise AttributeError(
            f"an audit has no {name!r}; metrics: {', '.join(METRICS)}."
        )

    @cached_property
    def recipe(self) -> "Recipe":
        from specfair.training import finetune

        recipe = finetune.EMBEDDED if self.settings.embedded else finetune.Recipe()
        return replace(
            recipe, seed=self.settings.seed, checkpoints=self.settings.checkpoints
        )

    def corpus(self, dataset: str) -> corpora.Corpus:
        source = self._located.corpora_source
        place = Path(source) / dataset if Path(source).is_dir() else source
        return corpora.load(self._located.dataset(dataset), str(place))

    def mentions(self, dataset: str) -> Mapping[str, Mentions]:
        """How often each group's identity terms occur in the training split; unknown
        for a ready-made pair.
        """
        return (
            {}
            if dataset == TUNED
            else count_mentions(self.corpus(dataset).train, self.prompts.terms)
        )

    def tokens(self, ids: Sequence[int]) -> str:
        """Token ids as text."""
        return str(self.pair.tokenizer.decode(list(ids)))

    def gains(self, dataset: str, metric: str = GATED) -> Mapping[str, Estimate]:
        """For each group, after minus before on the same prompts."""
        key = (dataset, metric)
        if key not in self._gains:
            self._gains[key] = stats.changes(
                self.base.sample(metric), self.after(dataset).sample(metric)
            )
        return self._gains[key]

    def gain(self, dataset: str, metric: str = GATED) -> Estimate:
        """After minus before over all groups."""
        return stats.change(
            self.base.sample(metric), self.after(dataset).sample(metric)
        )

    def widening(self, dataset: str, metric: str = GATED) -> Estimate:
        """The gap between groups after, minus the gap before."""
        key = (dataset, metric)
        if key not in self._widenings:
            before, after = self.base.sample(metric), self.after(dataset).sample(metric)
            self._widenings[key] = stats.widening(before, after)
        return self._widenings[key]

    def frequency(self, dataset: str, metric: str = GATED) -> stats.Trend:
        """How a group's gain follows how often the dataset mentions it."""
        counts = self.mentions(dataset)
        return stats.frequency(
            self.gains(dataset, metric),
            {group: c.n_words for group, c in counts.items()},
        )

    def across_lookaheads(
        self, stage: str, method: str, metric: str
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
        if self.settings.ready_made or not self.settings.checkpoints:
            return {}
        target, draft = self._tuned(dataset)
        along = {0: self.base}
        for step, place in target.checkpoints.items():
            pair = self._load(
                str(place),
                str(draft.checkpoints[step]),
                named=f"{dataset} at step {step}",
            )
            along[step] = Measured(
                self._traced(pair, pair.draft_name), self.settings.deployed
            )
        return along | {target.n_steps: self.after(dataset)}

    def tuned_pair(self, dataset: str) -> "Pair":
        settings = self._located
        if settings.ready_made:
            return self._load(
                settings.tuned_target or settings.target,
                settings.tuned_draft or settings.draft,
            )
        target, draft = self._tuned(dataset)
        return self._load(str(target.model), str(draft.model), named=dataset)

    def _tuned(self, dataset: str) -> "tuple[Tuned, Tuned]":
        """The target and the draft after the dataset, each stored by itself: what is
        finished is never made again.
        """
        corpus = self.corpus(dataset)
        return self._trained("target", corpus), self._trained("draft", corpus)

    def _trained(self, role: str, corpus: corpora.Corpus) -> "Tuned":
        from specfair.training import finetune

        training = finetune.Training(self.pair, role, corpus, self.recipe)

        def progress(step: int, n_steps: int) -> None:
            if step % max(1, n_steps // 4) == 0:
                self.say(
                    f"fine-tuning the {role} on {corpus.source}: step {step} "
                    f"of {n_steps}"
                )

        def make(folder: Path) -> None:
            finetune.train(training, folder, progress)

        return self.store.get_or_make(
            "tuned", training.key | versions(), make=make, read=finetune.read
        )

    def _load(self, target: str, draft: str, *, named: str = "") -> "Pair":
        from specfair.models import pairs

        _share_cores(tiny=self.settings.embedded)
        settings = self.settings
        loading = pairs.Loading(
            settings.allow_pickle, settings.device_map or None, settings.truncate
        )
        pair = pairs.load(
            target, draft, device=settings.device, dtype=settings.dtype, loading=loading
        )
        settings = self.settings.shown
        target_name, draft_name = settings.target, settings.draft
        if named:
            target_name, draft_name = (
                f"{name} + {named}" for name in (target_name, draft_name)
            )
        elif (target, draft) != (self._located.target, self._located.draft):
            target_name = settings.tuned_target or target_name
            draft_name = settings.tuned_draft or draft_name
        return replace(pair, target_name=target_name, draft_name=draft_name)

    def _key(self, stage: str) -> dict[str, Any]:
        key = tracing.key_of(self.pair_of(stage), self.settings.decoding)
        return key | {"prompts": self.prompts.fingerprint}

    def _traced(self, pair: "Pair", stage: str) -> Trace:
        from specfair.engine import clock

        base, given = (
            None if stage == BASE else self.base.trace,
            self.settings.cost_ratio,
        )

        def measure() -> float | None:
            return (
                None
                if given
                else base.header.cost_ratio
                if base
                else clock.cost_ratio(pair)
            )

        source = tracing.Source(
            pair,
            self.settings.decoding,
            cost_ratio=measure,
            like=base,
        )
        found = tracing.traced(
            self.store,
            source,
            self.prompts,
            lambda line: self.say(f"tracing {stage}: {line}"),
        )
        return (
            replace(found, header=replace(found.header, cost_ratio=given))
            if given
            else found
        )


def prompt_set(settings: config.Settings) -> prompts.PromptSet:
    """The prompts that the settings name, filtered and limited; a group nobody knows is
    refused.
    """
    n = settings.prompts_per_group or None
    found = prompts.load(
        settings.located.prompts_spec, ambiguous=settings.ambiguous, n_per_group=n
    )
    bounds.check_groups(settings.gates, found.groups)
    for group in settings.groups:
        if group not in found.groups:
            raise UsageError(unknown("group", group, found.groups))
    if settings.groups:
        found = found.only(settings.groups)
    found = found.require(settings.min_prompts)
    if len(found.groups) < 2:
        whole, _, part = settings.prompts_spec.partition(":")[0].partition("/")
        another = (
            f"such as {whole!r} with all its parts" if part else "or add groups to it"
        )
        raise DataError(
            (
                f"prompts {settings.prompts_spec!r} have "
                f"{counted(len(found.groups), 'group')}; fairness needs at least "
                "2. "
            )
            + (
                "Name more in --specfair-groups."
                if settings.groups
                else f"Name another set, {another}."
            )
        )
    return found


def _share_cores(*, tiny: bool) -> None:
    """Threads that outnumber free cores wait for one another: a worker of xdist takes
    its share, tiny models one.
    """
    import torch

    n_workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if tiny or n_workers > 1:
        torch.set_num_threads(1 if tiny else max(1, (os.cpu_count() or 1) // n_workers))
