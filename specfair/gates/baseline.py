"""A Baseline: what was measured once, by prompt, so that later runs can be compared
with it in pairs.

Knows how two of them compare. It does not know its file, models or bounds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from specfair import stats
from specfair.errors import StoreError
from specfair.stats import Estimate, Sample
from specfair.vocabulary import Stage

LABELS = ("prompt", "group", "cluster", "template")
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
        labels = (np.array(self.labels[name], dtype=np.str_) for name in LABELS)
        return Sample(numerator, denominator, *labels)


def take(samples: Mapping[Stage, Sample], about: Mapping[str, str]) -> Baseline:
    """A baseline of these samples, which are of the same prompts."""
    first = next(iter(samples.values()))
    labels = {name: tuple(getattr(first, name).tolist()) for name in LABELS}
    counts = {
        stage: (_rounded(s.numerator), _rounded(s.denominator))
        for stage, s in samples.items()
    }
    return Baseline(about, labels, counts)


def _rounded(values: Any) -> tuple[float, ...]:
    """Whole numbers as such: the file is a third shorter for it."""
    rounded = (round(v, _DIGITS) for v in values.tolist())
    return tuple(int(v) if v.is_integer() else v for v in rounded)


def joined(parts: Iterable[Baseline]) -> Baseline:
    """The stages of all parts, which are of one run."""
    found = list(parts)
    return replace(
        found[0],
        counts={stage: c for part in found for stage, c in part.counts.items()},
    )


def values_of(sample: Sample) -> list[tuple[str | None, float]]:
    """The value over all groups, under None since any name may be a group's, then each
    group's.
    """
    values = [(group, sample.of(group).value) for group in sample.groups]
    return [(group, round(v, _DIGITS)) for group, v in ((None, sample.value), *values)]


def unmeasured(baseline: Baseline) -> str:
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


def of_other_models(old: Baseline, new: Baseline) -> list[str]:
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


def change_at(old: Baseline, new: Baseline, stage: Stage, scope: str) -> Change:
    """What has changed at one stage, as evidence about this."""
    before, after = (b.sample(stage).within(scope) for b in (old, new))
    return Change(stats.change(before, after), stats.changes(before, after))
