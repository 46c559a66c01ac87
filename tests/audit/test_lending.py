"""The live engine: counts of real decoding, kept, and the replay's own where decoding is
greedy.
"""

from pathlib import Path

import numpy as np
import pytest

from specfair.audit.audit import Audit
from specfair.decoding import Lookahead
from specfair.engine import speculate
from specfair.traces.tally import Tally
from tests.conftest import small_audit


def test_live_decoding_answers_like_the_replay_when_greedy(
    measured: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every lookahead that is asked about is decoded once, when the stage is measured;
    a second audit decodes none.
    """
    runs: list[str] = []
    count = speculate.count

    def watched(*asked: object) -> Tally:
        runs.append(str(asked[-1]))
        return count(*asked)  # type: ignore[arg-type]  # as they were given

    monkeypatch.setattr(speculate, "count", watched)
    folder = Path(measured.settings.store).parent
    first, _ = small_audit(folder, engine="live", datasets="imdb")
    _ = first.base
    settings = first.settings
    assert sorted(runs) == sorted([settings.lookahead, *settings.other_lookaheads])
    for made in (first, small_audit(folder, engine="live", datasets="imdb")[0]):
        for metric in ("acceptance_rate", "mean_acceptance_length"):
            for lookahead in (None, Lookahead(3)):
                ours = made.base.groups(metric, lookahead).sample
                replayed = measured.base.groups(metric, lookahead).sample
                assert np.array_equal(ours.numerator, replayed.numerator)
                assert np.array_equal(ours.denominator, replayed.denominator)
    assert len(runs) == 1 + len(settings.other_lookaheads)
    _ = first.base.groups("acceptance_rate", Lookahead(7))
    assert runs[-1] == "constant-7"
    assert first.doubt("base") == ""
