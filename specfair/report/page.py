"""A Report: one run as it is stored and as a page shows it, in tidy rows.

Knows the columns and their JSON form. It does not know how the numbers came about, nor
what any page looks like; it needs nothing but the standard library, so a stored run
opens anywhere.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from specfair.errors import StoreError
from specfair.report.tables import (
    DECISIONS,
    N_BINS,
    ROWS,
    VERDICT,
    BaselineRow,
    EstimateRow,
    ExampleRow,
    FrequencyRow,
    GapRow,
    HistogramRow,
    MentionRow,
    MistakeRow,
    PairRow,
    SplitRow,
    TrainingRow,
)
from specfair.texts.reading import json_of
from specfair.typed import typed

__all__ = [
    "N_BINS",
    "ROWS",
    "SCHEMA",
    "BaselineRow",
    "EstimateRow",
    "ExampleRow",
    "FrequencyRow",
    "GapRow",
    "HistogramRow",
    "MentionRow",
    "MistakeRow",
    "PairRow",
    "Report",
    "SplitRow",
    "TrainingRow",
]

SCHEMA = 1
RETIRED = ("recipes",)  # stood empty in runs stored by an earlier version


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
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
    verdicts: tuple[Mapping[str, Any], ...] = ()
    estimates: tuple[EstimateRow, ...] = ()
    gaps: tuple[GapRow, ...] = ()
    pairs: tuple[PairRow, ...] = ()
    histograms: tuple[HistogramRow, ...] = ()
    mistakes: tuple[MistakeRow, ...] = ()
    mentions: tuple[MentionRow, ...] = ()
    splits: tuple[SplitRow, ...] = ()
    training: tuple[TrainingRow, ...] = ()
    frequency: tuple[FrequencyRow, ...] = ()
    examples: tuple[ExampleRow, ...] = ()
    baseline: tuple[BaselineRow, ...] = ()
    schema: int = SCHEMA

    @property
    def about(self) -> str:
        """What the run was measured on, in one line; empty where nothing was."""
        return about(self.settings, self.prompts, self.decoding) if self.groups else ""

    def to_json(self) -> str:
        """The stored form: sorted keys, six significant digits, NaN and infinity as
        null.
        """
        plain = {
            f.name: _plain(getattr(self, f.name))
            for f in fields(self)
            if f.name not in ROWS
        }
        tables = {name: _table(row, getattr(self, name)) for name, row in ROWS.items()}
        return (
            json.dumps(
                {**plain, **tables}, sort_keys=True, allow_nan=False, indent=None
            )
            + "\n"
        )

    def plain(self) -> "Report":
        """The run as a stored copy reads: no numpy types, rounded. What is drawn is
        what is stored.
        """
        return Report.from_json(self.to_json())

    @classmethod
    def from_json(cls, text: str) -> "Report":
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
            return cls(
                **{
                    name: _value(name, kinds, value)
                    for name, value in stored.items()
                    if name not in RETIRED
                }
            )
        except (TypeError, KeyError, ValueError) as error:
            raise StoreError(
                f"stored run is damaged ({error}). Run the evals again."
            ) from error


def _value(name: str, kinds: Mapping[str, Any], stored: Any) -> Any:
    """One field; what is wrong with it is said with its name."""
    try:
        if name in ROWS:
            return _rows(ROWS[name], stored)
        found = typed(kinds[name], stored)
        if name == "verdicts":
            return tuple(map(_verdict, found))
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error
    return found


def _verdict(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a page reads of it has its type; a decision that nobody knows is not a
    pass.
    """
    for key in stored.keys() & VERDICT.keys():
        typed(VERDICT[key], stored[key])
    return (
        stored
        if stored.get("decision") in DECISIONS
        else {**stored, "decision": "invalid"}
    )


def about(settings: Mapping[str, Any], prompts: str, decoding: str) -> str:
    """The pair (and the ready-made one beside it), prompts, decoding and lookahead:
    what tells two audits apart.
    """
    target, draft = (str(settings.get(name, "")) for name in ("target", "draft"))
    tuned = [
        str(settings.get(f"tuned_{role}") or base)
        for role, base in (("target", target), ("draft", draft))
    ]
    pair = f"{target} / {draft}" + f", then {tuned[0]} / {tuned[1]}" * (
        tuned != [target, draft]
    )
    return "; ".join(
        part
        for part in (pair, prompts, decoding, str(settings.get("lookahead", "")))
        if part
    )


def elsewhere(report: Report, verdict: Mapping[str, Any]) -> str:
    """What a verdict is about where that is another audit than the report's own;
    otherwise empty.
    """
    named = str(verdict.get("about") or "")
    return "" if named == report.about else named


def _plain(value: Any) -> Any:
    """The value as JSON has it: floats rounded or null, tuples as lists, keys as
    text.
    """
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return str(value)


def _table(row: type, rows: tuple[Any, ...]) -> dict[str, Any]:
    columns = [f.name for f in fields(row)]
    return {
        "columns": columns,
        "rows": [[_plain(getattr(entry, name)) for name in columns] for entry in rows],
    }


def _rows(row: type, stored: Any) -> tuple[Any, ...]:
    table = typed(Mapping[str, Any], stored)
    kinds = {f.name: f.type for f in fields(row)}
    columns = typed(tuple[str, ...], table["columns"])
    return tuple(
        row(
            **{
                name: typed(kinds[name], value)
                for name, value in zip(columns, entry, strict=True)
            }
        )
        for entry in typed(tuple[tuple[Any, ...], ...], table["rows"])
    )
