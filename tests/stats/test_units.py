"""What counts as evidence in a group, and why some have none."""

import numpy as np
import pytest

from specfair.stats import Sample
from specfair.stats.estimate import Nothing
from specfair.stats.units import counts_of, layout_of, problem_of, without_common
from tests.stats.made import made

ROWS = [(5.0, 10.0, g, f"{g}{i // 2}") for g in "ab" for i in range(4)]
ONE_EACH = [(n, d, g, g) for n, d, g, _ in ROWS]
PROBLEMS = [(n, d, g, c[1:]) for n, d, g, c in ROWS]


@pytest.mark.parametrize(
    ("sample", "kind"),
    [
        (made(*ROWS), "clusters"),
        (made(*PROBLEMS), "shared"),
        (made(*ONE_EACH, templates="stuvstuv"), "templates"),
        (made(*ONE_EACH), "lone"),
        (made(*ROWS).within("prompts"), "prompts"),
        (made(*ROWS).within("set"), "set"),
    ],
)
def test_the_unit_of_evidence(sample: Sample, kind: str) -> None:
    assert layout_of(sample).kinds == (kind, kind)


def test_why_there_is_no_estimate() -> None:
    sample = made((1, 2, "a", "x"), (np.nan, 2, "a", "y"), (0, 0, "b", "x"))
    said = problem_of(sample, counts_of(sample))
    assert said.startswith("1 of 3 prompts have values that are not finite")
    assert "'p1' first" in said
    sample = sample[np.array([0, 2])]
    said = problem_of(sample, counts_of(sample))
    assert said == "nothing was counted in b"
    assert isinstance(said, Nothing)
    assert problem_of(sample[:0], counts_of(sample[:0])) == "there are no prompts"
    assert problem_of(sample[:1], counts_of(sample[:1])) == ""


def test_what_templates_do_to_all_groups_alike_is_removed() -> None:
    """Counts that differ between groups and templates and by nothing else."""
    effects = {"s": -2.0, "t": 0.0, "u": 2.0}
    rows = [(5 + effects[t] + (g == "b"), 10, g, g) for g in "ab" for t in effects]
    sample = made(*rows, templates="stustu")
    paired, lost = without_common(layout_of(sample), counts_of(sample))
    assert np.ptp(paired.n[:3]) == np.ptp(paired.n[3:]) == pytest.approx(0)
    assert lost == pytest.approx([0.5, 0.5])  # each is half of what they share
