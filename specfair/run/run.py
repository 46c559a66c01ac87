"""A Run: what was measured and decided, as it is stored and as every form shows it.

Knows the tables, their JSON form and how the parts of several processes make one. It
does not know how the numbers came about, nor what any page looks like; it needs nothing
but the standard library, so a stored run opens anywhere.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar, get_args

from specfair.decoding import COUNTINGS
from specfair.errors import StoreError, ordinal
from specfair.run.closer import TextRow, WaitRow
from specfair.run.drafts import DraftRow
from specfair.run.mended import MendingRow
from specfair.run.rows import (
    ROWS,
    BaselineRow,
    EstimateRow,
    ExampleRow,
    FrequencyRow,
    GapRow,
    HistogramRow,
    MentionRow,
    MistakeRow,
    PairRow,
    RankRow,
    SliceRow,
    SplitRow,
    SwapRow,
)
from specfair.run.verdict import Excuse, Verdict
from specfair.typed import json_of, typed
from specfair.vocabulary import DECISIONS, Decision, Stage

T = TypeVar("T")
SCHEMA = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One stored run. Everything a page says is computed from these fields and nothing
    else.
    """

    created: str  # ISO 8601
    command: str
    groups: tuple[str, ...]
    datasets: tuple[str, ...] = ()
    target: str = ""
    draft: str = ""
    prompts: str = ""  # the prompt set in words
    decoding: str = ""  # in words
    lookahead: str = "constant-5"  # the one gates look at
    metric: str = "acceptance_rate"  # likewise
    # dataset -> its source in words
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # dropped prompts and other things a reader must know
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    # metric -> one sentence
    definitions: Mapping[str, str] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    # of failing by mistake: at most, and if its questions were independent
    chance: tuple[float, ...] = ()
    estimates: tuple[EstimateRow, ...] = ()
    changes: tuple[EstimateRow, ...] = ()
    gaps: tuple[GapRow, ...] = ()
    widenings: tuple[GapRow, ...] = ()
    pairs: tuple[PairRow, ...] = ()
    ranks: tuple[RankRow, ...] = ()
    slices: tuple[SliceRow, ...] = ()
    drafts: tuple[DraftRow, ...] = ()
    swaps: tuple[SwapRow, ...] = ()
    histograms: tuple[HistogramRow, ...] = ()
    mistakes: tuple[MistakeRow, ...] = ()
    mentions: tuple[MentionRow, ...] = ()
    splits: tuple[SplitRow, ...] = ()
    training: tuple[EstimateRow, ...] = ()
    frequency: tuple[FrequencyRow, ...] = ()
    examples: tuple[ExampleRow, ...] = ()
    texts: tuple[TextRow, ...] = ()
    waits: tuple[WaitRow, ...] = ()
    baseline: tuple[BaselineRow, ...] = ()
    mending: tuple[MendingRow, ...] = ()
    schema: int = SCHEMA

    @property
    def about(self) -> str:
        """What the run was measured on, in one line; empty where nothing was."""
        if not self.groups:
            return ""
        return measured_on(self.settings, self.prompts, self.decoding)

    def ranked(self, at: Stage) -> dict[str, RankRow]:
        """The ranks that groups may have at a stage."""
        here = (at, self.metric)
        return {r.group: r for r in self.ranks if (r.stage, r.metric) == here}

    def doubt(self, at: Stage, group: str) -> str:
        """What follows "slowest" where that is not sure: the ranks it may have."""
        row = self.ranked(at).get(group)
        if row is None or row.rank_low == row.rank_high:
            return ""
        places = f"{ordinal(row.rank_low)} to {ordinal(row.rank_high)}"
        return f" as measured (it may be {places} slowest of {row.n_groups})"

    def elsewhere(self, verdict: Verdict) -> str:
        """What a verdict is about where that is another audit than the run's own."""
        return "" if verdict.about == self.about else verdict.about

    def to_json(self) -> str:
        """The stored form: sorted keys, six significant digits, NaN and infinity as
        null.
        """
        stored = {
            f.name: _table(ROWS[f.name], getattr(self, f.name))
            if f.name in ROWS
            else stored_form(getattr(self, f.name))
            for f in fields(self)
        }
        return json.dumps(stored, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Run":
        """Read what to_json wrote; StoreError on anything else."""
        try:
            stored = json_of(text)
        except ValueError as error:
            raise StoreError(
                f"stored run is not JSON ({error}). Run the evals again."
            ) from error
        schema = stored.get("schema") if isinstance(stored, dict) else None
        if schema != SCHEMA or isinstance(schema, bool):
            raise StoreError(
                f"stored run has schema {schema!r}; this version reads "
                f"{SCHEMA}. Run the evals again."
            )
        kinds = {f.name: f.type for f in fields(cls)}
        try:
            return cls(**{name: _field(name, kinds, v) for name, v in stored.items()})
        except (TypeError, KeyError, ValueError) as error:
            raise StoreError(
                f"stored run is damaged ({error}). Run the evals again."
            ) from error


def merge(parts: Iterable[Run]) -> Run:
    """One Run with the rows of all parts, each once, in the order they come."""
    runs = list(parts)
    # a process may have measured nothing
    first = next((run for run in runs if run.groups), runs[0])
    runs = [first, *(run for run in runs if run is not first)]
    # rows of another audit would pass for this one's
    alike = [run for run in runs if run.about in ("", first.about)]
    tables: dict[str, Any] = {
        name: _each_once(row for run in alike for row in getattr(run, name))
        for name in ROWS
    }
    return replace(
        first,
        verdicts=_each_once(verdict for run in runs for verdict in run.verdicts),
        datasets=_each_once(dataset for run in alike for dataset in run.datasets),
        sources={d: source for run in alike for d, source in run.sources.items()},
        **tables,
    )


def in_order(run: Run, stages: Iterable[Stage], asked: Iterable[str]) -> Run:
    """The same as one process would have found it that measured the stages, and asked
    with these commands, in this order: of several, any may have been first.
    """
    stage_at = {stage.dataset: i for i, stage in enumerate(stages)}
    test_at = {command: i for i, command in enumerate(asked)}
    verdicts = sorted(
        run.verdicts, key=lambda v: test_at.get(v.reproduce, len(test_at))
    )
    asked_at: dict[tuple[str, str], int] = {}
    for verdict in verdicts:
        asked_at.setdefault((verdict.case, verdict.gate), len(asked_at))

    def place(row: Any) -> int:
        if isinstance(row, ExampleRow):
            return asked_at.get((row.case, row.gate), len(asked_at))
        stage = getattr(row, "stage", None)
        name = stage.dataset if stage else getattr(row, "dataset", "")
        return stage_at.get(name, len(stage_at))

    tables: dict[str, Any] = {
        name: tuple(sorted(getattr(run, name), key=place)) for name in ROWS
    }
    datasets = sorted(run.datasets, key=lambda d: stage_at.get(d, len(stage_at)))
    return replace(run, verdicts=tuple(verdicts), datasets=tuple(datasets), **tables)


def _each_once(values: Iterable[T]) -> tuple[T, ...]:
    """By what they show: a number that is none does not equal itself."""
    return tuple({repr(value): value for value in values}.values())


def measured_on(settings: Mapping[str, Any], prompts: str, decoding: str) -> str:
    """The pair (and the ready-made one beside it), prompts, decoding and lookahead:
    what tells two audits apart.
    """
    target, draft = (str(settings.get(name, "")) for name in ("target", "draft"))
    tuned = (
        str(settings.get("tuned_target") or target),
        str(settings.get("tuned_draft") or draft),
    )
    pair = f"{target} / {draft}"
    if tuned != (target, draft):
        pair += f", then {tuned[0]} / {tuned[1]}"
    if settings.get("server"):
        return "; ".join(filter(None, (settings["server"], prompts, decoding)))
    texts = settings.get("continuations", 1)
    decoding += f", {texts} texts a prompt" if texts > 1 else ""
    counted = COUNTINGS.get(str(settings.get("counting", "")), "")
    parts = (pair, prompts, decoding, str(settings.get("lookahead", "")), counted)
    return "; ".join(filter(None, parts))


def stored_form(value: Any) -> Any:
    """The value as JSON has it: floats rounded or null, tuples as lists, stages and
    keys as text.
    """
    if isinstance(value, Mapping):
        return {str(key): stored_form(inner) for key, inner in value.items()}
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [stored_form(inner) for inner in value]
    if isinstance(value, Verdict):
        return {f.name: stored_form(getattr(value, f.name)) for f in fields(value)}
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return stored_form(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return str(value)


def _table(kind: type, rows: tuple[Any, ...]) -> dict[str, Any]:
    columns = [f.name for f in fields(kind)]
    return {
        "columns": columns,
        "rows": [
            [stored_form(getattr(entry, name)) for name in columns] for entry in rows
        ],
    }


def _field(name: str, kinds: Mapping[str, Any], stored: Any) -> Any:
    """One field; what is wrong with it is said with its name."""
    try:
        if name in ROWS:
            return _rows(ROWS[name], stored)
        if name == "verdicts":
            verdicts = typed(tuple[Mapping[str, Any], ...], stored)
            return tuple(_made(Verdict, verdict) for verdict in verdicts)
        return typed(kinds[name], stored)
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error


def _rows(row: type[T], stored: Any) -> tuple[T, ...]:
    table = typed(Mapping[str, Any], stored)
    columns = typed(tuple[str, ...], table["columns"])
    entries = typed(tuple[tuple[Any, ...], ...], table["rows"])
    return tuple(_made(row, dict(zip(columns, e, strict=True))) for e in entries)


def _made(kind: type[T], stored: Mapping[str, Any]) -> T:
    """A row or a verdict, every value of the type its field declares."""
    kinds = {f.name: f.type for f in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    return kind(**{name: _value(kinds[name], value) for name, value in stored.items()})


def _value(kind: Any, stored: Any) -> Any:
    if kind is Decision:  # one that nobody knows is not a pass
        return stored if stored in DECISIONS else "invalid"
    if kind is Excuse:  # likewise one that nobody knows excuses nothing
        return stored if stored in get_args(Excuse) else ""
    if kind in (Stage, Stage | None):
        text = typed(str if kind is Stage else str | None, stored)
        return None if text is None else Stage.parse(text)
    return typed(kind, stored)
