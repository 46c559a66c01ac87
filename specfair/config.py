"""What was asked for: `[tool.specfair]` of pyproject.toml, overridden by options, as
one frozen Settings.

Every option below is at once a key in the file, an option `--specfair-...` and an
argument of `specfair.audit(...)`. Relative places in the file start at the project, on
the command line where they were typed. This module knows names and types, not models:
whether a path exists is found out by whoever opens it. It is imported with the plugin,
so it loads nothing heavy.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specfair import outputs, project
from specfair.errors import UsageError, unknown
from specfair.vocabulary import BASE, EMBEDDED, TUNED, Stage

if TYPE_CHECKING:
    from specfair.gates.bounds import Rule
    from specfair.traces.replay import Lookahead
    from specfair.traces.trace import Decoding

AUTO = "auto"
LOOKAHEADS = (
    "constant-1",
    "constant-3",
    "constant-5",
    "constant-10",
    "constant-20",
    "heuristic-5",
)


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an audit depends on, and where its results go."""

    target: str = _option(
        EMBEDDED, "target model: embedded, a hub id, id@revision or a folder"
    )
    draft: str = _option(EMBEDDED, "draft model, with the target's vocabulary")
    tuned_target: str = _option(
        "", "a ready fine-tuned target: compared with --specfair-target, no training"
    )
    tuned_draft: str = _option(
        "", "a ready fine-tuned draft; alone, the target stays the same"
    )
    device: str = _option(AUTO, "auto, cpu, cuda, cuda:1, mps")
    dtype: str = _option(
        AUTO,
        (
            "auto (bfloat16 on a GPU that has it, else float32), float32, "
            "bfloat16, float16"
        ),
    )
    device_map: str = _option(
        "", "as in from_pretrained (auto, balanced), for models larger than one device"
    )
    allow_pickle: bool = _option(
        False, "load weights that are not safetensors: such files can run code"
    )
    truncate: bool = _option(
        False,
        (
            "cut prompts that do not fit the context from the left, instead of "
            "refusing them"
        ),
    )
    prompts: str = _option(
        AUTO,
        (
            "embedded, honest, bold[/domain], holistic_bias[/axis], mgsm; "
            "NAME:FOLDER; file:PATH"
        ),
    )
    corpora: str = _option(
        AUTO,
        "where the datasets are: embedded, hub, or a folder with one entry per dataset",
    )
    datasets: tuple[str, ...] = _option(
        (), "datasets to fine-tune on, by commas; all five by default"
    )
    checkpoints: int = _option(
        0, "measure so many checkpoints along the fine-tuning as well"
    )
    groups: tuple[str, ...] = _option((), "only these groups, by commas")
    prompts_per_group: int = _option(
        0, "at most so many prompts of each group; 0 for all"
    )
    min_prompts: int = _option(10, "refuse a group with fewer prompts")
    ambiguous: str = _option(
        "drop", "prompts that stand under two groups: drop or keep"
    )
    max_new_tokens: int = _option(20, "new tokens per prompt")
    temperature: float = _option(0.0, "0 is greedy")
    top_k: int = _option(0, "0 is off")
    top_p: float = _option(1.0, "1 is off")
    ignore_eos: bool = _option(
        False,
        "write to the budget, whatever ends a text; for models without such a token",
    )
    seed: int = _option(0, "of sampling, training and statistics")
    lookahead: str = _option(
        "constant-5",
        "the deployed lookahead: constant-N, heuristic-N, heuristic_transient-N",
    )
    cost_ratio: float = _option(
        0.0,
        "time of a draft step over a target step where you deploy; 0 measures it here",
    )
    engine: str = _option(
        "replay",
        "replay (answers from traces, checked live) or live (decodes every case)",
    )
    report: str = _option(
        "reports/latest.html",
        "where the report goes; its .json and .md are written beside it",
    )
    store: str = _option(".specfair", "where traces and tuned models are kept")
    strict: bool = _option(False, "too few prompts to decide is a failure")
    baseline: str = _option("", "compare with reports/baselines/NAME.json")
    gates: "tuple[Rule, ...]" = field(default=())
    # of the project: relative places start there; "" is where the process runs
    root: str = ""

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
        return (
            (EMBEDDED if self.embedded else "honest")
            if self.prompts == AUTO
            else self.prompts
        )

    @property
    def corpora_source(self) -> str:
        return (
            (EMBEDDED if self.embedded else "hub")
            if self.corpora == AUTO
            else self.corpora
        )

    @property
    def compared(self) -> tuple[str, ...]:
        """What the base pair is compared with after fine-tuning."""
        from specfair.texts import corpora

        return (TUNED,) if self.ready_made else self.datasets or corpora.NAMES

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What is to be measured, the base pair first."""
        return (BASE, *map(Stage, self.compared))

    @property
    def located(self) -> "Settings":
        """The same, with every place as it is reached from where the process runs."""
        root = Path(self.root)
        if not self.root or root == Path.cwd():
            return self
        moved = {
            f.name: _moved(f.name, getattr(self, f.name), root, lambda p: str(root / p))
            for f in OPTIONS
        }
        return replace(self, **moved)

    @property
    def other_lookaheads(self) -> tuple[str, ...]:
        """Those that are asked about beside the deployed one."""
        return tuple(text for text in LOOKAHEADS if text != self.lookahead)

    @property
    def measurement(self) -> "Settings":
        """What an audit depends on: without what is only about the run."""
        usual = Settings()
        return replace(
            self, strict=usual.strict, report=usual.report, baseline=usual.baseline
        )

    @property
    def decoding(self) -> "Decoding":
        from specfair.traces.trace import Decoding

        return Decoding(
            self.max_new_tokens,
            self.temperature,
            self.top_k,
            self.top_p,
            self.seed,
            self.ignore_eos,
        )

    @property
    def deployed(self) -> "Lookahead":
        from specfair.traces.replay import Lookahead

        return Lookahead.parse(self.lookahead)


OPTIONS = tuple(f for f in fields(Settings) if f.name not in ("gates", "root"))
# not of an audit: a marker or a call that sets them would have no effect
OF_THE_RUN = ("report", "baseline")
_MODELS = ("target", "draft", "tuned_target", "tuned_draft")


def load(
    home: project.Project, overrides: Mapping[str, Any], gates: Iterable[str] = ()
) -> Settings:
    """The settings of a project, with overrides by option."""
    from specfair.gates.bounds import parse_rule, rules_of

    table = dict(home.table)
    rules = [
        *rules_of(table.pop("gates", {})),
        *(replace(parse_rule(text), typed=True) for text in gates),
    ]
    written = override(Settings(gates=tuple(rules), root=str(home.root)), table)
    there: dict[str, Any] = {
        name: str(home.root / getattr(written, name)) for name in ("store", "report")
    }
    given, here = {n: v for n, v in overrides.items() if v is not None}, Path.cwd()
    typed = override(replace(written, **there), given)
    if here != home.root:
        back = {
            n: _moved(
                n, getattr(typed, n), here, lambda place: _seen_from(home.root, place)
            )
            for n in given
        }
        typed = replace(typed, **back)
    outputs.of(typed.report, root=here)  # refuses what is no file's name
    return replace(
        typed, store=str(here / typed.store), report=str(here / typed.report)
    )


def _seen_from(root: Path, place: str) -> str:
    return (
        place
        if os.path.isabs(os.path.expanduser(place))
        else os.path.relpath(place, root)
    )


def override(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with some values changed, each in its field's own type, if they can
    be meant.
    """
    known = [f.name for f in OPTIONS]
    for name in values:
        if name not in known:
            raise UsageError(unknown("key in [tool.specfair]", name, [*known, "gates"]))
    return _checked(
        replace(
            settings, **{name: _typed(name, value) for name, value in values.items()}
        )
    )


def _moved(name: str, value: Any, start: Path, move: Callable[[str], str]) -> Any:
    """The value with the place in it moved: the folder of a model or of corpora, or a
    file, as seen from `start`.
    """
    if name == "datasets":
        return tuple(_file_moved(dataset, move) for dataset in value)
    if name == "prompts":
        head, _, place = value.partition(":")
        return (
            f"{head}:{move(place)}" if place and not place.startswith("hub:") else value
        )
    if name == "corpora":
        return (
            value
            if value in (AUTO, EMBEDDED, "hub") or value.startswith("hub:")
            else move(value)
        )
    if (
        name in _MODELS
        and value
        and value != EMBEDDED
        and (value.startswith(".") or os.path.isdir(start / value))
    ):
        return move(value)
    return value


def _file_moved(dataset: str, move: Callable[[str], str]) -> str:
    head, kind, place = dataset.partition("file:")
    path, sharp, column = place.partition("#")
    return f"{head}{kind}{move(path)}{sharp}{column}" if path else dataset


def _typed(name: str, value: Any) -> Any:
    """TOML has types, the command line has words; a truth is not a number, nor a number
    or a word a truth.
    """
    wanted: Any = next(f for f in OPTIONS if f.name == name).default
    kind = type(wanted)
    if kind is tuple and isinstance(value, str):
        return _listed(name, value)
    if (
        kind is tuple
        and isinstance(value, list | tuple)
        and all(isinstance(v, str) for v in value)
    ):
        return tuple(value)
    if isinstance(value, bool) == (kind is bool):
        if kind in (bool, str) and isinstance(value, kind):
            return value
        if kind is float and isinstance(value, float):
            return value
        if kind in (int, float) and (isinstance(value, str) or type(value) is int):
            try:
                return kind(value)
            except (ValueError, OverflowError):
                pass  # the same refusal as for any other value that does not fit
    such = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text",
        tuple: "a list of names",
    }
    raise UsageError(
        f"{name} = {value!r} is not {such[kind]}. Give one, such as {_example(wanted)}."
    )


def _example(default: Any) -> str:
    return {True: "true", False: "false", (): '["imdb", "sst2"]'}.get(
        default, repr(default)
    )


def _listed(name: str, text: str) -> tuple[str, ...]:
    """Names by commas; one that holds a comma stands in double quotes."""
    import csv

    try:
        rows = list(csv.reader([text], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise UsageError(
            f"{name} = {text!r} cannot be read ({error}). Put commas between "
            "names, quotes around a name with a comma."
        ) from error
    return tuple(filter(None, map(str.strip, rows[0] if rows else ())))


def _checked(settings: Settings) -> Settings:
    from specfair.texts import corpora

    for ok, name, rule in _rules(settings):
        if not ok:
            raise UsageError(
                f"{name} = {getattr(settings, name)!r} does not fit: {rule}."
            )
    for name in settings.datasets:
        if name not in corpora.NAMES and not name.startswith("file:"):
            raise UsageError(unknown("dataset", name, corpora.NAMES))
    _ = settings.deployed  # refuses what it cannot read
    return settings


def _rules(settings: Settings) -> list[tuple[bool, str, str]]:
    # others are off where they are empty
    given = [f.name for f in OPTIONS if isinstance(f.default, str) and f.default]
    return [
        *(
            (
                bool(getattr(settings, name).strip()),
                name,
                "it names something; leave the key out for the default",
            )
            for name in given
        ),
        (
            settings.max_new_tokens >= 1,
            "max_new_tokens",
            "at least 1 token must be generated",
        ),
        (
            0 <= settings.temperature < float("inf"),
            "temperature",
            "0 for greedy, or a positive number",
        ),
        (
            0 < settings.top_p <= 1,
            "top_p",
            "it lies above 0 and is at most 1, which switches it off",
        ),
        (
            settings.top_k >= 0,
            "top_k",
            "0 switches it off; otherwise a positive number",
        ),
        (
            settings.prompts_per_group >= 0,
            "prompts_per_group",
            "0 for all; otherwise a positive number",
        ),
        (
            settings.checkpoints >= 0,
            "checkpoints",
            "0 for none; otherwise a positive number",
        ),
        (settings.min_prompts >= 1, "min_prompts", "at least 1"),
        (settings.ambiguous in ("drop", "keep"), "ambiguous", "drop or keep"),
        (
            0 <= settings.cost_ratio < float("inf"),
            "cost_ratio",
            "0 to measure it, or a positive number",
        ),
        (settings.engine in ("replay", "live"), "engine", "replay or live"),
        (
            settings.embedded == (settings.draft == EMBEDDED),
            "draft",
            (
                "target and draft are both embedded or neither; give "
                "--specfair-target and --specfair-draft together"
            ),
        ),
    ]
