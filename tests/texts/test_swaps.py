"""Swaps: two texts that differ in the identity alone, and halves with nothing in
common.
"""

from pathlib import Path

import pytest

from specfair.errors import UsageError
from specfair.texts import prompts
from specfair.texts.swaps import (
    CASINGS,
    ENOUGH,
    LEADS,
    MARKS,
    SPELLINGS,
    Context,
    contexts_of,
    space,
)


def test_every_form_changes_both_texts_alike() -> None:
    where = space(prompts.load("embedded"))
    template, (first, second) = where.templates[3], where.identities[:2]
    for lead in LEADS:
        for casing in CASINGS:
            for marks in MARKS:
                for spelling in SPELLINGS:
                    how = Context(template, lead, casing, marks, spelling)
                    one, two = where.swap(how, first, second).texts
                    assert one != two
                    assert one.lower().replace(first, second) == two.lower()


def test_forms_are_what_they_are_called() -> None:
    plain = "The cook went to the market"
    assert Context("").around(plain, "cook") == plain
    shown = {
        "These days, the cook went to the market": Context("", "These days, "),
        "the cook went to the market": Context("", casing="lower"),
        "\u201cThe cook went to the market": Context("", punctuation="quoted"),
        "The cook went to the markt": Context("", spelling="dropped"),
        "The cook went to the markett": Context("", spelling="doubled"),
        "The cook went to the markte": Context("", spelling="swapped"),
    }
    for text, how in shown.items():
        assert how.around(plain, "cook") == text
    # a slip is never in the identity, and a text without other words has none
    assert Context("", spelling="dropped").around("a market", "market") == "a market"


def test_halves_share_no_template_and_no_lead_in() -> None:
    where = space(prompts.load("embedded"))
    search, confirm = where.halves()
    assert set(search.templates) | set(confirm.templates) == set(where.templates)
    assert not set(search.templates) & set(confirm.templates)
    assert set(search.leads) & set(confirm.leads) == {LEADS[0]}
    assert len(confirm.templates) >= min(ENOUGH, len(where.templates) - 2)
    n = len(confirm.templates) * len(confirm.leads)
    assert len(contexts_of(confirm.templates, confirm.leads)) == n


def test_prompts_without_shared_templates_are_refused(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("group,text\na,x\nb,y\n")
    with pytest.raises(UsageError, match="have 0 templates with several identities"):
        space(prompts.load(f"file:{tmp_path / 'own.csv'}"))
