"""Histograms count every proposal once, and the surest mistakes are real tokens in real
contexts.
"""

import pytest

from specfair.audit import rows
from specfair.audit.audit import Audit
from specfair.vocabulary import BASE, CONFIDENT


@pytest.fixture(scope="module")
def tables(measured: Audit) -> dict:
    return rows.of_stage(measured.base, BASE, measured.tokens)


def test_histograms_count_every_proposal_once(measured: Audit, tables: dict) -> None:
    trace = measured.base.trace
    for quantity in ("target_prob", "draft_prob", "difference"):
        mine = [r for r in tables["histograms"] if r.quantity == quantity]
        everyone = sum(sum(r.counts) for r in mine if r.group == "")
        assert everyone == trace.n_tokens == sum(sum(r.counts) for r in mine if r.group)
        accepted = sum(
            sum(r.counts) for r in mine if r.group == "" and r.outcome == "accepted"
        )
        assert accepted == int(trace["accepted"].sum())


def test_mistakes_are_confident_and_come_with_their_text(
    measured: Audit, tables: dict
) -> None:
    assert tables["mistakes"]
    texts = [p.text for p in measured.prompts]
    for row in tables["mistakes"]:
        assert row.draft_prob >= CONFIDENT
        assert (row.token == row.target_token) == (row.outcome == "accepted")
        assert row.before_text.startswith("…") or any(
            row.before_text.startswith(t) for t in texts
        )
    shown = [(r.group, r.outcome, r.token) for r in tables["mistakes"]]
    assert len(shown) == len(set(shown))
