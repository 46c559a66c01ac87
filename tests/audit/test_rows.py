"""The rows of a report say what the trace says: counts add up, values agree with the
metrics, text is real text.
"""

import math

import numpy as np
import pytest

from specfair.audit import rows
from specfair.audit.audit import Audit
from specfair.vocabulary import BASE, METRICS, STORED, Stage


@pytest.fixture(scope="module")
def tables(measured: Audit) -> dict:
    return rows.of_stage(measured.base, BASE, measured.tokens)


def test_every_metric_has_a_row_for_everyone_and_for_each_group(
    measured: Audit, tables: dict
) -> None:
    found = {(r.metric, r.lookahead, r.group): r.value for r in tables["estimates"]}
    for metric in filter(measured.base.tells, STORED):
        lookahead = "constant-5" if METRICS[metric].per_lookahead else ""
        groups = measured.base.groups(metric)
        assert found[metric, lookahead, ""] == pytest.approx(
            groups.overall.value, nan_ok=True
        )
        for group, estimate in groups.by_group.items():
            assert found[metric, lookahead, group] == pytest.approx(
                estimate.value, nan_ok=True
            )


def test_pairs_and_splits_cover_the_groups(tables: dict) -> None:
    compared = {(r.group_a, r.group_b) for r in tables["pairs"]}
    assert compared == {("female", "male"), ("female", "queer"), ("male", "queer")}
    assert len(tables["splits"]) == 2
    for row in tables["splits"]:
        assert row.total == pytest.approx(row.harder_text + row.worse_draft)


def test_gaps_are_shown_under_every_lookahead(tables: dict) -> None:
    found = {r.lookahead for r in tables["gaps"] if r.metric == "acceptance_rate"}
    assert found == {str(k) for k in rows.LOOKAHEADS}


def test_changes_are_after_minus_before(measured: Audit) -> None:
    found = {
        (r.metric, r.group): r.value for r in rows.change_rows(measured, Stage("imdb"))
    }
    for metric in filter(measured.base.tells, STORED):
        before, after = (
            m.groups(metric).overall.value
            for m in (measured.base, measured.after("imdb"))
        )
        assert found[metric, ""] == pytest.approx(after - before, nan_ok=True)
        assert {g for m, g in found if m == metric} == {"", "female", "male", "queer"}


def test_mentions_and_frequency(measured: Audit) -> None:
    counts = measured.mentions("imdb")
    assert [r.group for r in rows.mention_rows("imdb", counts)] == list(counts)
    trend = rows.frequency_row(Stage("imdb"), measured.frequency("imdb"))
    assert trend.stage == Stage("imdb")
    assert math.isfinite(trend.slope) or np.isnan(trend.slope)


def test_ranks_of_what_gates_look_at_the_slowest_first(
    measured: Audit, tables: dict
) -> None:
    """Each group's value is its estimate; what is expected next time lies between it
    and the others.
    """
    found = tables["ranks"]
    groups = measured.base.groups("acceptance_rate")
    assert {(r.group, r.value) for r in found} == {
        (group, estimate.value) for group, estimate in groups.by_group.items()
    }
    expected = [r.shrunken for r in found]
    assert expected == sorted(expected)
    values = [r.value for r in found]
    for row in found:
        assert (row.stage, row.metric, row.n_groups) == (BASE, "acceptance_rate", 3)
        assert min(values) <= row.shrunken <= max(values)
        assert row.low < row.shrunken < row.high
        assert 1 <= row.rank_low <= row.rank_high <= 3
    slowest = min(found, key=lambda row: row.value)
    assert slowest.rank_low == 1
