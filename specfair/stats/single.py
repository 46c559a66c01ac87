"""Groups one by one, and all of them pooled: values with intervals of their own, now or
before against after.

Knows how to line up two samples by prompt. Does not compare groups with each other.
"""

from dataclasses import replace

import numpy as np

from specfair.errors import DataError
from specfair.stats.errors import CHANGE, Errors
from specfair.stats.estimate import Estimate, from_t, invalid
from specfair.stats.groups import Evidence, gather
from specfair.stats.tally import Array, Sample
from specfair.stats.units import counted_by_group, counts_of, problem_of

_ITSELF = np.array([1.0])


def estimate(asked: Sample | Evidence) -> Estimate:
    """The pooled ratio; groups are sampled within themselves and their shares of the
    counts taken as given.
    """
    evidence = asked if isinstance(asked, Evidence) else gather(asked)
    return _pooled(evidence, _ITSELF)


def by_group(asked: Sample | Evidence) -> dict[str, Estimate]:
    """The ratio of every group by itself; a group that cannot be measured is invalid
    and spoils no other.
    """
    evidence = asked if isinstance(asked, Evidence) else gather(asked)
    return _each(evidence, (evidence.sample,), _ITSELF)


def change(before: Sample, after: Sample) -> Estimate:
    """After minus before on the same prompts, pooled over all of them."""
    return _pooled(gather(*align(before, after)), CHANGE)


def changes(before: Sample, after: Sample) -> dict[str, Estimate]:
    """After minus before for every group: one family."""
    samples = align(before, after)
    return _each(gather(*samples), samples, CHANGE)


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


def _pooled(evidence: Evidence, slope: Array) -> Estimate:
    errors = evidence.alone
    if errors is None:
        sample = evidence.sample
        return invalid(evidence.problem, counted_by_group(sample), groups=sample.groups)
    pooled = _sum(errors, errors.weights * slope, errors.names)
    firm = errors.firm
    if 0 < len(firm) < len(errors.names):
        some = errors.of(firm)
        weights = some.weights / some.weights.sum(axis=0)
        pooled = replace(pooled, firm=_sum(some, weights * slope, some.names))
    return pooled


def _sum(errors: Errors, slopes: Array, names: tuple[str, ...]) -> Estimate:
    """A sum over groups and ratios with these slopes."""
    error, df = errors.error(slopes)
    value = float((slopes * errors.values).sum())
    skew = errors.skew(slopes)
    found = from_t(value, error, df, parts=errors.parts, groups=names, skew=skew)
    return replace(found, scope=errors.scope)


def _each(
    evidence: Evidence, samples: tuple[Sample, ...], slope: Array
) -> dict[str, Estimate]:
    errors = evidence.alone
    if errors is None:
        return _what_can_be(samples, slope)
    found = {}
    for i, name in enumerate(errors.names):
        one = errors.of(np.array([i]))
        found[name] = _sum(one, slope[None], one.names)
    return found


def _what_can_be(samples: tuple[Sample, ...], slope: Array) -> dict[str, Estimate]:
    """The groups that can be measured, and for each other one the reason why not."""
    first, counts = samples[0], counts_of(*samples)
    rows = {g: first.group == g for g in first.groups}
    problems = {g: problem_of(first[mine], counts[mine]) for g, mine in rows.items()}
    good = np.isin(first.group, [g for g, problem in problems.items() if not problem])
    found = {}
    if good.any():
        some = tuple(sample[good] for sample in samples)
        found = _each(gather(*some), some, slope)
    return {
        g: found[g]
        if g in found
        else invalid(problem, counted_by_group(first[rows[g]]), groups=(g,))
        for g, problem in problems.items()
    }
