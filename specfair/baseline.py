"""A Baseline: what was measured once, by prompt, kept in git so that later runs can be compared with it in pairs.

Knows its file (versioned, checksummed, one line a thing, so that diffs are small) and how two of them compare. It does
not know models or bounds, and it never changes by itself.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from specfair import stats
from specfair.errors import DataError, StoreError, counted
from specfair.reading import json_of, whole
from specfair.stats import Estimate, Sample
from specfair.store import write_text_atomically

SCHEMA = 1
FOLDER = Path("reports") / "baselines"
_LABELS = ("prompt", "group", "cluster", "template")
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Baseline:
    """Numerators and denominators of one metric for every prompt, by stage (`base` or a dataset)."""

    about: Mapping[str, str]  # metric, lookahead, decoding, prompt set and its fingerprint, models
    labels: Mapping[str, tuple[str, ...]]  # prompt, group, cluster, template: one entry per prompt
    counts: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]

    def sample(self, stage: str) -> Sample:
        """The stage's counts; a stage that is not here is an error that says what is."""
        if stage not in self.counts:
            raise StoreError(
                f"baseline has no {stage!r}; it holds {', '.join(self.counts)}. Add it with --specfair-update-baseline."
            )
        numerator, denominator = (np.array(column, dtype=np.float64) for column in self.counts[stage])
        labels = (np.array(self.labels[name], dtype=np.str_) for name in _LABELS)
        return Sample(numerator, denominator, *labels)


def take(samples: Mapping[str, Sample], about: Mapping[str, str]) -> Baseline:
    """A baseline of these samples, which are of the same prompts."""
    first = next(iter(samples.values()))
    labels = {name: tuple(getattr(first, name).tolist()) for name in _LABELS}
    counts = {stage: (_rounded(s.numerator), _rounded(s.denominator)) for stage, s in samples.items()}
    return Baseline(about, labels, counts)


def _rounded(values: Any) -> tuple[float, ...]:
    return tuple(round(v, _DIGITS) for v in values.tolist())


def merge(parts: Iterable[Baseline]) -> Baseline:
    """The stages of all parts, which are of one run."""
    found = list(parts)
    return replace(found[0], counts={stage: c for part in found for stage, c in part.counts.items()})


def dumps(baseline: Baseline) -> str:
    """The file: a header, then labels and counts, one group of one column a line."""
    body = {
        "about": dict(sorted(baseline.about.items())),
        "counts": {
            s: dict(zip(("numerator", "denominator"), c, strict=True)) for s, c in sorted(baseline.counts.items())
        },
        "estimates": {f"{s}: {g}": v for s in sorted(baseline.counts) for g, v in _values(baseline.sample(s))},
        "labels": dict(baseline.labels),
    }
    return _lines({"schema": SCHEMA, "checksum": _checksum(body), **body}) + "\n"


def _values(sample: Sample) -> list[tuple[str, float | None]]:
    values = [(group, sample.of(group).value) for group in sample.groups]
    return [(group, round(v, _DIGITS) if np.isfinite(v) else None) for group, v in (("overall", sample.value), *values)]


def _checksum(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _lines(value: Any, depth: int = 0) -> str:
    """JSON with one entry of a mapping a line, and whole lists on theirs."""
    if not isinstance(value, Mapping):
        return json.dumps(value)
    inner = ",\n".join(f"{' ' * (depth + 1)}{json.dumps(k)}: {_lines(v, depth + 1)}" for k, v in value.items())
    return f"{{\n{inner}\n{' ' * depth}}}"


def loads(text: str, name: str) -> Baseline:
    """Read what dumps wrote, or say why not."""
    again = "Make it again with --specfair-save-baseline."
    try:
        stored = json_of(text)
        schema, checksum = stored.pop("schema"), stored.pop("checksum")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise StoreError(
            f"baseline {name!r} is not a whole baseline file ({type(error).__name__}: {error}). {again}"
        ) from error
    if schema != SCHEMA:
        raise StoreError(f"baseline {name!r} has schema {schema!r}; this version reads {SCHEMA}. {again}")
    if checksum != _checksum(stored):
        raise StoreError(f"baseline {name!r} does not match its checksum: it was edited or damaged. {again}")
    try:
        return _built(stored)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise StoreError(
            f"baseline {name!r} is not what specfair writes ({type(error).__name__}: {error}). {again}"
        ) from error


def _built(stored: Mapping[str, Any]) -> Baseline:
    """The columns, all of one length: texts as labels, finite numbers as counts."""
    labels = {label: tuple(_each(stored["labels"][label], str)) for label in _LABELS}
    counts = {
        s: (tuple(_each(c["numerator"], float)), tuple(_each(c["denominator"], float)))
        for s, c in stored["counts"].items()
    }
    lengths = {len(column) for column in (*labels.values(), *(c for pair in counts.values() for c in pair))}
    if len(lengths) != 1 or lengths == {0} or not counts:
        raise ValueError(f"{len(counts)} stages with columns of {', '.join(map(str, sorted(lengths)))} entries")
    return Baseline(dict(zip(stored["about"], _each([*stored["about"].values()], str), strict=True)), labels, counts)


def _each(column: Any, kind: type) -> Iterator[Any]:
    if not isinstance(column, list):
        raise TypeError(f"{repr(column)[:40]} is no column")
    for value in column:
        known = isinstance(value, str) if kind is str else isinstance(value, int | float) and abs(value) < math.inf
        if not known or isinstance(value, bool):
            raise ValueError(f"{repr(value)[:40]} is no {'text' if kind is str else 'number'}")
        yield kind(value)


def path_of(name: str, root: Path) -> Path:
    """Where the baseline of this name is; a path to a .json file is taken as it is."""
    return Path(name) if name.endswith(".json") else root / FOLDER / f"{name}.json"


def read(name: str, root: Path) -> Baseline:
    """The stored baseline of this name."""
    path = path_of(name, root)
    try:
        return loads(whole(path), name)
    except DataError as error:
        if os.path.exists(path):
            raise StoreError(f"baseline {name!r} cannot be read: {error} Or make it again.") from error
        there = sorted(p.stem for p in path.parent.glob("*.json"))
        raise StoreError(
            f"baseline {name!r} does not exist; stored here: {', '.join(there) or 'none'}. Make it with "
            f"--specfair-save-baseline {name}."
        ) from error


def save(baseline: Baseline, name: str, *, root: Path, update: bool = False) -> list[str]:
    """Write it, and return what changed in words. Without `update` an existing file is left alone."""
    path = path_of(name, root)
    if not path.exists():
        write_text_atomically(path, dumps(baseline))
        what = f"{counted(len(baseline.counts), 'stage')}, {counted(len(baseline.labels['prompt']), 'prompt')}"
        return [f"baseline {name!r} saved: {what}"]
    if not update:
        raise StoreError(f"baseline {name!r} exists and is never overwritten unasked. Use --specfair-update-baseline.")
    old = read(name, root)
    same = _same_question(old, baseline)
    new = replace(baseline, counts={**old.counts, **baseline.counts}) if same else baseline
    said = _changed(old, new) if same else [f"baseline {name!r} was of other prompts or settings and was replaced"]
    write_text_atomically(path, dumps(new))
    return said or [f"baseline {name!r} is unchanged"]


def _changed(old: Baseline, new: Baseline) -> list[str]:
    lines = []
    for stage in new.counts:
        before = dict(_values(old.sample(stage))) if stage in old.counts else {}
        for group, value in _values(new.sample(stage)):
            if before.get(group) != value:
                lines.append(f"baseline {stage}-{group}: {before.get(group, 'absent')} -> {value}")
    return lines


def _same_question(a: Baseline, b: Baseline) -> bool:
    return not differences(a, b)


def differences(old: Baseline, new: Baseline) -> list[str]:
    """Why two baselines cannot be compared; models may differ, since they are what is compared."""
    names = ("metric", "lookahead", "decoding", "prompts_fingerprint")
    return [
        f"{n} {old.about.get(n)!r} is not {new.about.get(n)!r}" for n in names if old.about.get(n) != new.about.get(n)
    ]


def check_comparable(old: Baseline, new: Baseline, name: str) -> None:
    """Refuse to compare what was measured differently."""
    found = differences(old, new)
    if found:
        raise StoreError(
            f"baseline {name!r} answers another question: {'; '.join(found)}. Measure with its settings, or make a new "
            "one with --specfair-update-baseline."
        )


def compare(old: Baseline, new: Baseline, stage: str) -> dict[str, Estimate]:
    """For each group, and for `overall`, new minus old on the same prompts."""
    before, after = old.sample(stage), new.sample(stage)
    return {"overall": stats.change(before, after), **stats.changes(before, after)}


def stale(old: Baseline, new: Baseline) -> list[str]:
    """Stages the baseline holds that were not measured."""
    return [stage for stage in old.counts if stage not in new.counts]
