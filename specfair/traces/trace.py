"""A Trace: every token the target wrote for every prompt, and what the draft made of
it, in columns.

Everything after the tracer is a pure function of a Trace. This module knows how the
columns are laid out and how they reach disk (Parquet with a JSON header); it does not
know how they were computed, nor what will be asked of them.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specfair.errors import DataError, StoreError
from specfair.texts import tables
from specfair.texts.prompts import Prompt
from specfair.typed import json_of, typed

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SCHEMA = 1
MAX_BYTES = 1 << 36  # of columns, unpacked: 64 GiB

COLUMNS: Mapping[str, type] = {
    "token": np.int32,  # what the target wrote
    # of that token, as deployed; at temperature 1 under greedy decoding
    "target_prob": np.float32,
    "draft_prob": np.float32,  # likewise, by the draft
    # the coin: min(1, draft_prob / target_prob); greedy: draft's first choice == token
    "accept_prob": np.float32,
    "overlap": np.float32,  # sum of min(target, draft) at temperature 1
    "target_entropy": np.float32,  # nats, at temperature 1
    # KL(target, draft), nats, at temperature 1; entropy + kl is the cross entropy
    "kl": np.float32,
    # target's best minus second-best probability at temperature 1: near-ties are
    # visible
    "margin": np.float32,
    "proposal": np.int32,  # one realised proposal of the draft at this position
    "proposal_target_prob": np.float32,
    "proposal_draft_prob": np.float32,
    "accepted": np.bool_,  # whether that proposal was accepted; then proposal == token
}


@dataclass(frozen=True, slots=True)
class Decoding:
    """How text is decoded. Temperature 0 is greedy; top_k 0 and top_p 1 switch those
    filters off.
    """

    max_new_tokens: int = 20
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    ignore_eos: bool = False

    @property
    def greedy(self) -> bool:
        return self.temperature == 0.0

    def __str__(self) -> str:
        how = "greedy" if self.greedy else f"temperature {self.temperature:g}"
        filters = [f"top_k {self.top_k}"] * (self.top_k > 0) + [
            f"top_p {self.top_p:g}"
        ] * (self.top_p < 1)
        budget = "exactly" if self.ignore_eos else "at most"
        return ", ".join([how, *filters, f"{budget} {self.max_new_tokens} new tokens"])


@dataclass(frozen=True, slots=True)
class Header:
    """Everything needed to know what a Trace is a trace of."""

    target: str  # name as the user gave it
    draft: str
    target_fingerprint: str
    draft_fingerprint: str
    tokenizer_fingerprint: str
    prompts: str  # name of the prompt set
    prompts_fingerprint: str
    decoding: Decoding
    dtype: str
    device: str
    eos: tuple[int, ...]
    # draft step time / target step time, where it was measured
    cost_ratio: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class Trace:
    """Columns over tokens; prompt i owns rows offsets[i]:offsets[i + 1]."""

    header: Header
    prompts: tuple[Prompt, ...]
    offsets: NDArray[np.int64]  # (n_prompts + 1,)
    columns: Mapping[str, NDArray[Any]]  # each (n_tokens,)

    def __getitem__(self, column: str) -> NDArray[Any]:
        return self.columns[column]

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def n_tokens(self) -> int:
        return int(self.offsets[-1])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """New tokens per prompt."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> NDArray[np.int64]:
        """For each token, the index of its prompt."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def per_prompt(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sums of a token column by prompt; a prompt without tokens has 0."""
        sums = np.bincount(
            self.rows, weights=values.astype(np.float64), minlength=len(self)
        )
        return sums.astype(np.float64)  # without tokens bincount counts in integers

    def select(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> "Trace":
        """The trace of some prompts only: those a mask marks, or those at these places
        in this order.
        """
        chosen = np.flatnonzero(keep) if keep.dtype == np.bool_ else keep
        lengths = self.lengths[chosen]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        tokens = np.arange(offsets[-1]) + np.repeat(
            self.offsets[chosen] - offsets[:-1], lengths
        )
        return replace(
            self,
            prompts=tuple(self.prompts[i] for i in chosen.tolist()),
            offsets=offsets,
            columns={name: values[tokens] for name, values in self.columns.items()},
        )

    @property
    def frame(self) -> "pd.DataFrame":
        """One row per token, with the prompt's labels: for pandas users and for
        plots.
        """
        import pandas as pd

        labels = {
            name: np.array([getattr(p, name) for p in self.prompts])[self.rows]
            for name in _LABELS
        }
        position = np.arange(self.n_tokens) - np.repeat(self.offsets[:-1], self.lengths)
        return pd.DataFrame({**labels, "position": position, **self.columns})


_LABELS = ("id", "group", "cluster", "template")


def save(trace: Trace, path: Path) -> None:
    """Write one Parquet file. Atomicity is the store's business."""
    import pyarrow.parquet as pq

    header = asdict(trace.header) | {
        "trace_prompts": [asdict(p) for p in trace.prompts]
    }
    table = _table(trace).replace_schema_metadata(
        {b"specfair": json.dumps(header).encode()}
    )
    pq.write_table(table, path, compression="zstd")


def _table(trace: Trace) -> "pa.Table":
    import pyarrow as pa

    return pa.table(
        {
            "prompt": trace.rows.astype(np.int32),
            **{n: trace.columns[n] for n in COLUMNS},
        }
    )


def load(path: Path) -> Trace:
    """Read what `save` wrote; anything else is a StoreError that says so."""
    try:
        table = tables.whole(path, limit=MAX_BYTES)
        header = json_of(table.schema.metadata[b"specfair"])
        return _build(table, header)
    except (
        DataError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
    ) as error:
        raise StoreError(
            f"trace {path.name!r} cannot be read ({type(error).__name__}); traces are "
            "Parquet of "
            f"schema {SCHEMA}. Delete it and it is computed again."
        ) from error


def _build(table: "pa.Table", header: dict[str, Any]) -> Trace:
    if header.get("schema") != SCHEMA:
        raise ValueError("schema")
    prompts = tuple(Prompt(**p) for p in header.pop("trace_prompts"))
    if any(
        type(getattr(p, name)) is not str for name in Prompt.__slots__ for p in prompts
    ):
        raise TypeError("prompts")
    owner = table["prompt"].to_numpy()
    counts = np.bincount(owner, minlength=len(prompts))
    if len(counts) != len(prompts) or (np.diff(owner) < 0).any():
        raise ValueError("prompt")
    columns = {
        name: table[name].to_numpy().astype(kind, copy=False)
        for name, kind in COLUMNS.items()
    }
    return Trace(
        typed(Header, header),
        prompts,
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        columns,
    )


def concatenate(traces: "Iterator[Trace] | list[Trace]") -> Trace:
    """Traces of the same pair and decoding, one after the other."""
    parts = list(traces)
    lengths = np.concatenate([t.lengths for t in parts])
    return replace(
        parts[0],
        prompts=tuple(p for t in parts for p in t.prompts),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        columns={
            name: np.concatenate([t.columns[name] for t in parts]) for name in COLUMNS
        },
    )
