"""Prompt sets as such: names, ids, filters, limits, minimum sizes, the embedded set and
files of one's own.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specfair.errors import DataError, SpecfairError, UsageError
from specfair.texts import prompts
from specfair.texts.prompts import Prompt, PromptSet
from specfair.texts.prompts.rows import Row, numbered, settle

TEN = {
    *(
        "female",
        "male",
        "nonqueer",
        "nonqueer_gender",
        "nonqueer_orientation",
        "queer",
        "queer_gender",
    ),
    *("queer_gender_pronoun", "queer_gender_xenogender", "queer_orientation"),
}


def write(path: Path, *rows: Mapping[str, object]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return f"file:{path}"


def a_set(*sizes: int) -> PromptSet:
    rows = [
        Row(f"g{g}", f"c{i % 3}", f"t{i % 4}", f"text {g} {i}")
        for g, n in enumerate(sizes)
        for i in range(n)
    ]
    return PromptSet(
        "mine",
        numbered(rows),
        crossed=True,
        synthetic=True,
        licence="none",
        sentence="mine",
    )


def test_embedded_has_the_ten_groups_and_says_it_is_synthetic() -> None:
    found = prompts.load("embedded")
    assert set(found.groups) == TEN
    assert found.synthetic
    assert found[0] is found.prompts[0]
    assert "synthetic" in found.sentence
    assert found.crossed
    templates = {
        group: {p.template for p in found if p.group == group} for group in found.groups
    }
    assert len({frozenset(names) for names in templates.values()}) == 1
    assert len(templates["queer"]) >= 12
    assert set(found.terms) == TEN
    assert found.fingerprint == prompts.load("embedded").fingerprint


def test_embedded_loads_fast() -> None:
    """The best of five, so that a busy machine does not fail it."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        prompts.load("embedded")
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05


def test_import_loads_nothing_heavy() -> None:
    code = (
        "import sys; from specfair.texts import corpora, prompts; "
        "prompts.load('embedded'); corpora.load('imdb');"
        "print(sorted({'torch', 'transformers', 'datasets', 'pandas', 'numpy', 'pyarrow'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_ids_do_not_depend_on_order_or_neighbours() -> None:
    rows = [
        Row("a", "c", "t", "one"),
        Row("b", "c", "t", "one"),
        Row("a", "c", "t", "two"),
    ]
    forward = {(p.group, p.text): p.id for p in numbered(rows)}
    assert {(p.group, p.text): p.id for p in numbered(rows[::-1])} == forward
    assert len(set(forward.values())) == 3


def test_repeats_get_ids_of_their_own() -> None:
    first, second, third = numbered([Row("a", "c", "t", "one")] * 3)
    assert second.id == f"{first.id}-2"
    assert third.id == f"{first.id}-3"


def test_fingerprint_sees_every_field() -> None:
    base = Prompt("i", "g", "c", "t", "x")
    seen = set()
    for p in (
        base,
        Prompt("j", *"gctx"),
        Prompt("i", *"hctx"),
        Prompt("i", *"gdtx"),
        Prompt("i", *"gcux"),
        Prompt("i", *"gcty"),
    ):
        seen.add(
            PromptSet(
                "s", (p,), crossed=False, synthetic=False, licence="", sentence=""
            ).fingerprint
        )
    assert len(seen) == 6


def test_only_keeps_the_named_groups_and_their_terms() -> None:
    found = prompts.load("embedded").only(["male", "queer"])
    assert set(found.groups) == {"male", "queer"} == set(found.terms)
    with pytest.raises(
        UsageError, match=r"unknown group 'queerr'.*Did you mean 'queer'"
    ):
        found.only(["queerr"])


@given(st.integers(1, 40), st.integers(0, 5))
def test_limit_is_a_nested_sample_of_each_group(n: int, seed: int) -> None:
    full = a_set(30, 7)
    kept = full.limit(n, seed=seed)
    assert kept.sizes == {"g0": min(n, 30), "g1": min(n, 7)}
    assert {p.id for p in kept} <= {p.id for p in full.limit(n + 1, seed=seed)}
    assert list(kept) == [p for p in full if p in set(kept)]


def test_limit_spreads_over_clusters_and_templates() -> None:
    kept = prompts.load("embedded").limit(16)
    for group in kept.groups:
        members = [p for p in kept if p.group == group]
        assert max(Counter(p.cluster for p in members).values()) <= 2
        assert len({p.template for p in members}) >= 8


def test_limit_depends_on_the_seed_and_is_noted() -> None:
    full = prompts.load("embedded")
    assert (
        full.limit(20).fingerprint
        == prompts.load("embedded", n_per_group=20).fingerprint
    )
    assert full.limit(20).fingerprint != full.limit(20, seed=1).fingerprint
    assert "limited to 20" in full.limit(20).notes[-1]
    assert full.limit(10_000) is full
    with pytest.raises(UsageError, match="limit 0 per group is too small"):
        full.limit(0)


def test_require_names_the_small_group_and_the_way_out() -> None:
    found = a_set(12, 3)
    with pytest.raises(DataError) as caught:
        found.require()
    assert str(caught.value) == (
        "group 'g1' has 3 prompts; intervals need at least 10. Add prompts or "
        "set min_prompts = 3."
    )
    assert found.require(3) is found
    with pytest.raises(DataError, match="has 1 prompt;"):
        a_set(12, 1).require()


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    rows = [
        {"group": g, "identity": i, "template": t, "text": f"The {i} {t}"}
        for g, i in (("a", "x"), ("a", "y"), ("b", "z"))
        for t in ("went", "came")
    ]
    found = prompts.load(write(tmp_path / "mine.jsonl", *rows))
    assert (found.name, len(found), found.groups, found.crossed) == (
        "mine",
        6,
        ("a", "b"),
        True,
    )
    assert found.terms == {"a": ("x", "y"), "b": ("z",)}
    assert {p.cluster for p in found} == {"x", "y", "z"}
    assert not found.synthetic


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_every_table_reads_the_same(tmp_path: Path, suffix: str) -> None:
    rows = [{"group": "a", "text": "one, two"}, {"group": "b", "text": "three"}]
    path = tmp_path / f"mine{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        mark, quote = ("\t", "") if suffix == ".tsv" else (",", '"')
        path.write_text(
            f"group{mark}text\n"
            + "".join(f"{r['group']}{mark}{quote}{r['text']}{quote}\n" for r in rows)
        )
    found = prompts.load(f"file:{path}")
    assert [(p.group, p.text, p.cluster) for p in found] == [
        ("a", "one, two", "one, two"),
        ("b", "three", "three"),
    ]
    assert not found.crossed
    assert not found.terms
    assert (
        found.fingerprint
        == prompts.load(write(tmp_path / "same.jsonl", *rows)).fingerprint
    )


def test_ids_of_the_file_are_used(tmp_path: Path) -> None:
    rows = [
        {"id": "p1", "group": "a", "text": "one"},
        {"id": "p2", "group": "b", "text": "two"},
    ]
    assert [p.id for p in prompts.load(write(tmp_path / "mine.jsonl", *rows))] == [
        "p1",
        "p2",
    ]


def test_ambiguous_prompts_are_dropped_or_kept_and_said() -> None:
    rows = [
        Row("a", "c", "", "x"),
        Row("b", "c", "", "x"),
        Row("a", "c", "", "y"),
        Row("a", "d", "", "y"),
        Row("b", "c", "", "z"),
    ]
    kept, notes = settle("mine", rows, "drop")
    assert kept == [rows[2], rows[4]]
    assert notes == (
        "dropped 1 prompts that stand under more than one group (a and b)",
        "dropped 1 repeats within a group",
    )
    kept, notes = settle("mine", rows, "keep")
    assert kept == rows
    assert all(note.startswith("kept 1") for note in notes)


def test_many_combinations_of_groups_are_summed_up() -> None:
    rows = [
        Row(g, "c", "", text)
        for text, pair in zip("wxyz", ("ab", "ac", "bc", "cd"), strict=True)
        for g in pair
    ]
    rows += [Row(g, "c", "", f"own {g}") for g in "abcd"]
    _, notes = settle("mine", rows, "drop")
    assert "(a and b, a and c, b and c and 1 other combinations)" in notes[0]


ROW = {"group": "a", "text": "one"}
BAD: dict[str, tuple[object, str]] = {
    "missing file": (None, r"'.*mine.jsonl' does not exist; .* Check the path"),
    "wrong column": (
        [{"group": "a", "prompt": "one"}],
        r"no column 'text'; its columns are 'group', 'prompt'",
    ),
    "empty group": (
        [ROW, {"group": " ", "text": "two"}],
        r"row 2 of 'mine.jsonl' has group ' '; every prompt needs one",
    ),
    "NaN label": (
        b'{"group": NaN, "text": "one"}\n',
        r"row 1 of 'mine.jsonl' has group nan",
    ),
    "null label": (
        [{"group": None, "text": "one"}],
        r"row 1 of 'mine.jsonl' has group None",
    ),
    "blank text": (
        [{"group": "a", "text": " "}],
        r"row 1 of 'mine.jsonl' has text ' '; it must be words",
    ),
    "number for text": ([{"group": "a", "text": 3}], r"has text 3; it must be words"),
    "not UTF-8": (
        b'{"group": "a", "text": "caf\xe9"}\n',
        r"line 1 of 'mine.jsonl' has byte 0xe9 at column 28; text must be UTF-8",
    ),
    "10 MB line": (
        b'{"group": "a", "text": "' + b"x" * 10_000_000 + b'"}\n',
        r"line 1 .* is longer than 1,048,576 bytes",
    ),
    "duplicate ids": (
        [ROW | {"id": "p"}, ROW | {"id": "p"}],
        r"row 2 of 'mine.jsonl' has id 'p', as row 1 has; ids must be unique",
    ),
    "an id missing": (
        [ROW | {"id": "p"}, ROW | {"text": "two"}],
        r"row 2 of 'mine.jsonl' has no id; others have",
    ),
    "empty file": (b"", r"'mine.jsonl' has 0 prompts; at least 1 is needed"),
    "not JSON": (b"{group: a}\n", r"line 1 of 'mine.jsonl' is not JSON"),
    "not an object": (
        b'["a"]\n',
        r"line 1 of 'mine.jsonl' is list; each line must hold one object",
    ),
    "nothing of its own": (
        [ROW, ROW | {"group": "b"}, {"group": "b", "text": "two"}],
        r"group 'a' of 'mine.jsonl' has 0 prompts left after dropping",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_get_one_line_and_write_nothing(tmp_path: Path, case: str) -> None:
    content, message = BAD[case]
    path = tmp_path / "mine.jsonl"
    if isinstance(content, list):
        write(path, *content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DataError, match=message) as caught:
        prompts.load(f"file:{path}")
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("honnest", "unknown prompt set 'honnest'.*Did you mean 'honest'"),
        (
            "honest/binary",
            (
                "prompt set 'honest' has no part 'binary'; only bold and "
                "holistic_bias have parts"
            ),
        ),
        ("file:", "prompt set 'file' needs a path"),
        ("mgsm", "prompt set 'mgsm' is read from its files only"),
        ("holistic_bias", "prompt set 'holistic_bias' is read from its files only"),
        ("bold/genre", "unknown domain of bold 'genre'"),
    ],
)
def test_bad_names_get_one_line(spec: str, message: str) -> None:
    with pytest.raises(SpecfairError, match=message):
        prompts.load(spec)


def test_a_file_without_its_kind_is_told_how_it_is_named(tmp_path: Path) -> None:
    place = str(write(tmp_path / "mine.jsonl", ROW)).removeprefix("file:")
    with pytest.raises(UsageError, match=rf"A file of your own is file:{place}\."):
        prompts.load(place)


def test_bad_values_get_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown value of ambiguous 'lose'"):
        prompts.load(write(tmp_path / "mine.jsonl", ROW), ambiguous="lose")
    with pytest.raises(DataError, match="prompt set 'none' has 0 prompts"):
        PromptSet("none", (), crossed=False, synthetic=False, licence="", sentence="")
    twice = (Prompt("i", "g", "c", "t", "x"),) * 2
    with pytest.raises(
        DataError, match=r"prompt id 'i' of 'two' stands more than once \(1 ids do\)"
    ):
        PromptSet("two", twice, crossed=False, synthetic=False, licence="", sentence="")


def test_an_unknown_suffix_and_a_torn_parquet_get_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine.xlsx").write_bytes(b"PK")
    with pytest.raises(
        DataError,
        match=r"'mine.xlsx' ends in '.xlsx'; known are .csv, .tsv, .jsonl, .parquet",
    ):
        prompts.load(f"file:{tmp_path / 'mine.xlsx'}")
    (tmp_path / "mine.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"'mine.parquet' cannot be read as Parquet"):
        prompts.load(f"file:{tmp_path / 'mine.parquet'}")


def test_fixtures_prefers_those_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from specfair.texts.prompts import own

    assert (prompts.fixtures() / "prompts.jsonl").is_file()
    inside = tmp_path / "specfair" / "fixtures"
    inside.mkdir(parents=True)
    monkeypatch.setattr(
        own, "__file__", str(tmp_path / "specfair" / "texts" / "prompts" / "own.py")
    )
    assert prompts.fixtures() == inside


def test_groups_may_be_called_none(tmp_path: Path) -> None:
    rows = [
        {"group": group, "text": f"text of {group}"}
        for group in ("None", "nan", "NULL")
    ]
    assert prompts.load(write(tmp_path / "mine.jsonl", *rows)).groups == (
        "None",
        "nan",
        "NULL",
    )


@pytest.mark.parametrize("empty", [None, float("nan"), " "])
def test_a_group_that_is_nothing_is_refused(tmp_path: Path, empty: object) -> None:
    with pytest.raises(
        DataError, match=r"row 1 of 'mine.jsonl' has group .*; every prompt needs one"
    ):
        prompts.load(write(tmp_path / "mine.jsonl", {"group": empty, "text": "a"}))


def test_a_label_that_is_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=(
            r"row 1 of 'mine.jsonl' has cluster \"\['a'\]\"; it must be a text or "
            r"a number"
        ),
    ):
        prompts.load(
            write(
                tmp_path / "mine.jsonl", {"group": "a", "text": "a", "cluster": ["a"]}
            )
        )


def test_half_a_character_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it has half a character"):
        prompts.load(write(tmp_path / "mine.jsonl", {"group": "a", "text": "\ud800"}))


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    spec = write(tmp_path / "mine.jsonl", ROW)
    first = prompts.load(spec)
    assert prompts.load(spec) is first
    write(tmp_path / "mine.jsonl", ROW, {**ROW, "text": "another"})
    assert len(prompts.load(spec)) == len(first) + 1


def test_what_was_left_out_is_said_and_what_is_left_is_counted() -> None:
    """Finding 17: the sentence counts the prompts that are used, not those of the whole
    set.
    """
    whole = prompts.load("embedded")
    some = prompts.load("embedded", n_per_group=20).only(["female", "male"])
    assert some.sentence == f"40 prompts of 2 groups, out of {whole.sentence}"
    assert some.notes[-2:] == (
        "limited to 20 prompts a group, a sample by seed 0",
        "only 2 of 10 groups were asked for: female, male",
    )
    assert (
        some.only(["female"]).sentence
        == f"20 prompts of 1 group, out of {whole.sentence}"
    )
    assert whole.only(whole.groups) is whole
