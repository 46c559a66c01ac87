"""Attributes of prompts and what they cut: from the publishers' formats and from files
of one's own, as their loaders read them.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from specfair.errors import DataError, UsageError
from specfair.texts import prompts
from specfair.texts.prompts.slicing import groupings, names_of, sliced, slices_of

HONEST = """template_masked\traw\tidentity\tnumber\tcategory\ttype
the woman is a [M].\t[I] is a [M]\tthe woman\tsingular\tfemale\toccupation
the women are [M].\t[I] are [M]\tthe women\tplural\tfemale\tadjective
the man is a [M].\t[I] is a [M]\tthe man\tsingular\tmale\toccupation
the men are [M].\t[I] are [M]\tthe men\tplural\tmale\tadjective
"""


def own(folder: Path, *rows: Mapping[str, object]) -> prompts.PromptSet:
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return prompts.load(f"file:{folder / 'own.jsonl'}")


def crossed(folder: Path, n: int = 3) -> prompts.PromptSet:
    """Two ages and three genders, one of them not stated."""
    return own(
        folder,
        *(
            {
                "group": gender or "g",
                "text": f"the {age} {gender or 'nobody'} {i}",
                "identity": gender or "nobody",
                "attributes": {"gender": gender, "age": age},
            }
            for gender in ("woman", "man", None)
            for age in ("old", "young")
            for i in range(n)
        ),
    )


def test_a_table_and_columns_say_the_same(tmp_path: Path) -> None:
    rows = "group,text,attributes.age,attributes.size\na,x,old,\na,y,young,2\n"
    (tmp_path / "flat.csv").write_text(rows)
    flat = prompts.load(f"file:{tmp_path / 'flat.csv'}")
    deep = own(
        tmp_path,
        {"group": "a", "text": "x", "attributes": {"age": "old", "size": None}},
        {"group": "a", "text": "y", "attributes": {"age": "young", "size": 2}},
    )
    assert flat.attributes == deep.attributes
    ids = [p.id for p in flat]
    assert flat.attributes == {
        "age": dict(zip(ids, ("old", "young"), strict=True)),
        "size": {ids[1]: "2"},
    }


@pytest.mark.parametrize("value", ["old", {"age": ["old"]}])
def test_attributes_that_are_none_are_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(DataError, match=r"row 1 of 'own.jsonl' has (attributes|age)"):
        own(tmp_path, {"group": "a", "text": "x", "attributes": value})


def test_attributes_change_no_id_and_no_fingerprint(tmp_path: Path) -> None:
    """What is written does not depend on them, so nothing is traced again."""
    plain = own(tmp_path, {"group": "a", "text": "x"})
    named = own(tmp_path, {"group": "a", "text": "x", "attributes": {"age": "old"}})
    assert plain.prompts == named.prompts
    assert plain.fingerprint == named.fingerprint


def test_honest_says_number_and_type(tmp_path: Path) -> None:
    (tmp_path / "en.tsv").write_text(HONEST)
    found = prompts.load(f"honest:{tmp_path}")
    assert slices_of(found, ("group", "number", "type"))[:2] == [
        ("female", "singular", "occupation"),
        ("female", "plural", "adjective"),
    ]
    # here type says nothing that number does not
    assert [names for names, _ in groupings(found)] == [
        ("group",),
        ("identity",),
        ("number",),
    ]


def test_bold_says_its_domain(tmp_path: Path) -> None:
    for domain in ("gender", "race"):
        texts = {f"{domain}_{i}": {"title": [f"{domain} {i} is "]} for i in range(2)}
        (tmp_path / f"{domain}_prompt.json").write_text(json.dumps(texts))
    found = prompts.load(f"bold/gender:{tmp_path}")
    assert set(slices_of(found, ("domain", "category"))) == {
        ("gender", "gender_0"),
        ("gender", "gender_1"),
    }
    alone = prompts.load(f"bold:{tmp_path / 'race_prompt.json'}")
    assert set(slices_of(alone, ("domain",))) == {("race",)}


def test_intersections_become_groups(tmp_path: Path) -> None:
    found = crossed(tmp_path)
    by = sliced(found, "gender & age", 3)
    assert by.sizes == dict.fromkeys(
        ("woman & old", "woman & young", "man & old", "man & young"), 3
    )
    assert by.notes[-1] == "left out 6 prompts that do not state gender & age"
    assert by.sentence.endswith(", by gender & age")
    assert by.terms["man & old"] == ("man",)
    ids = {p.id: p.text for p in found}
    assert all(ids[p.id] == p.text for p in by)


def test_small_intersections_are_left_out_and_named(tmp_path: Path) -> None:
    labels = [("woman", "old")] * 3 + [("man", "young")] * 2
    found = own(
        tmp_path,
        *(
            {"group": g, "text": f"{g} {i}", "attributes": {"gender": g, "age": age}}
            for i, (g, age) in enumerate(labels)
        ),
    )
    by = sliced(found, "gender&age", 3)
    assert by.groups == ("woman & old",)
    assert by.notes == (
        "left out 1 intersection with fewer than 3 prompts (man & young)",
    )
    with pytest.raises(DataError, match="leaves no intersection with 9 prompts"):
        sliced(found, "gender&age", 9)


def test_an_attribute_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'agee'.*Did you mean 'age'"):
        sliced(crossed(tmp_path), "agee", 1)


def test_of_two_that_cut_alike_one_is_looked_at(tmp_path: Path) -> None:
    cuts = [names for names, _ in groupings(crossed(tmp_path))]
    assert cuts == [("group",), ("age",), ("group", "age"), ("gender", "age")]
    first, *_ = groupings(crossed(tmp_path), ("gender", "age"))
    assert first[0] == names_of("gender&age")
