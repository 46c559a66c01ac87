"""Every option there is, as the fields of one frozen Settings.

Each is at once a key in the file, an option `--specfair-...` and an argument of
`specfair.audit(...)`. Knows names and types, not models: whether a path exists is found
out by whoever opens it. Loads nothing heavy, as the plugin does.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specfair import project, vocabulary
from specfair.decoding import COUNTINGS, PROPOSALS, Decoding, Lookahead
from specfair.models.kinds import SHAPES
from specfair.training.recipe import KEYS, Recipe, recipe_of
from specfair.vocabulary import (
    BASE,
    DATASETS,
    EMBEDDED,
    SERVERS,
    THEN,
    TUNED,
    Stage,
    dataset_name,
    steps_of,
)

if TYPE_CHECKING:
    from specfair.gates.bounds import Rule
    from specfair.gates.waivers import Waiver

AUTO = "auto"
LOOKAHEADS = (*(f"constant-{n}" for n in (1, 3, 5, 10, 20)), "heuristic-5")
STORE = ".specfair"


def _option(default: Any, text: str, **rule: Any) -> Any:
    """A field with its words, and the `least` it may be or the `choices` there are."""
    return field(default=default, metadata={"help": text} | rule)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an audit depends on, and where its results go."""

    # the pair
    target: str = _option(EMBEDDED, "embedded, a hub id, id@revision or a folder")
    draft: str = _option(
        EMBEDDED, f"a model with the target's vocabulary, or {', '.join(SHAPES)}"
    )
    drafts: tuple[str, ...] = _option((), "others to compare it with, by commas")
    deployed_as: str = _option(
        "transformers", "whose way to propose counts", choices=tuple(PROPOSALS)
    )
    proposals: str = _option(
        "",
        "sampled, or greedy: the draft's first choice; by default as deployed_as does",
        choices=("", "sampled", "greedy"),
    )
    tuned_target: str = _option("", "a ready fine-tuned target: none is trained")
    tuned_draft: str = _option("", "a ready fine-tuned draft; alone, the target stays")
    device: str = _option(AUTO, "auto, cpu, cuda, cuda:1, mps")
    dtype: str = _option(
        AUTO, "auto (bfloat16 where a GPU has it), float32, bfloat16, float16"
    )
    device_map: str = _option("", "as in from_pretrained, for models of many devices")
    allow_pickle: bool = _option(False, "load pickled weights, which can run code")
    truncate: bool = _option(False, "cut prompts that are too long, from the left")
    # a server that runs, instead of a pair
    server: str = _option("", "http://HOST:PORT of a server: no model is loaded")
    server_plain: str = _option(
        "", "the same model without speculation, likewise: is anyone slower with it?"
    )
    order_check: bool = _option(
        False, "ask some prompts again in reverse: does it matter who asked before?"
    )
    server_run: str = _option(
        "", "replies are kept under this name too; another name asks everything anew"
    )
    concurrency: int = _option(8, "requests that a server gets at once", least=1)
    timeout: float = _option(60.0, "seconds that one reply may take", least=0.001)
    retries: int = _option(5, "how often a request that failed is sent again", least=0)
    # prompts and corpora
    prompts: str = _option(
        AUTO,
        "embedded, honest, bold[/domain], holistic_bias[/axis], mgsm; NAME:FOLDER; "
        "file:PATH",
    )
    corpora: str = _option(AUTO, "embedded, hub, or a folder with one entry for each")
    datasets: tuple[str, ...] = _option(
        (),
        "datasets to fine-tune on, by commas, also NAME=file:PATH or sst2->imdb; all "
        "five by default",
    )
    recipe: tuple[str, ...] = _option((), f"how models are tuned: {KEYS}")
    checkpoints: int = _option(0, "measure so many along the fine-tuning", least=0)
    groups: tuple[str, ...] = _option((), "only these groups, by commas")
    by: str = _option("", "compare by other attributes, such as gender&age")
    prompts_per_group: int = _option(0, "at most so many of each; 0 for all", least=0)
    min_prompts: int = _option(10, "refuse a group with fewer prompts", least=1)
    ambiguous: str = _option(
        "drop", "prompts under two groups: drop or keep", choices=("drop", "keep")
    )
    # what is asked of the texts
    lexicon: str = _option(
        AUTO, "words to count in texts: HurtLex's TSV, a .txt, embedded, or none"
    )
    judge: str = _option(
        "", "a text classifier, MODEL#LABEL: how probable the label is of each text"
    )
    judge_reads: str = _option(
        "text",
        "what the judge is given: the text alone, or the prompt before it (regard)",
        choices=("text", "prompt+text"),
    )
    perplexity_by: str = _option(
        "", "a third model, by which texts are more or less likely"
    )
    # decoding
    max_new_tokens: int = _option(20, "new tokens per prompt", least=1)
    temperature: float = _option(0.0, "0 is greedy", least=0)
    top_k: int = _option(0, "0 is off", least=0)
    top_p: float = _option(1.0, "1 is off")
    ignore_eos: bool = _option(False, "write to the budget, whatever ends a text")
    continuations: int = _option(
        1, "texts written after each prompt, where the target samples", least=1
    )
    seed: int = _option(0, "of sampling, training and statistics")
    lookahead: str = _option(
        "constant-5", "constant-N, heuristic-N, confidence-N@X, pmin-N@X, adaptive-N@X"
    )
    counting: str = _option(
        "canonical",
        "canonical, which no engine decides; served, from the second token on; "
        "as_deployed, what transformers counts",
        choices=tuple(COUNTINGS),
    )
    cost_ratio: float = _option(
        0.0, "deployed time of a draft step over a target's; 0: as measured", least=0
    )
    engine: str = _option(
        "replay",
        "replay (answers from traces, checked live) or live (decodes every case); of "
        "a server its kind: auto, llama.cpp, vllm, sglang, vllm-counters",
        choices=("replay", "live", AUTO, *SERVERS),
    )
    # what is claimed
    scope: str = _option(
        "identities",
        "what verdicts are about: identities like those named, more prompts about "
        "these, or this set alone",
        choices=tuple(vocabulary.CLAIMS),
    )
    family: str = _option(
        "run",
        "one question of all stages is corrected as one (run), or of each (stage)",
        choices=("run", "stage"),
    )
    # the run
    report: str = _option("reports/latest.html", "the page; .json, .md beside it")
    store: str = _option(STORE, "where traces and tuned models are kept")
    workers: str = _option(
        "", "ray, ray:N or ray:NxG: a Ray cluster works, N at once, G GPUs each"
    )
    keep_states: float = _option(
        2.0, "GB of the target's states kept, for drafts to come; 0 for none", least=0
    )
    strict: bool = _option(False, "too few prompts to decide is a failure")
    baseline: str = _option("", "compare with reports/baselines/NAME.json")
    gates: "tuple[Rule, ...]" = field(default=())
    waivers: "tuple[Waiver, ...]" = field(default=())
    # of the project: relative places start there; "" is where the process runs
    root: str = ""

    @property
    def embedded(self) -> bool:
        """Whether the shipped pair is what is measured."""
        return self.target == EMBEDDED and not self.server

    @property
    def first_choice(self) -> bool:
        """Whether the draft proposes its first choice, also when the target samples."""
        usual = "greedy" if self.server else PROPOSALS.get(self.deployed_as)
        return (self.proposals or usual) == "greedy"

    @property
    def ready_made(self) -> bool:
        """Whether the tuned pair is given, so that nothing is trained."""
        return bool(self.tuned_target or self.tuned_draft)

    @property
    def prompts_spec(self) -> str:
        if self.prompts != AUTO:
            return self.prompts
        return EMBEDDED if self.embedded else "honest"

    @property
    def corpora_source(self) -> str:
        if self.corpora != AUTO:
            return self.corpora
        return EMBEDDED if self.embedded else "hub"

    @property
    def lexicon_place(self) -> str:
        """Where the lexicon is; "" where there is none."""
        usual = EMBEDDED if self.embedded else ""
        return {AUTO: usual, "none": ""}.get(self.lexicon, self.lexicon)

    @property
    def compared(self) -> tuple[str, ...]:
        """What the base pair is compared with after fine-tuning, by name."""
        if self.server:
            return ()
        if self.ready_made:
            return (TUNED,)
        return tuple(map(dataset_name, self.datasets)) or DATASETS

    def dataset(self, name: str) -> str:
        """The dataset that goes by this name, as it was written."""
        parts = (part for d in self.datasets for part in steps_of(d))
        return next((part for part in parts if dataset_name(part) == name), name)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What is to be measured, the base pair first."""
        return (BASE, *map(Stage, self.compared))

    @property
    def tuning(self) -> Recipe:
        """How the pair is fine-tuned."""
        return self.recipe_for("clm")

    def recipe_for(self, usual: str) -> Recipe:
        """The recipe that was asked for; where none was named, the usual one."""
        about = {"seed": self.seed, "checkpoints": self.checkpoints}
        return recipe_of(self.recipe, usual=usual, small=self.embedded, **about)

    @property
    def located(self) -> "Settings":
        """The same, with every place as it is reached from where the process runs."""
        root = Path(self.root)
        if not self.root or root == Path.cwd():
            return self
        return self.moved(OPTIONS_BY_NAME, root, lambda place: str(root / place))

    @property
    def shown(self) -> "Settings":
        """The same, without the folders of this machine: what others may read."""
        root = Path(self.root)
        return self.moved(OPTIONS_BY_NAME, root, lambda place: Path(place).name)

    def moved(
        self, names: Collection[str], start: Path, move: Callable[[str], str]
    ) -> "Settings":
        """The same, with the places in these options moved, as seen from `start`."""
        moved: dict[str, Any] = {}
        for name in names:
            value = getattr(self, name)
            if name in ("datasets", "drafts"):
                moved[name] = tuple(
                    THEN.join(project.moved(name, p, start, move) for p in steps_of(d))
                    for d in value
                )
            elif isinstance(value, str):
                moved[name] = project.moved(name, value, start, move)
        return replace(self, **moved)

    @property
    def other_lookaheads(self) -> tuple[str, ...]:
        """Those that are asked about beside the deployed one."""
        if self.server:
            return ()
        return tuple(text for text in LOOKAHEADS if text != self.lookahead)

    @property
    def measurement(self) -> "Settings":
        """What an audit depends on: without what is only about the run."""
        usual = Settings()
        run = ("strict", "report", "baseline", "family", "waivers")
        return replace(self, **{name: getattr(usual, name) for name in run})

    @property
    def decoding(self) -> Decoding:
        return Decoding(**{f.name: getattr(self, f.name) for f in fields(Decoding)})

    @property
    def deployed(self) -> Lookahead:
        return Lookahead.parse(self.lookahead)


JUDGED_BY = ("gates", "waive")  # tables that are not about measuring
_OWN = ("gates", "waivers", "root")  # neither keys nor options
OPTIONS = tuple(f for f in fields(Settings) if f.name not in _OWN)
OPTIONS_BY_NAME: Mapping[str, Field[Any]] = {f.name: f for f in OPTIONS}
# not of an audit: a marker or a call that sets them would have no effect
OF_THE_RUN = ("report", "baseline", "family")
