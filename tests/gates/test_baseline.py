"""A baseline survives git, refuses what is damaged or of another question, and never
changes unasked.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specfair.errors import StoreError, UsageError
from specfair.gates import baseline, kept
from specfair.stats import Sample
from specfair.vocabulary import BASE, Stage

ABOUT = {
    "metric": "acceptance_rate",
    "lookahead": "constant-5",
    "decoding": "greedy",
    "prompts_fingerprint": "f",
}


def sample(shift: float = 0.0, n: int = 24) -> Sample:
    """Two groups of twelve clusters; per-prompt rates spread evenly around 0.6 +
    shift.
    """
    tested = np.full(n, 20.0)
    accepted = tested * (0.6 + shift + 0.05 * np.linspace(-1, 1, n))
    names = np.array([f"p{i}" for i in range(n)])
    group = np.array(["a", "b"])[np.arange(n) % 2]
    return Sample(
        accepted,
        tested,
        names,
        group,
        np.array([f"c{i // 2}" for i in range(n)]),
        np.full(n, ""),
    )


def make(**shifts: float) -> baseline.Baseline:
    return baseline.take(
        {Stage.of(stage): sample(shift) for stage, shift in shifts.items()}, ABOUT
    )


def test_round_trip() -> None:
    old = make(base=0.0, imdb=0.1)
    assert kept.loads(kept.dumps(old), "x") == old


def test_the_file_is_made_for_diffs() -> None:
    """A change of one stage touches its counts, its estimates and the checksum, and
    nothing else.
    """
    a, b = (kept.dumps(make(base=0.0, imdb=shift)).splitlines() for shift in (0.1, 0.2))
    changed = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    assert len(a) == len(b)
    assert len(changed) == 1 + 1 + 3  # checksum, numerator, overall + two groups
    assert len(max(a, key=len)) < 2000


def test_compare_is_paired_by_prompt() -> None:
    """The same prompts in another order, all better by exactly 0.05: the interval has
    no width to speak of.
    """
    new = baseline.take(
        {BASE: sample(0.05)[np.random.default_rng(0).permutation(24)]}, ABOUT
    )
    found = baseline.change_at(make(base=0.0), new, BASE, "identities")
    assert set(found.by_group) == {"a", "b"}
    for estimate in (found.overall, *found.by_group.values()):
        assert estimate.value == pytest.approx(0.05, abs=1e-3)
        assert estimate.high - estimate.low < 0.01


def _without(key: str) -> str:
    stored = json.loads(kept.dumps(make(base=0.0)))
    del stored[key]
    return json.dumps(stored)


def _with(**values: object) -> str:
    return json.dumps(json.loads(kept.dumps(make(base=0.0))) | values)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (kept.dumps(make(base=0.0))[:300], "not a whole baseline file"),
        ("", "not a whole baseline file"),
        ("[]", "not a whole baseline file"),
        (_without("checksum"), "not a whole baseline file"),
        (_with(schema=99), "schema 99"),
        (_with(about={"metric": "kl"}), "checksum"),
    ],
)
def test_damage_is_named(text: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        kept.loads(text, "main")
    assert "--specfair-save-baseline" in str(caught.value)


def test_missing_names_what_there_is(tmp_path: Path) -> None:
    kept.save_baseline(make(base=0.0), "main", root=tmp_path)
    with pytest.raises(StoreError, match=r"'mian' does not exist; stored here: main"):
        kept.read_baseline("mian", tmp_path)


def test_unreadable_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xff\xfe")
    (tmp_path / "folder.json").mkdir()
    for name in ("x.json", "folder.json"):
        with pytest.raises(StoreError, match="cannot be read"):
            kept.read_file(tmp_path / name, name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        "../evil",
        "../../../evil",
        "/evil",
        "a/b",
        "a/",
        "a\\b",
        ".json",
    ],
)
def test_a_name_leads_nowhere_else(name: str, tmp_path: Path) -> None:
    """Finding 21."""
    with pytest.raises(UsageError, match="baseline"):
        kept.save_baseline(make(base=0.0), name, root=tmp_path)
    with pytest.raises(UsageError, match="baseline"):
        kept.check_asked(tmp_path, compare=None, save=name, update=False)
    assert not list(tmp_path.iterdir())


def test_what_can_only_fail_is_refused_before_the_run(tmp_path: Path) -> None:
    """Finding 34."""

    def asked(
        compare: str | None = None, save: str | None = None, *, update: bool = False
    ) -> None:
        kept.check_asked(tmp_path, compare=compare, save=save, update=update)

    for compare, save in ((None, None), ("", None), ("main", "main")):
        with pytest.raises(UsageError, match="does not say which baseline"):
            asked(compare, save, update=True)
    with pytest.raises(StoreError, match="'main' does not exist"):
        asked("main")
    asked("main", update=True)
    asked(save="main.json")
    kept.save_baseline(make(base=0.0), "main", root=tmp_path)
    asked("main")
    asked("main", update=True)
    for name in ("main", "main.json"):
        with pytest.raises(
            StoreError, match=r"exists and is never overwritten unasked"
        ):
            asked(save=name)
    kept.path_of("main", tmp_path).write_text("{}")
    with pytest.raises(StoreError, match="not a whole baseline file"):
        asked("main", update=True)


def test_what_is_invalid_is_never_stored(tmp_path: Path) -> None:
    """Finding 3: a draft of NaN weights, or a group in which nothing was counted."""
    nan, empty = sample(), sample()
    nan.numerator[1] = np.nan
    empty.denominator[empty.group == "b"] = 0
    kept.save_baseline(make(base=0.0), "main", root=tmp_path)
    before = kept.path_of("main", tmp_path).read_bytes()
    for wrong, said in (
        (nan, r"imdb has no number for 'b' \(NaN\)"),
        (empty, r"for 'b' \(nothing was counted\)"),
    ):
        made = baseline.take({BASE: sample(), Stage("imdb"): wrong}, ABOUT)
        with pytest.raises(StoreError, match=f"'main' is not written: .*{said}"):
            kept.save_baseline(made, "main", root=tmp_path, update=True)
    assert kept.path_of("main", tmp_path).read_bytes() == before


def test_a_group_named_overall_is_one_group(tmp_path: Path) -> None:
    """Finding 13: the value over all groups is not the value of the group `overall`."""
    rows = sample()
    named = replace(
        rows,
        group=np.where(rows.group == "a", "overall", "b"),
        numerator=rows.numerator.copy(),
    )
    lower = replace(
        named, numerator=named.numerator - np.where(named.group == "b", 4.0, 0.0)
    )
    old, new = (baseline.take({BASE: s}, ABOUT) for s in (named, lower))
    found = baseline.change_at(old, new, BASE, "identities")
    assert found.by_group["overall"].value == pytest.approx(0, abs=1e-3)
    assert found.overall.value == pytest.approx(-0.1, abs=1e-3)
    assert sum(part.n_prompts for part in found.overall.parts) == 24
    kept.save_baseline(old, "main", root=tmp_path)
    assert set(json.loads(kept.dumps(old))["estimates"]) == {
        "base",
        "base: overall",
        "base: b",
    }
    said = kept.save_baseline(new, "main", root=tmp_path, update=True)
    assert [line.partition(":")[0] for line in said] == [
        "baseline base",
        "baseline base-b",
    ]


def test_stages_of_another_pair_are_not_kept_under_the_new_name(tmp_path: Path) -> None:
    """Finding 18."""
    pair = {**ABOUT, "target": "t", "draft": "d", "draft_fingerprint": "1"}
    kept.save_baseline(
        baseline.take({BASE: sample(), Stage("imdb"): sample()}, pair),
        "main",
        root=tmp_path,
    )
    other = baseline.take({BASE: sample()}, {**pair, "draft_fingerprint": "2"})
    said = kept.save_baseline(other, "main", root=tmp_path, update=True)
    assert said == [
        (
            "baseline 'main' was of something else (draft_fingerprint '1' is not "
            "'2') and was replaced"
        ),
        "baseline 'main' dropped what was not measured again: imdb",
    ]
    assert kept.read_baseline("main", tmp_path) == other


def test_a_deep_file_is_refused() -> None:
    with pytest.raises(StoreError, match="not a whole baseline file"):
        kept.loads("[" * 200_000, "main")


def test_save_never_overwrites_and_update_says_what_changed(tmp_path: Path) -> None:
    assert (
        "saved: 1 stage, 24 prompts"
        in kept.save_baseline(make(base=0.0), "main", root=tmp_path)[0]
    )
    with pytest.raises(StoreError, match="--specfair-update-baseline"):
        kept.save_baseline(make(base=0.1), "main", root=tmp_path)
    assert kept.read_baseline("main", tmp_path) == make(base=0.0)
    said = kept.save_baseline(
        make(base=0.1, imdb=0.0), "main", root=tmp_path, update=True
    )
    assert "baseline base: 0.6 -> 0.7" in said
    assert any(line.startswith("baseline imdb-a: absent -> ") for line in said)
    assert kept.save_baseline(make(imdb=0.0), "main", root=tmp_path, update=True) == [
        "baseline 'main' is unchanged"
    ]
    assert set(kept.read_baseline("main", tmp_path).counts) == {BASE, Stage("imdb")}


def test_other_prompts_are_not_compared_and_replaced_only_on_update(
    tmp_path: Path,
) -> None:
    other = baseline.take({BASE: sample()}, ABOUT | {"prompts_fingerprint": "g"})
    with pytest.raises(
        StoreError,
        match=r"answers another question: prompts_fingerprint 'f' is not 'g'",
    ):
        baseline.check_comparable(make(base=0.0), other, "main")
    kept.save_baseline(make(base=0.0), "main", root=tmp_path)
    assert (
        "was replaced"
        in kept.save_baseline(other, "main", root=tmp_path, update=True)[0]
    )
    assert kept.read_baseline("main", tmp_path) == other


def test_absent_and_stale_stages() -> None:
    old, new = make(base=0.0, sst2=0.0), make(base=0.0, imdb=0.0)
    assert [stage for stage in old.counts if stage not in new.counts] == [Stage("sst2")]
    with pytest.raises(StoreError, match=r"no 'imdb'; it holds base, sst2"):
        baseline.change_at(old, new, Stage("imdb"), "identities")


def test_merge_joins_what_processes_measured() -> None:
    assert set(baseline.joined([make(base=0.0), make(imdb=0.1)]).counts) == {
        BASE,
        Stage("imdb"),
    }


BODIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no labels": lambda body: body.pop("labels"),
    "a label missing": lambda body: body["labels"].pop("cluster"),
    "a short column": lambda body: body["counts"]["base"]["numerator"].pop(),
    "a long label": lambda body: body["labels"]["group"].append("a"),
    "a text among numbers": lambda body: body["counts"]["base"][
        "numerator"
    ].__setitem__(0, "1"),
    "a number too large": lambda body: body["counts"]["base"]["numerator"].__setitem__(
        0, 10**400
    ),
    "a number among texts": lambda body: body["labels"]["group"].__setitem__(0, 1),
    "a prompt twice": lambda body: body["labels"]["prompt"].__setitem__(
        0, body["labels"]["prompt"][1]
    ),
    "a truth among numbers": lambda body: body["counts"]["base"][
        "numerator"
    ].__setitem__(0, True),
    "no stage": lambda body: body["counts"].clear(),
    "no columns": lambda body: body.update(counts={"base": 1}),
    "about nothing": lambda body: body.update(about=None),
}


@pytest.mark.parametrize("damage", BODIES)
def test_a_right_checksum_over_a_wrong_body_is_one_line(damage: str) -> None:
    body = json.loads(kept.dumps(make(base=0.0)))
    del body["checksum"], body["schema"]
    BODIES[damage](body)
    checksum = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    text = json.dumps({"schema": kept.SCHEMA, "checksum": checksum, **body})
    with pytest.raises(
        StoreError, match=r"baseline 'x' (does not hold what a|is not a whole) baseline"
    ) as caught:
        kept.loads(text, "x")
    assert "\n" not in str(caught.value)
