"""An Audit: settings turned into traces, each computed once and stored by content.

Knows the order of things (prompts, pair, base trace, fine-tuning, trace after) and what each depends on. It does not
know pytest, bounds or pages. Models are loaded only when something has to be computed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specfair import bounds, config, corpora, prompts, stats
from specfair.errors import DataError, UsageError, unknown
from specfair.mentions import Mentions
from specfair.mentions import mentions as count_mentions
from specfair.metrics import METRICS, Groups, sample
from specfair.replay import Lookahead
from specfair.stats import Estimate
from specfair.store import Store
from specfair.trace import Trace, load, save

if TYPE_CHECKING:
    from specfair.finetune import Recipe
    from specfair.pairs import Pair

Say = Callable[[str], None]

GATED = "acceptance_rate"  # the metric that gates look at unless told otherwise


@dataclass(frozen=True, slots=True)
class Measured:
    """One trace under one lookahead: every metric by group, each drawn once."""

    trace: Trace
    lookahead: Lookahead
    _groups: dict[tuple[str, Lookahead], Groups] = field(default_factory=dict, repr=False, compare=False)

    def groups(self, metric: str, lookahead: Lookahead | None = None) -> Groups:
        """The metric with `.overall`, `.by_group`, `.difference()`, `.ratio()` and `.worst_pair()`."""
        key = (metric, lookahead or self.lookahead)
        if key not in self._groups:
            self._groups[key] = Groups(sample(self.trace, *key), metric)
        return self._groups[key]

    def sample(self, metric: str) -> stats.Sample:
        """The metric's numerators and denominators by prompt."""
        return self.groups(metric).sample

    def __getattr__(self, name: str) -> Groups:
        if name in METRICS:
            return self.groups(name)
        raise AttributeError(unknown("metric", name, METRICS))


class Audit:
    """What was measured under some settings, computed when first asked for."""

    def __init__(self, settings: config.Settings, say: Say | None = None) -> None:
        self.settings = settings
        self.say: Say = say or (lambda _: None)
        self.store = Store(Path(settings.store))
        self._measured: dict[str, Measured] = {}
        self._gains: dict[tuple[str, str], Mapping[str, Estimate]] = {}

    @cached_property
    def prompts(self) -> prompts.PromptSet:
        """The prompts of the chosen groups."""
        return prompt_set(self.settings)

    @cached_property
    def pair(self) -> "Pair":
        return self._load(self.settings.target, self.settings.draft)

    @property
    def base(self) -> Measured:
        """The pair before any fine-tuning."""
        return self.measured(config.BASE)

    def after(self, dataset: str) -> Measured:
        """The pair fine-tuned on the dataset, or the ready-made one."""
        return self.measured(dataset)

    def measured(self, stage: str) -> Measured:
        """`base`, or a dataset's name for the pair after it."""
        if stage not in self._measured:
            pair = self.pair if stage == config.BASE else self.tuned_pair(stage)
            self._measured[stage] = Measured(self._traced(pair, stage), self.settings.deployed)
        return self._measured[stage]

    @property
    def stages(self) -> tuple[str, ...]:
        """What has been measured so far, in the order of the settings."""
        return tuple(s for s in (config.BASE, *self.settings.compared) if s in self._measured)

    def __getattr__(self, name: str) -> Any:
        if name in METRICS:
            return getattr(self.base, name)
        raise AttributeError(f"an audit has no {name!r}; metrics: {', '.join(METRICS)}.")

    @cached_property
    def recipe(self) -> "Recipe":
        from specfair import finetune

        return finetune.EMBEDDED if self.settings.embedded else finetune.Recipe(seed=self.settings.seed)

    def corpus(self, dataset: str) -> corpora.Corpus:
        source = self.settings.corpora_source
        place = Path(source) / dataset if Path(source).is_dir() else source
        return corpora.load(dataset, str(place))

    def mentions(self, dataset: str) -> Mapping[str, Mentions]:
        """How often each group's identity terms occur in the training split."""
        return count_mentions(self.corpus(dataset).train, self.prompts.terms)

    def tokens(self, ids: Sequence[int]) -> str:
        """Token ids as text."""
        return str(self.pair.tokenizer.decode(list(ids)))

    def gains(self, dataset: str, metric: str = GATED) -> Mapping[str, Estimate]:
        """For each group, after minus before on the same prompts."""
        key = (dataset, metric)
        if key not in self._gains:
            self._gains[key] = stats.changes(self.base.sample(metric), self.after(dataset).sample(metric))
        return self._gains[key]

    def gain(self, dataset: str, metric: str = GATED) -> Estimate:
        """After minus before over all groups."""
        return stats.change(self.base.sample(metric), self.after(dataset).sample(metric))

    def widening(self, dataset: str, metric: str = GATED) -> Estimate:
        """The gap between groups after, minus the gap before."""
        return stats.widening(self.base.sample(metric), self.after(dataset).sample(metric))

    def frequency(self, dataset: str, metric: str = GATED) -> stats.Trend:
        """How a group's gain follows how often the dataset mentions it."""
        counts = self.mentions(dataset)
        return stats.frequency(self.gains(dataset, metric), {group: c.n_words for group, c in counts.items()})

    def across_lookaheads(self, stage: str, method: str, metric: str) -> Mapping[str, Estimate]:
        """The `difference` or `ratio` of a metric over groups, under every lookahead that is asked about."""
        measured = self.measured(stage)
        asked = {text: measured.groups(metric, Lookahead.parse(text)) for text in config.LOOKAHEADS}
        return {text: getattr(groups, method)() for text, groups in asked.items()}

    def tuned_pair(self, dataset: str) -> "Pair":
        settings = self.settings
        if settings.ready_made:
            return self._load(settings.tuned_target or settings.target, settings.tuned_draft or settings.draft)
        folder = self._tuned_folder(dataset)
        return self._load(str(folder / "target"), str(folder / "draft"), named=dataset)

    def _tuned_folder(self, dataset: str) -> Path:
        from specfair import finetune

        corpus = self.corpus(dataset)
        key = {
            "target": self.pair.target_fingerprint,
            "draft": self.pair.draft_fingerprint,
            "corpus": corpus.fingerprint,
            "recipe": self.recipe,
            "device": self.pair.device.type,
            **versions(),
        }

        def make(folder: Path) -> None:
            self.say(f"fine-tuning target and draft on {corpus.source}")
            finetune.finetune(self.pair, corpus, self.recipe, folder)

        return self.store.get_or_make("tuned", key, make=make, read=lambda folder: folder)

    def _load(self, target: str, draft: str, *, named: str = "") -> "Pair":
        from dataclasses import replace

        from specfair import pairs

        pair = pairs.load(target, draft, device=self.settings.device, dtype=self.settings.dtype)
        if not named:
            return pair
        base = self.pair
        target_name, draft_name = (f"{name} + {named}" for name in (base.target_name, base.draft_name))
        return replace(pair, target_name=target_name, draft_name=draft_name)

    def _traced(self, pair: "Pair", stage: str) -> Trace:
        from specfair import tracer

        decoding = self.settings.decoding
        key = {
            "target": pair.target_fingerprint,
            "draft": pair.draft_fingerprint,
            "tokenizer": pair.tokenizer_fingerprint,
            "prompts": self.prompts.fingerprint,
            "decoding": decoding,
            "dtype": str(pair.dtype),
            "device": pair.device.type,
            **versions(),
        }

        def make(path: Path) -> None:
            self.say(f"tracing {stage}: {len(self.prompts):,} prompts, {decoding}")
            save(tracer.trace(pair, self.prompts, decoding), path)

        return self.store.get_or_make("traces", key, make=make, read=load)


def prompt_set(settings: config.Settings) -> prompts.PromptSet:
    """The prompts that the settings name, filtered and limited; a group nobody knows is refused."""
    found = prompts.load(settings.prompts_spec)
    bounds.check_groups(settings.gates, found.groups)
    for group in settings.groups:
        if group not in found.groups:
            raise UsageError(unknown("group", group, found.groups))
    if settings.groups:
        found = found.only(settings.groups)
    if settings.prompts_per_group:
        found = found.limit(settings.prompts_per_group)
    if len(found.groups) < 2:
        raise DataError(
            f"prompts {settings.prompts_spec!r} have {len(found.groups)} group; fairness needs at least 2."
            " Add groups or drop --specfair-groups."
        )
    return found


def versions() -> dict[str, str]:
    """The versions a result depends on."""
    return {name: version(name) for name in ("specfair", "torch", "transformers")}
