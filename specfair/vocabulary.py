"""Words that several rooms share: stages, metrics, decisions, levels, and what stands
for the shipped world.

Knows what things are called and mean, not how they are computed. Loads nothing.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal, TypeAlias

TUNED = "tuned"  # the only "dataset" where a ready fine-tuned pair is given
EMBEDDED = "embedded"  # the pair, the prompts and the corpora that the project ships
# kinds of server that are asked what they count, and the variable of the environment
# that holds the key of one that wants a key
SERVERS = ("llama.cpp", "vllm", "sglang", "vllm-counters")
SERVER_KEY = "SPECFAIR_SERVER_KEY"
# what the pair is fine-tuned on, unless files of one's own are named
DATASETS = ("ag_news", "imdb", "cnn_dailymail", "sst2", "wikitext")
# a dataset of one's own, such as reviews=file:r.csv#body
OWN_DATASET = re.compile(
    r"(?:(?P<alias>[^=:/\\#]+)=)?file:(?P<path>[^#]*)(?:#(?P<column>.*))?", re.DOTALL
)
THEN = "->"  # between datasets that models are tuned on one after the other
# what more evidence would be more of, and what that lets a verdict claim
CLAIMS: Mapping[str, str] = {
    "identities": "people like those named, and more prompts about them",
    "prompts": "the identities named, in more prompts like these",
    "set": "these prompts and nothing else; not people",
}
OK, FAILED, USAGE, UNDECIDED = 0, 1, 2, 3  # exit codes of the command line

GATED = "acceptance_rate"  # the metric that gates look at unless told otherwise
CONFIDENT = 0.9  # a draft probability from which on a proposal counts as confident
LEVEL = 0.95  # of intervals
ALPHA = 0.05  # a p-value below it is evidence

Decision: TypeAlias = Literal["fail", "invalid", "insufficient", "pass"]
# in the order a reader wants them
DECISIONS: tuple[Decision, ...] = ("fail", "invalid", "insufficient", "pass")
_STEP = re.compile(r"@[0-9]{0,18}\Z")


def steps_of(text: str) -> list[str]:
    """The datasets of a sequence, which is often only one."""
    return [part.strip() for part in text.split(THEN)]


def steps_to(name: str) -> tuple[str, str]:
    """A sequence of datasets without its last, and that.

    >>> steps_to("sst2->wikitext->imdb"), steps_to("imdb")
    (('sst2->wikitext', 'imdb'), ('', 'imdb'))
    """
    before, _, last = name.rpartition(THEN)
    return before, last


def dataset_name(text: str) -> str:
    """What a dataset goes by: its alias, the stem of its file, or the text itself; one
    after the other, all their names.

    >>> dataset_name("reviews=file:data/r.csv#body"), dataset_name("file:data/r.csv")
    ('reviews', 'r')
    >>> dataset_name("sst2 -> file:data/r.csv")
    'sst2->r'
    """
    if THEN in text:
        return THEN.join(map(dataset_name, steps_of(text)))
    own = OWN_DATASET.fullmatch(text)
    return (own["alias"] or PurePath(own["path"]).stem) if own else text


def exit_code(decisions: Iterable[str]) -> int:
    """What a run that came to these decisions ends with."""
    found = set(decisions)
    if found & {"fail", "invalid"}:
        return FAILED
    return UNDECIDED if "insufficient" in found else OK


@dataclass(frozen=True, slots=True)
class Stage:
    """Which pair was measured: the one given, or what fine-tuning made of it.

    >>> str(Stage()), str(Stage("imdb")), str(Stage("imdb", step=400))
    ('base', 'imdb', 'imdb@400')
    >>> Stage.parse("imdb@400") == Stage("imdb", step=400)
    True
    """

    dataset: str = ""  # what it was fine-tuned on; "" is the pair before any of that
    step: int | None = None  # of the fine-tuning, where it is not its end

    @classmethod
    def of(cls, named: "Stage | str") -> "Stage":
        """A stage as users name it: "base", or a dataset, also as it was written."""
        if isinstance(named, Stage):
            return named
        return BASE if named == str(BASE) else cls(dataset_name(named))

    @classmethod
    def parse(cls, text: str) -> "Stage":
        """What str() made."""
        name, at, step = text.rpartition("@")
        if not at or not _STEP.fullmatch(at + step):
            return cls.of(text)
        return cls(cls.of(name).dataset, int(step) if step else None)

    def __str__(self) -> str:
        name = self.dataset or "base"
        if self.step is not None:
            return f"{name}@{self.step}"
        # one more @ where the name itself ends as a step does
        return f"{name}@" if _STEP.search(name) else name

    @property
    def tuned(self) -> bool:
        """Whether it comes after fine-tuning, so that there is a before."""
        return bool(self.dataset)


BASE = Stage()  # the pair before any fine-tuning


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric in words; its sums are in `traces.metrics`."""

    sentence: str
    title: str
    known_as: str = ""  # elsewhere
    digits: int = 3  # shown behind the point
    higher_is_better: bool = True
    per_lookahead: bool = False  # whether it depends on the lookahead
    stored: bool = False  # by group, in every run
    charted: bool = False  # by group, on the page
    written: bool = False  # of the target's text, not of speed


METRICS: Mapping[str, Metric] = {
    "acceptance_rate": Metric(
        sentence="accepted tokens / tested tokens, where tested means accepted or the "
        "first rejected of its round",
        title="Acceptance rate",
        known_as="accepted / (accepted + rejected)",
        per_lookahead=True,
        stored=True,
        charted=True,
    ),
    "alpha": Metric(
        sentence="mean probability that a token of the target's own text is accepted, "
        "as deployed; free of the lookahead",
        title="Alpha",
        known_as="alpha of Leviathan et al. 2023",
        stored=True,
        charted=True,
    ),
    "mean_acceptance_length": Metric(
        sentence="new tokens for each call of the target",
        title="Mean acceptance length",
        known_as="vLLM's mean acceptance length; Spec-Bench's mean accepted tokens; "
        "block efficiency",
        digits=2,
        per_lookahead=True,
        stored=True,
        charted=True,
    ),
    "speedup_predicted": Metric(
        sentence="mean_acceptance_length / (1 + c * drafted per round), c = draft step "
        "time / target step time, measured",
        title="Predicted speed-up",
        known_as="Theorem 3.8 of Leviathan et al. 2023",
        digits=2,
        per_lookahead=True,
        stored=True,
        charted=True,
    ),
    "overlap": Metric(
        sentence="mean of sum(min(target, draft)), which is 1 - total variation, as "
        "deployed; at temperature 1 under greedy decoding",
        title="Overlap",
        stored=True,
    ),
    "reach": Metric(
        sentence="share of the target's tokens that the draft can propose at all, "
        "where its vocabulary is a part of the target's or another's",
        title="Reach",
        stored=True,
        charted=True,
    ),
    "alpha_within_reach": Metric(
        sentence="alpha over the tokens that the draft can propose at all",
        title="Alpha within reach",
        stored=True,
        charted=True,
    ),
    "kl": Metric(
        sentence="mean Kullback-Leibler divergence of the draft from the target at "
        "temperature 1, in nats",
        title="KL divergence",
        known_as="KL_T of arXiv 2510.02128",
        higher_is_better=False,
        stored=True,
    ),
    "confident_rejections": Metric(
        sentence="share rejected of the proposals to which the draft gives a "
        f"probability of {CONFIDENT:g} or more",
        title="Confident rejections",
        known_as="confident mistakes",
        higher_is_better=False,
        stored=True,
    ),
    "hurtful": Metric(
        sentence="share of texts with a word of the lexicon in them",
        title="Hurtful",
        known_as="the HONEST score, where a text is one word",
        higher_is_better=False,
        stored=True,
        written=True,
    ),
    "judged": Metric(
        sentence="mean probability that the judge, a classifier of texts, gives the "
        "named label",
        title="Judged",
        known_as="toxicity, regard or sentiment, by what the judge was trained for",
        higher_is_better=False,
        stored=True,
        written=True,
    ),
    "log_perplexity": Metric(
        sentence="mean of -log p of the text's tokens behind the prompt under a third "
        "model, in nats: the logarithm of the perplexity",
        title="Log perplexity",
        higher_is_better=False,
        stored=True,
        written=True,
    ),
    "length": Metric(
        sentence="new tokens of a text, its end among them",
        title="Length",
        digits=1,
        stored=True,
        written=True,
    ),
    "distinct_bigrams": Metric(
        sentence="distinct pairs of neighbouring tokens / pairs, within each text",
        title="Distinct bigrams",
        known_as="distinct-2 of a text; 1 - rep-2",
        stored=True,
        written=True,
    ),
    "own_endings": Metric(
        sentence="share of texts that end by themselves, before the budget ends them",
        title="Own endings",
        stored=True,
        written=True,
    ),
    "draft_acceptance_rate": Metric(
        sentence="accepted tokens / drafted tokens; depends on the lookahead",
        title="Draft acceptance rate",
        known_as="vLLM's draft acceptance rate; llama.cpp n_accepted / n_draft",
        per_lookahead=True,
    ),
    "assisted_share": Metric(
        sentence="accepted tokens / new tokens",
        title="Assisted share",
        known_as="n_matches / max_new_tokens",
        per_lookahead=True,
    ),
    "cross_entropy": Metric(
        sentence="mean of -sum(target log draft) at temperature 1, in nats: the "
        "target's own entropy plus kl",
        title="Cross-entropy",
        known_as="D_T of arXiv 2510.02128",
        higher_is_better=False,
    ),
    "time_to_first_token": Metric(
        sentence="milliseconds from sending a prompt to a server to its first token, "
        "as the client feels it; a mean over requests",
        title="Time to first token",
        known_as="vLLM's TTFT",
        digits=1,
        higher_is_better=False,
    ),
    "time_per_token": Metric(
        sentence="milliseconds from a server's first token to its last, for each token "
        "after the first",
        title="Time per token",
        known_as="vLLM's time per output token",
        digits=2,
        higher_is_better=False,
    ),
}
STORED = tuple(name for name, metric in METRICS.items() if metric.stored)
CHARTED = tuple(name for name, metric in METRICS.items() if metric.charted)
WRITTEN = tuple(name for name, metric in METRICS.items() if metric.written)
# shown against the number of assistant tokens
ACROSS = tuple(name for name in STORED if METRICS[name].per_lookahead)
