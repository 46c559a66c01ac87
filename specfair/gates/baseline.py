"""A Baseline: what was measured once, by prompt, kept in git so that later runs can be
compared with it in pairs.

Knows its file (versioned, checksummed, one line a thing, so that diffs are small) and
how two of them compare. It does not know models or bounds, and it never changes by
itself.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from specfair import outputs, stats
from specfair.errors import DataError, StoreError, UsageError, counted
from specfair.stats import Estimate, Sample
from specfair.store import write_text_atomically
from specfair.texts.reading import whole_text
from specfair.typed import json_of
from specfair.vocabulary import Stage

SCHEMA = 1
FOLDER = Path("reports") / "baselines"
_LABELS = ("prompt", "group", "cluster", "template")
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Baseline:
    """Numerators and denominators of one metric for every prompt, by stage."""

    # metric, lookahead, decoding, prompt set and its fingerprint, models
    about: Mapping[str, str]
    # prompt, group, cluster, template: one entry per prompt
    labels: Mapping[str, tuple[str, ...]]
    counts: Mapping[Stage, tuple[tuple[float, ...], tuple[float, ...]]]

    def sample(self, stage: Stage) -> Sample:
        """The stage's counts; a stage that is not here is an error that says what
        is.
        """
        if stage not in self.counts:
            raise StoreError(
                f"baseline has no {str(stage)!r}; it holds "
                f"{', '.join(map(str, self.counts))}. Add it with "
                "--specfair-update-baseline."
            )
        numerator, denominator = (
            np.array(column, dtype=np.float64) for column in self.counts[stage]
        )
        labels = (np.array(self.labels[name], dtype=np.str_) for name in _LABELS)
        return Sample(numerator, denominator, *labels)


def take(samples: Mapping[Stage, Sample], about: Mapping[str, str]) -> Baseline:
    """A baseline of these samples, which are of the same prompts."""
    first = next(iter(samples.values()))
    labels = {name: tuple(getattr(first, name).tolist()) for name in _LABELS}
    counts = {
        stage: (_rounded(s.numerator), _rounded(s.denominator))
        for stage, s in samples.items()
    }
    return Baseline(about, labels, counts)


def _rounded(values: Any) -> tuple[float, ...]:
    return tuple(round(v, _DIGITS) for v in values.tolist())


def merge(parts: Iterable[Baseline]) -> Baseline:
    """The stages of all parts, which are of one run."""
    found = list(parts)
    return replace(
        found[0],
        counts={stage: c for part in found for stage, c in part.counts.items()},
    )


def dumps(baseline: Baseline) -> str:
    """The file: a header, then labels and counts, one group of one column a line."""
    in_order = sorted(baseline.counts, key=str)
    body = {
        "about": dict(sorted(baseline.about.items())),
        "counts": {
            str(s): dict(
                zip(("numerator", "denominator"), baseline.counts[s], strict=True)
            )
            for s in in_order
        },
        "estimates": {
            str(s) + f": {g}" * (g is not None): v
            for s in in_order
            for g, v in _values(baseline.sample(s))
        },
        "labels": dict(baseline.labels),
    }
    return _lines({"schema": SCHEMA, "checksum": _checksum(body), **body}) + "\n"


def _values(sample: Sample) -> list[tuple[str | None, float]]:
    """The value over all groups, under None since any name may be a group's, then each
    group's.
    """
    values = [(group, sample.of(group).value) for group in sample.groups]
    return [(group, round(v, _DIGITS)) for group, v in ((None, sample.value), *values)]


def invalid(baseline: Baseline) -> str:
    """Why it cannot be kept: the first stage and group without a number; empty where
    every one has its number.
    """
    for stage in baseline.counts:
        sample = baseline.sample(stage)
        for group in sample.groups:
            if not np.isfinite(sample.of(group).value):
                counted = bool(sample.of(group).denominator.any())
                return (
                    f"{stage} has no number for {group!r} "
                    f"({'NaN' if counted else 'nothing was counted'})"
                )
    return "" if baseline.counts else "nothing was measured"


def _checksum(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(
        json.dumps(body, sort_keys=True, allow_nan=False).encode()
    ).hexdigest()


def _lines(value: Any, depth: int = 0) -> str:
    """JSON with one entry of a mapping a line, and whole lists on theirs."""
    if not isinstance(value, Mapping):
        return json.dumps(value, allow_nan=False)
    inner = ",\n".join(
        f"{' ' * (depth + 1)}{json.dumps(k)}: {_lines(v, depth + 1)}"
        for k, v in value.items()
    )
    return f"{{\n{inner}\n{' ' * depth}}}"


def loads(text: str, name: str) -> Baseline:
    """Read what dumps wrote, or say why not."""
    again = (
        "Restore it from git, or delete it and make it again with "
        "--specfair-save-baseline."
    )
    try:
        stored = json_of(text)
        schema, checksum = stored.pop("schema"), stored.pop("checksum")
        found = _checksum(stored)  # NaN has none
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise StoreError(
            f"baseline {name!r} is not a whole baseline file "
            f"({type(error).__name__}: {error}). {again}"
        ) from error
    if schema != SCHEMA:
        raise StoreError(
            f"baseline {name!r} has schema {schema!r}; this version reads "
            f"{SCHEMA}. {again}"
        )
    if checksum != found:
        raise StoreError(
            f"baseline {name!r} does not match its checksum: it was edited or "
            f"damaged. {again}"
        )
    try:
        return _built(stored)
    except (ValueError, KeyError, AttributeError, TypeError, OverflowError) as error:
        raise StoreError(
            f"baseline {name!r} does not hold what a baseline holds "
            f"({type(error).__name__}: {error}). {again}"
        ) from error


def _built(stored: Mapping[str, Any]) -> Baseline:
    """The baseline of a whole file, every column of the type and length it must
    have.
    """
    labels = {label: tuple(stored["labels"][label]) for label in _LABELS}
    counts = {
        Stage.of(s): (tuple(c["numerator"]), tuple(c["denominator"]))
        for s, c in stored["counts"].items()
    }
    for what, column in (
        (f"{s} counts", c) for s, both in counts.items() for c in both
    ):
        if not all(
            isinstance(x, int | float)
            and not isinstance(x, bool)
            and np.isfinite(float(x))
            for x in column
        ):
            raise TypeError(f"{what} are not all numbers")
        if len(column) != len(labels["prompt"]):
            raise ValueError(
                f"{what} are {len(column)} of {len(labels['prompt'])} prompts"
            )
    if not all(isinstance(x, str) for column in labels.values() for x in column):
        raise TypeError("labels are not all text")
    if len({len(column) for column in labels.values()}) != 1 or len(
        set(labels["prompt"])
    ) != len(labels["prompt"]):
        raise ValueError("labels are not one of each for every prompt")
    about = dict(stored["about"])
    if (
        not counts
        or not labels["prompt"]
        or not all(isinstance(x, str) for x in about.values())
    ):
        raise ValueError(
            "it holds no stage, no prompt, or does not say what it is about"
        )
    return Baseline(about, labels, counts)


def path_of(name: str, root: Path) -> Path:
    """Where the baseline of this name is: always in the project's reports/baselines."""
    return (
        root
        / FOLDER
        / f"{outputs.word(name.removesuffix('.json'), option='baseline')}.json"
    )


def check_asked(
    root: Path, *, compare: str | None, save: str | None, update: bool
) -> None:
    """Refuse before a run what could only fail after it; None where an option was not
    given.
    """
    if update and (save is not None or not compare):
        way = (
            "It goes with --specfair-baseline NAME"
            + ", not with --specfair-save-baseline" * (save is not None)
        )
        raise UsageError(
            "--specfair-update-baseline does not say which baseline it "
            f"replaces. {way}."
        )
    if save is not None and os.path.lexists(path_of(save, root)):
        raise _exists(save)
    if compare is not None and not (
        update and not os.path.lexists(path_of(compare, root))
    ):
        read(compare, root)


def exists(name: str, root: Path) -> bool:
    """Whether something stands where the baseline of this name is."""
    return os.path.lexists(path_of(name, root))


def read(name: str, root: Path) -> Baseline:
    """The stored baseline of this name."""
    return read_file(path_of(name, root), name)


def read_file(path: Path, name: str) -> Baseline:
    """The baseline in a file, wherever that is."""
    try:
        return loads(whole_text(path), name)
    except DataError as error:
        if os.path.exists(path):
            raise StoreError(
                f"baseline {name!r} cannot be read: {error} Or make it again."
            ) from error
        there = sorted(p.stem for p in path.parent.glob("*.json"))
        raise StoreError(
            f"baseline {name!r} does not exist; stored here: "
            f"{', '.join(there) or 'none'}. Make it with "
            f"--specfair-save-baseline {name}."
        ) from error


def save(
    baseline: Baseline, name: str, *, root: Path, update: bool = False
) -> list[str]:
    """Write it, and return what changed in words. Without `update` an existing file is
    left alone.
    """
    wrong = invalid(baseline)
    if wrong:
        raise StoreError(
            f"baseline {name!r} is not written: {wrong}. Mend what made the "
            "run invalid and run again."
        )
    path = path_of(name, root)
    if not os.path.lexists(path):
        write_text_atomically(path, dumps(baseline))
        what = (
            f"{counted(len(baseline.counts), 'stage')}, "
            f"{counted(len(baseline.labels['prompt']), 'prompt')}"
        )
        return [f"baseline {name!r} saved: {what}"]
    if not update:
        raise _exists(name)
    old = read(name, root)
    other = differences(old, baseline) + _other_pair(old, baseline)
    lost = [stage for stage in old.counts if stage not in baseline.counts]
    new = (
        baseline
        if other
        else replace(baseline, counts={**old.counts, **baseline.counts})
    )
    said = [] if differences(old, baseline) else _changed(old, new)
    said += [
        (
            f"baseline {name!r} was of something else ({'; '.join(other)}) and was "
            "replaced"
        )
    ] * bool(other)
    if other and lost:
        names = ", ".join(map(str, lost))
        said.append(f"baseline {name!r} dropped what was not measured again: {names}")
    write_text_atomically(path, dumps(new))
    return said or [f"baseline {name!r} is unchanged"]


def _exists(name: str) -> StoreError:
    return StoreError(
        f"baseline {name!r} exists and is never overwritten unasked. Use "
        f"--specfair-baseline {name} "
        "--specfair-update-baseline."
    )


def _changed(old: Baseline, new: Baseline) -> list[str]:
    lines = []
    for stage in new.counts:
        before = dict(_values(old.sample(stage))) if stage in old.counts else {}
        for group, value in _values(new.sample(stage)):
            if before.get(group) != value:
                lines.append(
                    f"baseline {case_of(stage, group)}: "
                    f"{before.get(group, 'absent')} -> {value}"
                )
    return lines


def case_of(stage: Stage, group: str | None) -> str:
    """What a case is called: the stage alone is all groups together."""
    return str(stage) if group is None else f"{stage}-{group}"


def differences(old: Baseline, new: Baseline) -> list[str]:
    """Why two baselines cannot be compared; models may differ, since they are what is
    compared.
    """
    return _differing(
        old, new, ("metric", "lookahead", "decoding", "prompts_fingerprint")
    )


def _other_pair(old: Baseline, new: Baseline) -> list[str]:
    """Why stages of two baselines cannot stand in one; what an older file does not say
    is not held against it.
    """
    names = [
        n
        for n in ("target", "draft", "target_fingerprint", "draft_fingerprint")
        if n in old.about
    ]
    return _differing(old, new, names)


def _differing(old: Baseline, new: Baseline, names: Iterable[str]) -> list[str]:
    return [
        f"{n} {old.about.get(n)!r} is not {new.about.get(n)!r}"
        for n in names
        if old.about.get(n) != new.about.get(n)
    ]


def check_comparable(old: Baseline, new: Baseline, name: str) -> None:
    """Refuse to compare what was measured differently."""
    found = differences(old, new)
    if found:
        raise StoreError(
            f"baseline {name!r} answers another question: {'; '.join(found)}. Measure "
            "with its settings, or make a new "
            "one with --specfair-update-baseline."
        )


@dataclass(frozen=True, slots=True)
class Change:
    """New minus old on the same prompts: over all groups, and of each. A group may have
    any name, `overall` too.
    """

    overall: Estimate
    by_group: Mapping[str, Estimate]


def compare(old: Baseline, new: Baseline, stage: Stage) -> Change:
    """What has changed at one stage."""
    before, after = old.sample(stage), new.sample(stage)
    return Change(stats.change(before, after), stats.changes(before, after))


def stale(old: Baseline, new: Baseline) -> list[Stage]:
    """Stages the baseline holds that were not measured."""
    return [stage for stage in old.counts if stage not in new.counts]
