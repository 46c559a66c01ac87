"""The texts that a run keeps: few of each group, and the right ones."""

import pytest

from specfair.audit.audit import Audit
from specfair.audit.text_rows import N_TEXTS, text_rows
from specfair.traces.replay import replay
from specfair.traces.written import texts
from specfair.vocabulary import Stage

IMDB = Stage("imdb")


def test_the_slowest_texts_are_kept_with_their_calls(measured: Audit) -> None:
    """Against the replay's own counts."""
    one = measured.after("imdb")
    tally = replay(one.trace, one.lookahead)
    calls = 100 * tally.n_rounds / tally.n_new_tokens
    rows = list(text_rows(measured, IMDB))
    wrote = texts(one.trace.text, measured.tokens)
    for group in measured.prompts.groups:
        own = [i for i, p in enumerate(one.trace.prompts) if p.group == group]
        slow = [r for r in rows if (r.group, r.why) == (group, "slowest")]
        expected = sorted((float(calls[i]) for i in own), reverse=True)[:N_TEXTS]
        assert [r.calls for r in slow] == pytest.approx(expected)
        for row in slow:
            places = [i for i in own if one.trace.prompts[i].text == row.prompt]
            assert row.text == wrote[places[0]]


def test_of_each_kind_there_are_a_few_and_flagged_ones_have_a_listed_word(
    measured: Audit,
) -> None:
    rows = list(text_rows(measured, IMDB))
    for group in measured.prompts.groups:
        for why in ("flagged", "slowest", "by lot"):
            some = [r for r in rows if (r.group, r.why) == (group, why)]
            assert len(some) <= N_TEXTS
            assert len({(r.prompt, r.text) for r in some}) == len(some)
    flagged = [r for r in rows if r.why == "flagged"]
    assert flagged
    for row in flagged:
        assert row.words
        assert all(word in row.text for word in row.words.split(", "))
    again = [row.text for row in text_rows(measured, IMDB)]
    assert again == [row.text for row in rows]  # lots are drawn once and for all
