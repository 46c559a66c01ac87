"""A prompt set in two parts."""

from dataclasses import replace
from pathlib import Path

import pytest

from specfair.errors import DataError
from specfair.texts import prompts
from specfair.texts.prompts import Prompt, PromptSet
from specfair.texts.prompts.parts import NEW, as_lines, in_parts, swapped


def made(n_templates: int, **identities: int) -> PromptSet:
    rows = [
        Prompt(f"{g}{i}{t}", g, f"{g} {i}", f"t{t}", f"the {g} {i} is {t}")
        for g, n in identities.items()
        for i in range(n)
        for t in range(n_templates)
    ]
    terms = {g: tuple(f"{g} {i}" for i in range(n)) for g, n in identities.items()}
    return PromptSet("p", tuple(rows), True, True, "none", "made", terms=terms)


@pytest.mark.parametrize("name", ["embedded", "made"])
def test_no_identity_and_template_meet_again(name: str) -> None:
    whole = prompts.load("embedded") if name == "embedded" else made(6, a=8, b=3, c=1)
    parts = in_parts(whole)
    seen, asked = parts.mending, parts.judging
    assert len(seen) + len(asked) == len(whole)
    assert seen.groups == asked.groups == whole.groups
    pairs = [{(p.cluster, p.template) for p in part} for part in (seen, asked)]
    assert not pairs[0] & pairs[1]
    identities = {p.cluster for p in seen}
    templates = {p.template for p in seen}
    for p in asked:
        known = (p.template in templates, p.cluster in identities)
        expected = {"templates": (False, True), "identities": (True, False)}
        assert known == expected.get(parts.new[p.id], (False, False))
    assert set(parts.new.values()) == set(NEW)
    assert in_parts(whole) == parts


def test_a_group_with_one_identity_is_judged_by_new_templates() -> None:
    parts = in_parts(made(6, a=8, b=1))
    assert {parts.new[p.id] for p in parts.judging if p.group == "b"} == {"templates"}


def test_sets_without_templates_hold_out_articles() -> None:
    whole = made(1, a=8, b=8)
    bare = replace(whole, prompts=tuple(replace(p, template="") for p in whole.prompts))
    assert set(in_parts(bare).new.values()) == {"identities"}


@pytest.mark.parametrize(("few", "what"), [((1, 2), "judge by"), ((1, 1), "judge by")])
def test_a_group_without_prompts_in_a_part_is_named(
    few: tuple[int, int], what: str
) -> None:
    with pytest.raises(DataError, match=rf"group 'b' has 0 prompts to {what}"):
        in_parts(made(few[0], a=8, b=few[1]))


def test_a_group_that_only_has_templates_to_judge_by_has_nothing_to_mend_with() -> None:
    whole = made(6, a=8, b=1)
    parts = in_parts(whole)
    held = {p.template for p in parts.judging} - {p.template for p in parts.mending}
    left = tuple(p for p in whole if p.group == "a" or p.template in held)
    with pytest.raises(DataError, match="group 'b' has 0 prompts to mend with"):
        in_parts(replace(whole, prompts=left))


def test_what_is_written_is_read_as_the_same_prompts(tmp_path: Path) -> None:
    asked = in_parts(prompts.load("embedded")).judging
    place = tmp_path / "judging.jsonl"
    place.write_text(as_lines(asked), encoding="utf-8")
    again = prompts.load(f"file:{place}")
    assert again.prompts == asked.prompts
    assert again.crossed
    assert {g: sorted(t) for g, t in again.terms.items()} == {
        g: sorted({p.cluster for p in asked if p.group == g}) for g in asked.groups
    }


def test_every_other_prompt_is_about_another_group() -> None:
    some = list(made(3, a=2, b=2))
    found = swapped(some, 0)
    for i, (old, new) in enumerate(zip(some, found, strict=True)):
        assert new.template == old.template
        assert (new == old) if i % 2 == 0 else (new.group != old.group)
    assert swapped([some[0], some[1]], 0) == some[:2]  # nobody to swap with
