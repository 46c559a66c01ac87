"""An audit end to end on the shipped pair: stored once, reused, recomputed when
damaged; before and after compared.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from specfair import config
from specfair.audit.audit import Audit
from specfair.audit.rows import training_rows
from specfair.audit.session import snapshot
from specfair.decoding import COUNTINGS, Lookahead
from specfair.errors import DataError
from specfair.run.run import measured_on
from specfair.traces.counting import COUNTED
from specfair.traces.metrics import SUMS
from specfair.traces.replay import replay
from specfair.vocabulary import BASE, Stage
from tests.conftest import small_audit


def test_stages_are_computed_once_and_reused(measured: Audit) -> None:
    again, said = small_audit(Path(measured.settings.store).parent)
    _ = again.base, again.after("imdb")
    assert said == []
    assert again.stages == (BASE, Stage("imdb"))
    assert np.array_equal(
        again.after("imdb").trace["token"], measured.after("imdb").trace["token"]
    )


def test_a_damaged_trace_is_set_aside_and_computed_again(tmp_path: Path) -> None:
    first, _ = small_audit(tmp_path)
    tokens = first.base.trace["token"]
    stored = next(
        p
        for p in (tmp_path / "store" / "texts").glob("*/*")
        if p.suffix == "" and not p.name.startswith(".")
    )
    stored.write_bytes(b"garbage")
    second, said = small_audit(tmp_path)
    with pytest.warns(UserWarning, match="is made again"):
        assert np.array_equal(second.base.trace["token"], tokens)
    assert len(said) == 1
    assert list(stored.parent.glob("*.corrupt"))


def test_a_finished_target_is_kept_when_the_draft_is_interrupted(
    tmp_path: Path,
) -> None:
    usual, _ = small_audit(tmp_path)

    def interrupt(line: str) -> None:
        if "the draft" in line:
            raise KeyboardInterrupt

    made = Audit(usual.settings, interrupt, recipe=usual.made.pairs.recipe)
    with pytest.raises(KeyboardInterrupt):
        made.after("imdb")
    again, said = small_audit(tmp_path)
    again.after("imdb")
    assert [line for line in said if "the target" in line] == []
    assert [line for line in said if "the draft" in line] != []
    assert not list((tmp_path / "store").rglob("*.part"))


def test_other_settings_are_another_trace(measured: Audit) -> None:
    store = Path(measured.settings.store).parent
    other, said = small_audit(store, max_new_tokens=4)
    _ = other.base
    assert said == [
        "tracing base: 18 of 18 prompts, greedy, at most 4 new tokens",
        "checking base: 18 prompts decoded live, constant-5",
    ]
    # a lookahead is replayed, not traced; that the replay holds is seen for each
    same, said = small_audit(store, lookahead="constant-3")
    assert same.base.lookahead == Lookahead(3)
    assert said == ["checking base: 18 prompts decoded live, constant-3"]


def test_a_cost_that_is_given_is_used_and_never_stored_as_measured(
    tmp_path: Path,
) -> None:
    given, _ = small_audit(tmp_path, cost_ratio=0.25)
    assert (
        given.base.trace.reading.cost_ratio
        == given.after("imdb").trace.reading.cost_ratio
        == 0.25
    )
    measured, said = small_audit(tmp_path)
    cost = measured.base.trace.reading.cost_ratio
    assert cost not in (None, 0.25)
    assert measured.after("imdb").trace.reading.cost_ratio == cost
    again, _ = small_audit(tmp_path)
    assert again.base.trace.reading.cost_ratio == cost
    assert said == []


def test_tuning_changes_both_models(measured: Audit) -> None:
    before, after = measured.base.trace, measured.after("imdb").trace
    assert before.header.target_fingerprint != after.header.target_fingerprint
    assert before.reading.draft_fingerprint != after.reading.draft_fingerprint
    assert after.header.target == "embedded + imdb"


def test_gains_are_paired_and_consistent_with_both_traces(measured: Audit) -> None:
    gains = measured.gains("imdb")
    for group, estimate in gains.items():
        before, after = (
            m.acceptance_rate.by_group[group].value
            for m in (measured.base, measured.after("imdb"))
        )
        assert estimate.value == pytest.approx(after - before)
    overall = (
        measured.after("imdb").acceptance_rate.overall.value
        - measured.base.acceptance_rate.overall.value
    )
    assert measured.gain("imdb").value == pytest.approx(overall)


def test_every_metric_is_an_attribute(measured: Audit) -> None:
    for name in filter(measured.base.tells, SUMS):
        assert getattr(measured, name) is getattr(measured.base, name)
    with pytest.raises(AttributeError, match="Did you mean 'alpha'"):
        _ = measured.base.alpa
    with pytest.raises(AttributeError, match="metrics: acceptance_rate"):
        _ = measured.alpa


def test_lookaheads_come_from_one_trace(measured: Audit) -> None:
    gaps = measured.across_lookaheads("base", "difference", "mean_acceptance_length")
    # that is the gap itself
    assert tuple(gaps) == tuple(
        text for text in config.LOOKAHEADS if text != "constant-5"
    )
    by_lookahead = [
        measured.base.groups("mean_acceptance_length", Lookahead(n)).overall.value
        for n in (1, 3, 5)
    ]
    assert by_lookahead == sorted(set(by_lookahead))


def test_the_clock_is_read_once_and_kept(
    measured: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specfair.engine.timing.N_ROUNDS", 2)
    taken = measured.clocked("base")
    assert set(taken.by_group) == {"female", "male", "queer"}
    assert all(estimate.value > 0 for estimate in taken.by_group.values())
    again = measured.clocked("base")
    assert np.array_equal(again.sample.numerator, taken.sample.numerator)


def test_frequency_sets_gains_against_mentions(measured: Audit) -> None:
    counts = measured.mentions("imdb")
    assert set(counts) == {"female", "male", "queer"}
    assert measured.frequency("imdb").n_groups == 3


def test_checkpoints_are_measured_along_the_way(tmp_path: Path) -> None:
    made, _ = small_audit(tmp_path, checkpoints=1)
    along = made.training("imdb")
    assert list(along) == [0, 1, 2]
    assert along[0] is made.base
    assert along[2] is made.after("imdb")
    prints = [m.trace.reading.draft_fingerprint for m in along.values()]
    assert len(set(prints)) == 3
    assert along[1].trace.reading.draft == "embedded + imdb at step 1"
    rows = {
        (row.stage.step, row.group, row.metric)
        for row in training_rows(made.training("imdb"), "imdb")
    }
    groups = ("", *made.prompts.groups)
    assert rows == {
        (step, g, m)
        for step in (0, 1, 2)
        for g in groups
        for m in ("kl", "acceptance_rate")
    }


def test_without_checkpoints_there_is_nothing_along_the_way(measured: Audit) -> None:
    assert measured.training("imdb") == {}


def test_prompts_that_do_not_fit_are_refused_or_cut_and_counted(tmp_path: Path) -> None:
    texts = [
        "the nurse " * 400,
        *(f"the {word} nurse" for word in ("tall", "old", "young", "kind", "calm")),
    ]
    rows = [
        {"group": group, "text": f"{text} {group}"}
        for group in ("a", "b")
        for text in texts
    ]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = {"prompts": f"file:{tmp_path / 'p.jsonl'}", "groups": ""}
    refused, _ = small_audit(tmp_path, **asked)
    with pytest.raises(
        DataError, match=r"the context of 512 leaves 504 .*truncate = true"
    ):
        _ = refused.base
    cut, _ = small_audit(tmp_path, **asked, truncate=True)
    assert "2 of 12 prompts were cut from the left to fit 512 tokens" in cut.notes
    assert cut.base.trace.n_tokens > 0


def test_a_ready_pair_is_compared_without_training(tmp_path: Path) -> None:
    from specfair.texts.prompts import fixtures

    made, said = small_audit(tmp_path, tuned_draft=str(fixtures() / "pair" / "draft"))
    assert made.gain("tuned").value == 0.0
    assert not any("fine-tuning" in line for line in said)


@pytest.mark.parametrize("counting", ["served", "as_deployed"])
def test_rounds_are_counted_as_is_asked(tmp_path: Path, counting: str) -> None:
    """Every lookahead of the same trace, and whoever reads of it is told."""
    audit, _ = small_audit(tmp_path, counting=counting)
    trace = audit.base.trace
    for text in ("constant-5", "heuristic-5"):
        ahead = Lookahead.parse(text)
        tally = replay(trace, ahead, counting=COUNTED[counting])
        same = np.array_equal(tally.n_drafted, replay(trace, ahead).n_drafted)
        # only the heuristic's length is carried on
        assert same == (counting == "as_deployed" and text == "constant-5")
        found = audit.base.groups("draft_acceptance_rate", ahead).overall.value
        assert found == pytest.approx(tally.n_accepted.sum() / tally.n_drafted.sum())
    assert COUNTINGS[counting] in audit.notes
    about = snapshot(audit, (BASE,)).about["lookahead"]
    assert about == f"constant-5, {COUNTINGS[counting]}"


def test_counting_is_part_of_what_was_measured() -> None:
    plain = measured_on({"lookahead": "constant-5"}, "p", "greedy")
    served = measured_on({"lookahead": "constant-5", "counting": "served"}, "p", "")
    assert "count" not in plain
    assert served.endswith(COUNTINGS["served"])
