"""The file of a Baseline, kept in git: versioned, checksummed, one line a thing, so
that diffs are small.

Knows where it lies and that it never changes unasked. Does not know how two compare.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from specfair import outputs
from specfair.errors import DataError, StoreError, UsageError, counted
from specfair.gates.baseline import (
    LABELS,
    Baseline,
    case_of,
    differences,
    of_other_models,
    unmeasured,
    values_of,
)
from specfair.run.files import write_text_atomically
from specfair.texts.reading import whole_text
from specfair.typed import json_of
from specfair.vocabulary import Stage

SCHEMA = 1
FOLDER = Path("reports") / "baselines"


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
            f"{s}: {g}" if g is not None else str(s): v
            for s in in_order
            for g, v in values_of(baseline.sample(s))
        },
        "labels": dict(baseline.labels),
    }
    return _lines({"schema": SCHEMA, "checksum": _checksum(body), **body}) + "\n"


def _checksum(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(
        json.dumps(body, sort_keys=True, allow_nan=False).encode()
    ).hexdigest()


def _lines(value: Any, margin: str = "") -> str:
    """JSON with one entry of a mapping a line, and whole lists on theirs."""
    if not isinstance(value, Mapping):
        return json.dumps(value, allow_nan=False)
    inner = ",\n".join(
        f"{margin} {json.dumps(k)}: {_lines(v, margin + ' ')}" for k, v in value.items()
    )
    return f"{{\n{inner}\n{margin}}}"


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
    labels = {label: tuple(stored["labels"][label]) for label in LABELS}
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
        way = "It goes with --specfair-baseline NAME"
        if save is not None:
            way += ", not with --specfair-save-baseline"
        raise UsageError(
            "--specfair-update-baseline does not say which baseline it "
            f"replaces. {way}."
        )
    if save is not None and os.path.lexists(path_of(save, root)):
        raise _exists(save)
    if compare is not None and not (
        update and not os.path.lexists(path_of(compare, root))
    ):
        read_baseline(compare, root)


def is_kept(name: str, root: Path) -> bool:
    """Whether something stands where the baseline of this name is."""
    return os.path.lexists(path_of(name, root))


def read_baseline(name: str, root: Path) -> Baseline:
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


def save_baseline(
    baseline: Baseline, name: str, *, root: Path, update: bool = False
) -> list[str]:
    """Write it, and return what changed in words. Without `update` an existing file is
    left alone.
    """
    wrong = unmeasured(baseline)
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
    old = read_baseline(name, root)
    other = differences(old, baseline) + of_other_models(old, baseline)
    lost = [stage for stage in old.counts if stage not in baseline.counts]
    new = (
        baseline
        if other
        else replace(baseline, counts={**old.counts, **baseline.counts})
    )
    said = [] if differences(old, baseline) else _changed(old, new)
    if other:
        why = "; ".join(other)
        said.append(f"baseline {name!r} was of something else ({why}) and was replaced")
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
        before = dict(values_of(old.sample(stage))) if stage in old.counts else {}
        for group, value in values_of(new.sample(stage)):
            if before.get(group) != value:
                lines.append(
                    f"baseline {case_of(stage, group)}: "
                    f"{before.get(group, 'absent')} -> {value}"
                )
    return lines
