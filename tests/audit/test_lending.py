"""The live engine: counts of real decoding, kept, and the replay's own where decoding is
greedy.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from specfair.audit.audit import Audit
from specfair.decoding import Lookahead
from specfair.engine import speculate
from specfair.traces.tally import Tally
from specfair.vocabulary import Stage
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


def test_datasets_in_turn_go_on_from_the_pair_before(tmp_path: Path) -> None:
    """The first is tuned once for both stages that begin with it, and tuning one model
    leaves the other as it was.
    """
    made, said = small_audit(tmp_path, datasets="sst2,sst2 -> imdb")
    for stage in ("sst2", "sst2->imdb"):
        made.measure([Stage(stage)])
    began = [line.partition(":")[0] for line in said if "fine-tuning" in line]
    corpora = ("sst2, embedded", "imdb, embedded")
    assert list(dict.fromkeys(began)) == [
        f"fine-tuning the {role} on {corpus}"
        for corpus in corpora
        for role in ("target", "draft")
    ]
    stages = [made.identity(Stage(name)) for name in ("", "sst2", "sst2->imdb")]
    assert len({pair.target_fingerprint for pair in stages}) == 3
    assert len({pair.draft_fingerprint for pair in stages}) == 3
    alone = replace(made.made.pairs.recipe, models="draft")
    one = Audit(made.settings, recipe=alone).identity(Stage("sst2->imdb"))
    assert one.target_fingerprint == stages[0].target_fingerprint
    assert one.draft_fingerprint != stages[0].draft_fingerprint


def test_a_draft_is_distilled_on_a_corpus(tmp_path: Path) -> None:
    made, said = small_audit(tmp_path, datasets="imdb")
    recipe = replace(made.made.pairs.recipe, name="distill", models="draft")
    tuned = Audit(made.settings, said.append, recipe=recipe)
    assert tuned.after("imdb").trace.header.target == "embedded"
    line = next(line for line in said if "fine-tuning" in line)
    assert "reviews, distill: step 1 of 2, loss" in line
    assert line.endswith("left")
