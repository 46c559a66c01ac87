"""What mending did, stored and read again."""

import math
from dataclasses import fields, replace

from specfair.run.mended import MendingRow
from specfair.run.run import Run

ROW = MendingRow(
    recipe="fairspec",
    new="both",
    decoding="greedy",
    mean=0.9,
    minimum=0.85,
    lowest_group="a",
    gap=0.1,
    low=0.05,
    high=0.15,
    ratio=0.9,
    u_cross_entropy=0.01,
    u_kl=0.001,
    u_alpha=0.0001,
    n_steps=200,
    n_texts=6000,
    n_target_calls=120_000,
    seconds=12.5,
)


def test_a_row_is_read_as_it_was_stored() -> None:
    run = Run(created="", command="", groups=("a", "b"), mending=(ROW,))
    assert Run.from_json(run.to_json()).mending == (ROW,)
    unknown = replace(run, mending=(replace(ROW, low=math.nan),))
    (again,) = Run.from_json(unknown.to_json()).mending
    assert math.isnan(again.low)
    assert all(
        getattr(again, f.name) == getattr(ROW, f.name)
        for f in fields(ROW)
        if f.name != "low"
    )
