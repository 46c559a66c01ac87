"""A Trace selects, concatenates and sums by prompt."""

from dataclasses import replace

import numpy as np

from specfair.traces.trace import (
    COLUMNS,
    READING,
    TEXT,
    concatenate,
)
from tests.made_traces import by_start, numbered


def test_select_and_concatenate_are_inverse() -> None:
    trace = numbered([3, 0, 2, 4])
    keep = np.array([True, False, True, False])
    joined = concatenate([trace.select(keep), trace.select(~keep)])
    assert [p.id for p in joined.prompts] == ["p0", "p2", "p1", "p3"]
    assert (
        joined["token"].tolist()
        == np.concatenate(
            [trace["token"][[0, 1, 2, 3, 4]], trace["token"][5:]]
        ).tolist()
    )
    assert joined.lengths.tolist() == [3, 2, 0, 4]


def test_places_select_in_their_own_order() -> None:
    trace = numbered([3, 0, 2, 4])
    chosen = trace.select(np.array([3, 0, 1]))
    assert [p.id for p in chosen.prompts] == ["p3", "p0", "p1"]
    assert chosen["token"].tolist() == trace["token"][[5, 6, 7, 8, 0, 1, 2]].tolist()
    assert chosen.lengths.tolist() == [4, 3, 0]


def test_sums_by_prompt_include_prompts_without_tokens() -> None:
    trace = numbered([2, 0, 1])
    assert trace.per_prompt(np.array([1.0, 2.0, 4.0])).tolist() == [3.0, 0.0, 4.0]


def test_frame_has_a_row_per_token_with_labels_and_position() -> None:
    frame = numbered([2, 0, 1]).frame
    assert frame["position"].tolist() == [0, 1, 0]
    assert frame["id"].tolist() == ["p0", "p0", "p2"]
    assert set(COLUMNS) < set(frame.columns)


def test_a_text_and_its_readings_are_two_parts() -> None:
    """Two drafts over one text share it; every column belongs to one of the parts."""
    trace = numbered([3, 0, 2])
    other = replace(trace, reading=replace(trace.reading, draft="another"))
    assert other.text is trace.text
    assert set(trace.text.columns) | set(trace.reading.columns) == set(COLUMNS)
    assert not set(TEXT) & set(READING)
    assert (trace.provenance["draft"], other.provenance["draft"]) == ("d", "another")
    assert other.select(np.array([2])).reading.draft == "another"


def test_coins_by_start_are_selected_and_joined_with_the_rest() -> None:
    trace = by_start(numbered([3, 0, 2, 4]), 3)
    parts = [trace.select(np.array([i])) for i in range(4)]
    again = concatenate(parts)
    for name in ("ahead", "drafted", "token", "accept_prob"):
        assert np.array_equal(again[name], trace[name])
    assert trace.by_start
    assert "ahead" not in trace.frame.columns
    assert parts[2]["ahead"].shape == (2, 3)
