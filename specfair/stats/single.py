"""Groups one by one, and all of them pooled: values with intervals of their own, now or
before against after.

Knows how to line up two samples by prompt. Does not compare groups with each other.
"""

import numpy as np

from specfair.errors import DataError
from specfair.stats.contrasts import contrasts
from specfair.stats.estimate import Estimate, from_draws, invalid
from specfair.stats.groups import (
    CHANGE,
    Evidence,
    columns_of,
    counted,
    gather,
    problem_of,
)
from specfair.stats.tally import Array, Sample

_ITSELF = np.array([1.0])
ABREAST = 16  # groups whose replicates are made at a time


def estimate(asked: Sample | Evidence, *, seed: int = 0) -> Estimate:
    """The pooled ratio; groups are resampled within themselves and their shares of the
    counts taken as given.
    """
    evidence = asked if isinstance(asked, Evidence) else gather(asked, seed=seed)
    return _pooled(evidence, _ITSELF, evidence.sample.value)


def by_group(asked: Sample | Evidence, *, seed: int = 0) -> dict[str, Estimate]:
    """The ratio of every group by itself; a group that cannot be measured is invalid
    and spoils no other.
    """
    evidence = asked if isinstance(asked, Evidence) else gather(asked, seed=seed)
    return _each(evidence, columns_of(evidence.sample), _ITSELF, seed=seed)


def change(before: Sample, after: Sample, *, seed: int = 0) -> Estimate:
    """After minus before on the same prompts, pooled over all of them."""
    before, after = align(before, after)
    evidence = gather(before, columns_of(before, after), seed=seed)
    return _pooled(evidence, CHANGE, after.value - before.value)


def changes(before: Sample, after: Sample, *, seed: int = 0) -> dict[str, Estimate]:
    """After minus before for every group: one family."""
    before, after = align(before, after)
    columns = columns_of(before, after)
    return _each(gather(before, columns, seed=seed), columns, CHANGE, seed=seed)


def align(before: Sample, after: Sample) -> tuple[Sample, Sample]:
    """Both samples in the order of the first; prompts that are not the same are an
    error, never dropped.
    """
    if before.known is after.known or _same(before, after):
        return before, after
    keys = [
        list(zip(s.group.tolist(), s.prompt.tolist(), strict=True))
        for s in (before, after)
    ]
    rows = {key: i for i, key in enumerate(keys[1])}
    if len(rows) < len(keys[1]) or sorted(keys[0]) != sorted(rows):
        raise DataError(
            f"before has {len(before)} prompts and after has {len(after)}, of which "
            f"{len(set(keys[0]) & set(rows))} "
            "are the same; a change is measured on the same prompts. Trace both with "
            "one prompt set."
        )
    return before, after[np.array([rows[key] for key in keys[0]], dtype=np.int64)]


def _same(a: Sample, b: Sample) -> bool:
    """Whether the prompts are the same ones in the same order."""
    return np.array_equal(a.group, b.group) and np.array_equal(a.prompt, b.prompt)


def _pooled(evidence: Evidence, slope: Array, value: float) -> Estimate:
    if evidence.alone is None:
        return invalid(
            evidence.problem, counted(evidence.sample), groups=evidence.sample.groups
        )
    found = contrasts(
        (evidence.alone.weights * slope)[None], np.array([value]), evidence.alone
    )
    return from_draws(
        value, found.draws[:, 0], evidence.alone.parts, groups=evidence.alone.names
    )


def _each(
    evidence: Evidence, columns: Array, slope: Array, *, seed: int
) -> dict[str, Estimate]:
    sample, errors = evidence.sample, evidence.alone
    if errors is None:
        return _what_can_be(sample, columns, slope, seed=seed)
    found = {}
    for start in range(0, len(errors.names), ABREAST):
        some = errors.of(slice(start, start + ABREAST))
        each = contrasts(
            np.eye(len(some.names))[:, :, None] * slope, some.values @ slope, some
        )
        draws = each.draws
        for i, part in enumerate(some.parts):
            found[part.group] = from_draws(
                each.values[i], draws[:, i], (part,), groups=(part.group,)
            )
    return found


def _what_can_be(
    sample: Sample, columns: Array, slope: Array, *, seed: int
) -> dict[str, Estimate]:
    """The groups that can be measured, and for each other one the reason why not."""
    rows = {g: sample.group == g for g in sample.groups}
    problems = {g: problem_of(sample[mine], columns[mine]) for g, mine in rows.items()}
    good = np.isin(sample.group, [g for g, problem in problems.items() if not problem])
    found = (
        _each(
            gather(sample[good], columns[good], seed=seed),
            columns[good],
            slope,
            seed=seed,
        )
        if good.any()
        else {}
    )
    return {
        g: found[g]
        if g in found
        else invalid(problem, counted(sample[rows[g]]), groups=(g,))
        for g, problem in problems.items()
    }
