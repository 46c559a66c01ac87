"""What was asked for: `[tool.specfair]` of pyproject.toml, overridden by options, as one frozen Settings.

Every field below is at once a key in the file, an option `--specfair-...` and an argument of `specfair.audit(...)`.
This module knows names and types, not models: whether a path exists is found out by whoever opens it. It is imported
with the plugin, so it loads nothing heavy.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specfair import outputs
from specfair.errors import UsageError, unknown

if TYPE_CHECKING:
    from specfair.bounds import Rule
    from specfair.replay import Lookahead
    from specfair.trace import Decoding

EMBEDDED = "embedded"
AUTO = "auto"
LOOKAHEADS = ("constant-1", "constant-3", "constant-5", "constant-10", "constant-20", "heuristic-5")
BASE = "base"  # the pair before any fine-tuning, among the stages
TUNED = "tuned"  # the only "dataset" where a ready fine-tuned pair is given


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an audit depends on, and where its results go."""

    target: str = _option(EMBEDDED, "target model: embedded, a hub id, id@revision or a folder")
    draft: str = _option(EMBEDDED, "draft model, with the target's vocabulary")
    tuned_target: str = _option("", "a ready fine-tuned target: compared with --specfair-target, no training")
    tuned_draft: str = _option("", "a ready fine-tuned draft; alone, the target stays the same")
    device: str = _option(AUTO, "auto, cpu, cuda, cuda:1, mps")
    dtype: str = _option(AUTO, "auto (bfloat16 on a GPU that has it, else float32), float32, bfloat16, float16")
    device_map: str = _option("", "as in from_pretrained (auto, balanced), for models larger than one device")
    allow_pickle: bool = _option(False, "load weights that are not safetensors: such files can run code")
    truncate: bool = _option(False, "cut prompts that do not fit the context from the left, instead of refusing them")
    prompts: str = _option(AUTO, "embedded, honest, bold[/domain], holistic_bias[/axis], mgsm; NAME:FOLDER; file:PATH")
    corpora: str = _option(AUTO, "where the datasets are: embedded, hub, or a folder with one entry per dataset")
    datasets: tuple[str, ...] = _option((), "datasets to fine-tune on, by commas; all five by default")
    checkpoints: int = _option(0, "measure so many checkpoints along the fine-tuning as well")
    groups: tuple[str, ...] = _option((), "only these groups, by commas")
    prompts_per_group: int = _option(0, "at most so many prompts of each group; 0 for all")
    min_prompts: int = _option(10, "refuse a group with fewer prompts")
    ambiguous: str = _option("drop", "prompts that stand under two groups: drop or keep")
    max_new_tokens: int = _option(20, "new tokens per prompt")
    temperature: float = _option(0.0, "0 is greedy")
    top_k: int = _option(0, "0 is off")
    top_p: float = _option(1.0, "1 is off")
    ignore_eos: bool = _option(False, "write to the budget, whatever ends a text; for models without such a token")
    seed: int = _option(0, "of sampling, training and statistics")
    lookahead: str = _option("constant-5", "the deployed lookahead: constant-N, heuristic-N, heuristic_transient-N")
    cost_ratio: float = _option(0.0, "time of a draft step over a target step where you deploy; 0 measures it here")
    engine: str = _option("replay", "replay (answers from traces, checked live) or live (decodes every case)")
    report: str = _option("reports/latest.html", "where the report goes; its .json and .md are written beside it")
    store: str = _option(".specfair", "where traces and tuned models are kept")
    strict: bool = _option(False, "too few prompts to decide is a failure")
    baseline: str = _option("", "compare with reports/baselines/NAME.json")
    gates: "tuple[Rule, ...]" = field(default=())

    @property
    def embedded(self) -> bool:
        """Whether the shipped pair is what is measured."""
        return self.target == EMBEDDED

    @property
    def ready_made(self) -> bool:
        """Whether the tuned pair is given, so that nothing is trained."""
        return bool(self.tuned_target or self.tuned_draft)

    @property
    def prompts_spec(self) -> str:
        return (EMBEDDED if self.embedded else "honest") if self.prompts == AUTO else self.prompts

    @property
    def corpora_source(self) -> str:
        return (EMBEDDED if self.embedded else "hub") if self.corpora == AUTO else self.corpora

    @property
    def compared(self) -> tuple[str, ...]:
        """What the base pair is compared with after fine-tuning."""
        from specfair import corpora

        return (TUNED,) if self.ready_made else self.datasets or corpora.NAMES

    @property
    def decoding(self) -> "Decoding":
        from specfair.trace import Decoding

        return Decoding(self.max_new_tokens, self.temperature, self.top_k, self.top_p, self.seed, self.ignore_eos)

    @property
    def deployed(self) -> "Lookahead":
        from specfair.replay import Lookahead

        return Lookahead.parse(self.lookahead)


OPTIONS = tuple(f for f in fields(Settings) if f.name != "gates")


def load(folder: Path, overrides: Mapping[str, Any], gates: Iterable[str] = ()) -> Settings:
    """Settings of the nearest pyproject.toml at or above `folder`, with overrides by option."""
    from specfair.bounds import parse_rule, rules_of

    root = root_of(folder)
    table = dict(_read(root / "pyproject.toml").get("tool", {}).get("specfair", {}))
    rules = rules_of(table.pop("gates", {})) + tuple(parse_rule(text) for text in gates)
    settings = override(replace(Settings(), gates=rules), {**table, **overrides})
    outputs.of(settings.report, root=root)  # refuses what is no file's name
    return replace(settings, store=str(root / settings.store), report=str(root / settings.report))


def root_of(folder: Path) -> Path:
    """The project that a folder belongs to: the nearest one at or above it with a pyproject.toml, or else itself.

    pytest's own root is not it: pytest takes the values of our options for test paths and moves its root towards them.
    """
    return next((place for place in (folder, *folder.parents) if (place / "pyproject.toml").is_file()), folder)


def override(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with some values changed, each in its field's own type, if they can be meant."""
    known = [f.name for f in OPTIONS]
    for name in values:
        if name not in known:
            raise UsageError(unknown("key in [tool.specfair]", name, [*known, "gates"]))
    return _checked(replace(settings, **{name: _typed(name, value) for name, value in values.items()}))


def _read(file: Path) -> dict[str, Any]:
    import tomllib

    if not file.is_file():
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file.name} is not valid TOML: {error}. Mend it and run again.") from error


def _typed(name: str, value: Any) -> Any:
    """TOML has types, the command line has words."""
    wanted: Any = next(f for f in OPTIONS if f.name == name).default
    if isinstance(wanted, tuple):
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else tuple(value)
    if isinstance(wanted, bool):
        return value in (True, "true", "1")
    try:
        return type(wanted)(value)
    except (TypeError, ValueError) as error:
        kind = type(wanted).__name__
        raise UsageError(f"{name} = {value!r} is not of type {kind}. Give one, such as {wanted!r}.") from error


def _checked(settings: Settings) -> Settings:
    from specfair import corpora

    for ok, name, rule in _rules(settings):
        if not ok:
            raise UsageError(f"{name} = {getattr(settings, name)!r} does not fit: {rule}.")
    for name in settings.datasets:
        if name not in corpora.NAMES and not name.startswith("file:"):
            raise UsageError(unknown("dataset", name, corpora.NAMES))
    _ = settings.deployed  # refuses what it cannot read
    return settings


def _rules(settings: Settings) -> list[tuple[bool, str, str]]:
    return [
        (settings.max_new_tokens >= 1, "max_new_tokens", "at least 1 token must be generated"),
        (0 <= settings.temperature < float("inf"), "temperature", "0 for greedy, or a positive number"),
        (0 < settings.top_p <= 1, "top_p", "it lies above 0 and is at most 1, which switches it off"),
        (settings.top_k >= 0, "top_k", "0 switches it off; otherwise a positive number"),
        (settings.prompts_per_group >= 0, "prompts_per_group", "0 for all; otherwise a positive number"),
        (settings.checkpoints >= 0, "checkpoints", "0 for none; otherwise a positive number"),
        (settings.min_prompts >= 1, "min_prompts", "at least 1"),
        (settings.ambiguous in ("drop", "keep"), "ambiguous", "drop or keep"),
        (0 <= settings.cost_ratio < float("inf"), "cost_ratio", "0 to measure it, or a positive number"),
        (settings.engine in ("replay", "live"), "engine", "replay or live"),
        (
            settings.embedded == (settings.draft == EMBEDDED),
            "draft",
            "target and draft are both embedded or neither; give --specfair-target and --specfair-draft together",
        ),
    ]
