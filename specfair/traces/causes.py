"""Why groups differ: harder text, or a worse draft on it; and how unevenly models are
aligned over groups.

Knows strata of how sure the target was; the decomposition itself is statistics.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from specfair import stats
from specfair.decoding import Lookahead
from specfair.errors import DataError
from specfair.stats import Part, Sample, Split
from specfair.stats.tally import Array, Codes
from specfair.stats.units import counted_by_group
from specfair.traces.metrics import sample
from specfair.traces.trace import Trace

N_STRATA = 20


def unfairness(trace: Trace) -> Mapping[str, float]:
    """Variance over groups of cross_entropy, kl and alpha: our reading of U in arXiv
    2510.02128 (no public code).
    """
    found = {
        name: sample(trace, name, Lookahead())
        for name in ("cross_entropy", "kl", "alpha")
    }
    return {
        name: float(np.var([s.of(g).value for g in s.groups]))
        for name, s in found.items()
    }


def splits(
    trace: Trace, labels: Sample, groups: Sequence[str], against: str
) -> Iterator[Split]:
    """alpha of each of these groups less that of one: the part due to harder text, and
    the part due to a worse draft on it. `labels` are those of the trace's prompts.

    Harder means that the target was less sure, in strata with equally many tokens: by
    its entropy, or under greedy decoding by how far its first choice lies before the
    second, which is all that a draft must get right there.
    """
    sureness = "margin" if trace.header.decoding.greedy else "target_entropy"
    theirs = _tokens(trace, labels, against, sureness)
    for group in groups:
        mine = _tokens(trace, labels, group, sureness)
        if not mine.parts or not theirs.parts:
            raise DataError(
                f"split of {group!r} and {against!r}: one has no prompts in "
                "the trace. Name two that have."
            )
        edges = np.quantile(
            np.concatenate([mine.sureness, theirs.sureness]),
            np.linspace(0, 1, N_STRATA + 1)[1:-1],
        )
        cells = [t.cells(edges) for t in (mine, theirs)]
        yield stats.kitagawa(
            cells, [*mine.parts, *theirs.parts], groups=(group, against)
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Tokens:
    """What a split needs of one group's tokens."""

    unit: Codes  # of evidence
    sureness: Array
    accepted: Array
    parts: tuple[Part, ...]

    def cells(self, edges: Array) -> Array:
        """Accepted and all tokens by unit and stratum: (units, 2, strata)."""
        codes = self.unit * N_STRATA + np.searchsorted(
            edges, self.sureness, side="right"
        )
        counts = (self.accepted, np.ones(len(codes)))
        return np.stack(
            [stats.explain.cells_of(codes, N_STRATA, each) for each in counts], axis=1
        )


def _tokens(trace: Trace, labels: Sample, group: str, sureness: str) -> _Tokens:
    rows = np.flatnonzero(labels.group == group)
    lengths, mine = trace.lengths[rows], labels[rows]
    tokens = np.arange(lengths.sum()) + np.repeat(
        trace.offsets[rows] - np.cumsum(lengths) + lengths, lengths
    )
    return _Tokens(
        np.repeat(stats.explain.units_of(mine), lengths),
        trace[sureness][tokens].astype(np.float64),
        trace.acceptance[tokens],
        counted_by_group(mine),
    )
