"""A text of a run comes back from its JSON as it was."""

import dataclasses

from specfair.run.closer import TextRow
from specfair.run.run import Run
from specfair.vocabulary import Stage
from tests import report_samples


def test_texts_come_back_from_json() -> None:
    """What nobody asked is NaN, which JSON has not."""
    row = TextRow(Stage("imdb"), "a", "by lot", "He", " said\n", "", 0.25, 2.0, 40.0)
    blank = dataclasses.replace(row, judged=float("nan"))
    run = dataclasses.replace(report_samples.full(), texts=(row, blank))
    found = Run.from_json(run.to_json()).texts
    assert found[0] == row
    assert repr(found[1]) == repr(blank)
